"""Metadata in memory: one row per clip, typed columns, and what became of lines that do not fit or disagree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from corekit.driver.enrich.corpora import same_corpus
from corekit.driver.enrich.keys import Keys
from corekit.driver.enrich.options import EnrichOptions
from corekit.driver.enrich.report import MOST_LISTED
from corekit.driver.enrich.typed import TypedColumn
from corekit.driver.sidecar import Line
from corekit.errors import CorpusError
from corekit.manifest import ConflictRecord, LineRecord
from corekit.split import GIVEN_POLICY

if TYPE_CHECKING:
    import pyarrow as pa

FOLDERS = r"(?s)^.*[/\\]"
EXTENSION = r"(?s)(.)\.[^.]*$"
"""Both in the syntax that RE2 shares with Python."""
SCOPE = "\0"
"""Stands between corpus and name where a table holds several corpora."""
_SPLITS = ("train", "val", "test")


class Source(Protocol):
    """Where metadata comes from."""

    @property
    def untyped(self) -> bool: ...

    def lines(self) -> Iterator[Line]: ...

    def where(self, line: int) -> str: ...

    def refuse(self, line: int, problem: str) -> Exception: ...


class Metadata(Struct, frozen=True, kw_only=True):
    """What is known of each clip. All arrays have one length, the number of clips."""

    names: Any
    """``pyarrow.StringArray`` of join names, each once."""
    columns: Mapping[str, Any]
    """Key to values, an Arrow array; in the order in which new columns are appended."""
    aside: Mapping[str, Any]
    """``content``, and ``split`` where the corpus gives it: the splits follow from them, they are not written."""
    available: tuple[str, ...]
    """Every key, taken or not."""
    joined_by: tuple[str, ...]
    """The keys that named the clips."""
    rows: int
    foreign: Mapping[str, int]
    """Corpus of which the table has no clips, to the rows that name it; of these nothing is taken."""
    foreign_clips: int
    repeated: int
    """Rows that say of a clip what another row says as well."""
    malformed: int
    malformed_lines: tuple[LineRecord, ...]
    conflicts: int
    conflicting: tuple[ConflictRecord, ...]


def without(metadata: Metadata, rows: Sequence[int]) -> Metadata:
    """The metadata without some of its rows."""
    import numpy as np

    stays = np.setdiff1d(np.arange(len(metadata.names)), np.array(rows, dtype=np.int64))
    return msgspec.structs.replace(
        metadata,
        names=metadata.names.take(stays),
        columns={key: array.take(stays) for key, array in metadata.columns.items()},
        aside={key: array.take(stays) for key, array in metadata.aside.items()},
    )


def join_name(name: str, *, stem: bool) -> str:
    """The basename; without its extension where stems are compared."""
    base = re.sub(FOLDERS, "", name)
    return re.sub(EXTENSION, r"\1", base) if stem else base


def read_metadata(source: Source, options: EnrichOptions, keys: Keys, corpora: Sequence[str]) -> Metadata:
    """Read everything that the source says of the keys that are taken.

    ``corpora`` are those of the table: rows of others are left out, and where there are several each name has its
    corpus before it.

    Raises
    ------
    LabelError
        A line is malformed or does not fit, and such lines are not to be passed over: names the line.
    CorpusError
        Two rows of one clip disagree, and nothing says which is right.
    """
    gathered = _Gathered(source, options, keys, corpora)
    for line in source.lines():
        problem = line.problem or gathered.take(line)
        if problem and not options.skip_malformed:
            raise source.refuse(line.number, problem)
        if problem:
            gathered.pass_over(line.number, problem)
    return gathered.finish()


class _Gathered:
    def __init__(self, source: Source, options: EnrichOptions, keys: Keys, corpora: Sequence[str]) -> None:
        self._source = source
        self._corpora = corpora
        self._options = options
        self._keys = keys
        self._available: dict[str, None] = {}
        self._joined_by: dict[str, None] = {}
        self._names: list[str] = []
        self._lines: list[int] = []
        self._columns: dict[str, TypedColumn] = {}
        self._aside: dict[str, list[str | None]] = {}
        self._malformed: list[LineRecord] = []
        self._malformed_count = 0
        self._foreign: Counter[str] = Counter()
        self._foreign_clips: set[str] = set()

    def take(self, line: Line) -> str:
        """Take a row whole; returns why it cannot be taken, empty where it was."""
        values = line.values or {}
        named = next((key for key in self._options.key if values.get(key) is not None), None)
        corpus, foreign = self._corpus_of(values)
        if not foreign:
            self._available.update(dict.fromkeys(values))
        if named is None:
            return f"names no clip: it has no value in {', '.join(self._options.key)}"
        name = (
            join_name(values[named], stem=self._options.normalize == "stem") if isinstance(values[named], str) else ""
        )
        if not name:
            return f"has {values[named]!r} in {named}, which is no file name"
        if foreign:
            self._foreign[foreign] += 1
            self._foreign_clips.add(f"{foreign}{SCOPE}{name}")
            return ""
        if len(self._corpora) > 1:
            if not isinstance(corpus, str):
                return "names no corpus, and the table holds several (--corpus NAME says of which all rows are)"
            name = f"{corpus}{SCOPE}{name}"
        self._keys.meet(corpus)
        fitted = {}
        for key, value in values.items():
            if key not in self._options.key and self._keys.takes(key):
                fitted[key], problem = self._column(key).fit(value)
                if problem:
                    return problem
        self._joined_by[named] = None
        self._append(line.number, name, fitted, values)
        return ""

    def pass_over(self, number: int, problem: str) -> None:
        self._malformed_count += 1
        if len(self._malformed) < MOST_LISTED:
            self._malformed.append(LineRecord(self._source.where(number), problem))

    def finish(self) -> Metadata:
        import pyarrow as pa

        names = pa.array(self._names, pa.string())
        built = {key: array for key, column in self._columns.items() if (array := column.finish()) is not None}
        columns = {key: built[key] for key in self._keys.order(list(built))}
        aside = {key: pa.array(values, pa.string()) for key, values in self._aside.items()}
        kept = _Kept(names, columns, self._options.on_conflict)
        conflicting = tuple(self._conflict(names, code, rows, columns) for code, rows in kept.listed())
        if kept.conflicts and self._options.on_conflict == "error":
            raise CorpusError(_disagreement(conflicting[0], kept.conflicts))
        return Metadata(
            names=kept.of(names),
            columns={key: kept.filled(key) for key in columns},
            aside={key: kept.of(array) for key, array in aside.items()},
            available=tuple(self._available),
            joined_by=tuple(self._joined_by),
            rows=len(names) + self._foreign.total(),
            foreign=dict(self._foreign),
            foreign_clips=len(self._foreign_clips),
            repeated=kept.repeated,
            malformed=self._malformed_count,
            malformed_lines=tuple(self._malformed),
            conflicts=kept.conflicts,
            conflicting=conflicting,
        )

    def _corpus_of(self, values: Mapping[str, Any]) -> tuple[Any, str]:
        """What the table calls the corpus of a row; and what the row calls it, where the table has none of its clips."""
        said = values.get("corpus") or self._options.corpus
        if not self._corpora or not isinstance(said, str):
            return said, ""
        corpus = same_corpus(said, self._corpora)
        return corpus, "" if corpus else said

    def _column(self, key: str) -> TypedColumn:
        if key not in self._columns:
            column = TypedColumn(key, self._keys.type_of(key), untyped=self._source.untyped)
            for _ in self._names:
                column.append(None)
            self._columns[key] = column
        return self._columns[key]

    def _append(self, number: int, name: str, fitted: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        for key, column in self._columns.items():
            column.append(fitted.get(key))
        for key in ("content", "split"):
            if isinstance(value := values.get(key), str) and (key != "split" or _is_given(values)):
                self._aside.setdefault(key, [None] * len(self._names)).append(value)
            elif key in self._aside:
                self._aside[key].append(None)
        self._names.append(name)
        self._lines.append(number)

    def _conflict(self, names: pa.Array, code: int, rows: list[int], columns: Mapping[str, pa.Array]) -> ConflictRecord:
        differing = [key for key, array in columns.items() if len(set(array.take(rows).drop_null().to_pylist())) > 1]
        where = [self._source.where(self._lines[row]) for row in rows]
        return ConflictRecord(clip_name=names[rows[0]].as_py().rpartition(SCOPE)[2], where=where, columns=differing)


class _Kept:
    """Which rows stay where several speak of one clip."""

    def __init__(self, names: pa.Array, columns: Mapping[str, pa.Array], on_conflict: str) -> None:
        import numpy as np

        self._columns = columns
        self._codes = names.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        counts = np.bincount(self._codes) if len(names) else np.zeros(0, dtype=np.int64)
        self._base = np.full(len(counts), -1, dtype=np.int64)
        self._base[self._codes[::-1]] = np.arange(len(names))[::-1]
        self._several = np.flatnonzero(counts[self._codes] > 1) if len(names) else self._base
        self._groups = self._grouped()
        conflict = np.zeros(len(counts), dtype=bool)
        for key in columns:
            distinct = self._groups[f"{key}_count_distinct"].to_numpy()
            conflict[self._groups["code"].to_numpy()[distinct > 1]] = True
        self._conflict = conflict
        self.conflicts = int(conflict.sum())
        self.repeated = int(counts[~conflict].sum() - (~conflict).sum())
        if on_conflict == "last":
            last = self._base.copy()
            last[self._codes] = np.arange(len(names))
            self._base = np.where(conflict, last, self._base)
        self._stays = ~conflict if on_conflict == "skip" else np.ones(len(counts), dtype=bool)

    def listed(self) -> list[tuple[int, list[int]]]:
        """Code and row numbers of the first clips with conflicting rows."""
        import numpy as np

        rows: dict[int, list[int]] = {int(code): [] for code in np.flatnonzero(self._conflict)[:MOST_LISTED]}
        for row in self._several:
            if (code := int(self._codes[row])) in rows:
                rows[code].append(int(row))
        return list(rows.items())

    def of(self, array: pa.Array) -> pa.Array:
        """The values of the rows that stay, one per clip."""
        return array.take(self._base[self._stays])

    def filled(self, key: str) -> pa.Array:
        """As ``of``, and where rows of one clip agree, with what any of them says."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = self._columns[key].take(self._base)
        codes = self._groups["code"].to_numpy()
        agree = ~self._conflict[codes]
        if agree.any():
            first = self._groups[f"{key}_first"].combine_chunks().filter(pa.array(agree)).cast(values.type)
            mask = pa.array(_flags(len(values), codes[agree]))
            order = pa.array(codes[agree].argsort())
            values = pc.replace_with_mask(values, mask, first.take(order))
        return values.filter(pa.array(self._stays))

    def _grouped(self) -> pa.Table:
        import pyarrow as pa

        rows = {key: array.take(self._several) for key, array in self._columns.items()}
        table = pa.table({"code": self._codes[self._several], **rows})
        wanted = [(key, how) for key in self._columns for how in ("count_distinct", "first")]
        return table.group_by("code", use_threads=False).aggregate(wanted)


def _is_given(values: Mapping[str, Any]) -> bool:
    """Whether a row has a split that the corpus prescribes; any other was derived, by us or by somebody."""
    return values["split"] in _SPLITS and values.get("split_policy") == GIVEN_POLICY


def _flags(length: int, at: Any) -> Any:
    import numpy as np

    flags = np.zeros(length, dtype=bool)
    flags[at] = True
    return flags


def _disagreement(conflict: ConflictRecord, count: int) -> str:
    others = f" ({count} clips are contradicted like this)" if count > 1 else ""
    return (
        f"{conflict.where[0]} and {conflict.where[1]} disagree about {conflict.clip_name} in "
        f"{', '.join(conflict.columns)}{others}; correct one of them, or choose with --on-conflict skip, first or last"
    )
