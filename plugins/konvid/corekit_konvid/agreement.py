"""Whether two MOS, and two label files, say the same. No file is opened here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from corekit import CorpusError
from corekit_konvid.labels import LabelRow

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_REMEDY = "take both from the corpus anew, or remove the one that is wrong."


def parsed(cell: str) -> float | None:
    """A finite number, or None."""
    number = float(cell) if _NUMBER.fullmatch(cell) else float("inf")
    return number if abs(number) != float("inf") else None


def agree(first: str, second: str, tolerance: float = 0.0) -> bool:
    """Whether two cells hold one MOS, ``tolerance`` apart at most; those that are no number must be the same text."""
    one, other = parsed(first), parsed(second)
    return first == second if one is None or other is None else abs(one - other) <= tolerance


def refuse_difference(root: Path, first: Mapping[str, LabelRow], second: Mapping[str, LabelRow]) -> None:
    """Raise ``CorpusError`` where two label files below ``root``, as rows by id, differ in clips or in a MOS."""
    _refuse_missing(root, first, second)
    _refuse_missing(root, second, first)
    tolerance = 0.5 * 10.0 ** -min(_decimals(first.values()), _decimals(second.values())) + 1e-9
    for id_ in sorted(first):
        row, other = first[id_], second[id_]
        if not agree(row.mos, other.mos, tolerance):
            where = f"{row.origin} and {other.origin}"
            raise CorpusError(
                f"{root}: {where} give {id_} another MOS ({row.mos or 'blank'} and {other.mos or 'blank'}); {_REMEDY}"
            )


def _refuse_missing(root: Path, whole: Mapping[str, LabelRow], other: Mapping[str, LabelRow]) -> None:
    lacking = sorted(whole.keys() - other.keys())
    if lacking:
        row, file = whole[lacking[0]], next(iter(other.values())).file
        raise CorpusError(
            f"{root}: {file} lacks {len(lacking)} of the {len(whole)} clips that {row.file} names, such as {row.id} "
            f"({row.origin}); {_REMEDY}"
        )


def _decimals(rows: Iterable[LabelRow]) -> int:
    """The most digits after the point that a MOS of the file has; one file may be rounded where the other is not."""
    exponents = (Decimal(row.mos).as_tuple().exponent for row in rows if parsed(row.mos) is not None)
    return max((-exponent for exponent in exponents if isinstance(exponent, int)), default=0)
