"""Duplicates among clip rows: which row stays, why the other goes, and in which columns they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from corekit.driver.merge.scan import Scan
from corekit.driver.merge.source import Source
from corekit.driver.merge.unify import conform
from corekit.model import Column
from corekit.table import arrow_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Rows = npt.NDArray[np.int64]

_COLUMNS_AT_A_TIME = 16


class Duplicates(Struct, frozen=True, kw_only=True):
    """Pairs of rows, numbered over all inputs, in the order of the dropped ones."""

    kept: Rows
    dropped: Rows
    encode: npt.NDArray[np.bool_]
    """Whether they are encode rows; else label rows."""

    def __len__(self) -> int:
        return len(self.dropped)


def find_duplicates(found: Scan, key: Sequence[str]) -> Duplicates:
    """Encode rows are one by ``key``, and the first stays; label rows by content hash, and the smallest known spread stays.

    A row that lacks a part of its key is never a duplicate.
    """
    import numpy as np

    sha = found.codes["src_sha256"]
    encode = _pairs(found.encode, [found.codes[name] for name in key], None)
    label = _pairs(~found.encode, [sha], found.spread)
    kept, dropped = (np.concatenate([one, other]) for one, other in zip(encode, label, strict=True))
    order = np.argsort(dropped, kind="stable")
    return Duplicates(kept=kept[order], dropped=dropped[order], encode=found.encode[dropped[order]])


def _pairs(
    among: npt.NDArray[np.bool_], codes: Sequence[Rows], rank: npt.NDArray[np.float64] | None
) -> tuple[Rows, Rows]:
    """Rows (kept, dropped) of equal codes; of each group the lowest rank is kept, of equal ranks the first row."""
    import numpy as np

    complete = among & np.all([code >= 0 for code in codes], axis=0)
    rows = np.flatnonzero(complete)
    if len(rows) == 0:
        return rows, rows
    keys = [code[rows] for code in codes]
    order = np.lexsort([*([] if rank is None else [rank[rows]]), *reversed(keys)])
    first = np.ones(len(rows), dtype=bool)
    first[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    leader = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    return rows[order][leader][~first], rows[order][~first]


def reason(found: Scan, kept: int, dropped: int) -> str:
    """Why a label row goes and another of the same content stays."""
    import math

    stays, goes = found.spread[kept], found.spread[dropped]
    if math.isinf(goes):
        return "spread unknown" if math.isfinite(stays) else "both spreads unknown, the first stays"
    return "larger spread" if goes > stays else "equal spread, the first stays"


class Differences(Struct, frozen=True):
    """In which columns the rows of each pair of encodes differ; label rows are not compared."""

    columns: list[str]
    bits: npt.NDArray[np.uint8]
    """A row a pair, packed; a bit a column."""

    def of(self, pair: int) -> list[str]:
        """The columns in which a pair's rows differ."""
        import numpy as np

        differ = np.unpackbits(self.bits[pair])[: len(self.columns)]
        return [name for name, differs in zip(self.columns, differ, strict=True) if differs]

    def counts(self, pairs: npt.NDArray[np.bool_]) -> dict[str, int]:
        """Column to number of the pairs chosen that differ there, columns with none left out."""
        import numpy as np

        totals = sum(
            (np.unpackbits(part, axis=1)[:, : len(self.columns)].sum(axis=0, dtype=np.int64)
             for part in np.array_split(self.bits[pairs], max(1, len(self.bits) >> 16))),
            np.zeros(len(self.columns), dtype=np.int64),
        )  # fmt: skip
        return {name: int(count) for name, count in zip(self.columns, totals, strict=True) if count}

    def any(self) -> npt.NDArray[np.bool_]:
        """For each pair whether its rows differ at all."""
        import numpy as np

        return np.asarray(self.bits.any(axis=1))


def compare(
    sources: Sequence[Source], found: Scan, pairs: Duplicates, columns: Sequence[Column], key: Sequence[str]
) -> Differences:
    """Compare the rows of every pair of encodes, some columns at a time: memory grows with the duplicates, not with the tables.

    An unavailable value equals the contract's default.
    """
    import numpy as np

    compared = [column for column in columns if column.name not in (*key, "schema_version")]
    bits = np.zeros((len(pairs), len(compared)), dtype=bool)
    chosen = np.flatnonzero(pairs.encode)
    rows = np.unique(np.concatenate([pairs.kept[chosen], pairs.dropped[chosen]]))
    kept, dropped = np.searchsorted(rows, pairs.kept[chosen]), np.searchsorted(rows, pairs.dropped[chosen])
    for start in range(0, len(compared) if len(rows) else 0, _COLUMNS_AT_A_TIME):
        block = compared[start : start + _COLUMNS_AT_A_TIME]
        table = take_rows(sources, found, rows, block)
        for offset, column in enumerate(block):
            array = table.column(column.name)
            bits[chosen, start + offset] = _unequal(array.take(kept), array.take(dropped), column)
    return Differences([column.name for column in compared], np.packbits(bits, axis=1))


def take_rows(sources: Sequence[Source], found: Scan, rows: Rows, columns: Sequence[Column]) -> pa.Table:
    """Some rows, numbered over all inputs and ascending, of some columns of the merged schema."""
    import pyarrow as pa

    schema = arrow_schema(columns, {})
    return pa.concat_tables([schema.empty_table(), *_taken(sources, found, rows, columns, schema)])


def _taken(
    sources: Sequence[Source], found: Scan, rows: Rows, columns: Sequence[Column], schema: pa.Schema
) -> Iterator[pa.Table]:
    import numpy as np

    names = [column.name for column in columns]
    for source, start in zip(sources, found.starts, strict=False):
        stored = [name for name in names if name in source.has] or [source.columns[0].name]
        at = int(start)
        for batch in source.batches(stored):
            low, high = np.searchsorted(rows, [at, at + batch.num_rows])
            if high > low:
                yield conform(batch.take(rows[low:high] - at), source, columns, schema)
            at += batch.num_rows


def _unequal(left: Any, right: Any, column: Column) -> npt.NDArray[np.bool_]:
    import numpy as np
    import pyarrow.compute as pc

    if column.default is not None and column.default == column.default:
        left, right = pc.fill_null(left, column.default), pc.fill_null(right, column.default)
    one_missing = pc.xor(left.is_valid(), right.is_valid())
    differ = pc.or_(one_missing, pc.fill_null(pc.not_equal(left, right), False))
    return np.asarray(differ.to_numpy())
