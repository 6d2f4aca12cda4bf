"""The first pass over clip inputs: labels are checked, and what decides about duplicates and splits is gathered."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from corekit.driver.merge.labels import LABEL_INPUTS, Labels, read_labels
from corekit.driver.merge.source import Source
from corekit.driver.merge.unify import with_corpus, without_empty
from corekit.errors import CorpusError
from corekit.model import Column

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_HASH = "src_sha256"
_ID = r"^(?:.*[\\/])?(?:orig_)?(\d{6,})(?:_.*)?\.[^.]*$|^(?:.*[\\/])?(.*?)(?:\.[^.]*)?$"
"""The number that KoNViD's and YFCC's names share (``orig_<id>_540_5s.mp4``, ``<id>.mp4``), else the name without suffix."""


class Scan(Struct, frozen=True, kw_only=True):
    """One element a row, over all inputs in order."""

    starts: npt.NDArray[np.int64]
    """First row of each input, and the number of all rows."""
    codes: dict[str, npt.NDArray[np.int64]]
    """Key column to a number for each value; -1 where a row has none."""
    encode: npt.NDArray[np.bool_]
    spread: npt.NDArray[np.float64]
    """Standard deviation of the label on 0..100; infinite where unknown."""
    splits: list[tuple[int, pa.Table]]
    """Input, and distinct rows (corpus, content, split) of one of its batches."""
    alike: list[dict[str, Any]]
    """Clip ids that occur in more than one corpus: ``clip_id``, ``corpora``."""

    def unique_sources(self, dropped: npt.NDArray[np.int64]) -> int:
        """Number of different contents (src_sha256) among the rows that stay."""
        import numpy as np

        codes = np.delete(self.codes[_HASH], dropped)
        return len(np.unique(codes[codes >= 0]))


def scan(sources: Sequence[Source], columns: Sequence[Column], key: Sequence[str], *, need_scale: bool) -> Scan:
    """Read the columns that decide.

    Raises
    ------
    CorpusError
        A label is outside its scale or has none: names the row.
    """
    import numpy as np

    gathered = _Gathered({column.name: column for column in columns}, key)
    wanted = [*key, _HASH, "encoder", "content", "split", "clip_name", "src", *LABEL_INPUTS]
    for index, source in enumerate(sources):
        before, unread = 0, _Unread(source)
        for batch in source.batches(wanted):
            batch = with_corpus(batch, source)
            labels = read_labels(batch, need_scale=need_scale)
            for row, problem in labels.problems[:1]:
                raise CorpusError(f"{source.place(before + row)}: {problem}")
            unread.see(labels)
            gathered.add(index, batch, labels)
            before += batch.num_rows
        unread.check()
    return Scan(
        starts=np.concatenate([[0], np.cumsum([source.rows for source in sources])]),
        codes=gathered.codes(),
        encode=np.concatenate(gathered.encode),
        spread=np.concatenate(gathered.spread),
        splits=gathered.splits,
        alike=gathered.alike(),
    )


class _Unread:
    """MOS of older files of a corpus on 0..100, where the file may hold the MOS-head axis 1..5 instead."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows = 0
        self._largest = 0.0

    def see(self, labels: Labels) -> None:
        if labels.unread.any():
            self._rows += int(labels.unread.sum())
            self._largest = max(self._largest, float(labels.native[labels.unread].max()))

    def check(self) -> None:
        if self._rows > 1 and self._largest <= 5:
            raise CorpusError(
                f"{self._source.given.shown}: mos of all {self._rows} rows lies below 5 and the corpus is rated 0..100, so "
                "that the axis is not known; give the rows mos_raw_0_100, or mos_scale_min and mos_scale_max"
            )


class _Gathered:
    """What batches leave behind."""

    def __init__(self, columns: dict[str, Column], key: Sequence[str]) -> None:
        self._key = list(dict.fromkeys([*key, _HASH]))
        self._columns = columns
        self._chunks: dict[str, list[Any]] = {name: [] for name in self._key}
        self._ids: list[Any] = []
        self.encode: list[Any] = []
        self.spread: list[Any] = []
        self.splits: list[tuple[int, Any]] = []

    def add(self, index: int, batch: pa.Table, labels: Labels) -> None:
        import numpy as np

        for name in self._key:
            self._chunks[name].append(self._part(batch, name))
        encoder = self._filled(batch, "encoder")
        self.encode.append(np.asarray(encoder.to_numpy(zero_copy_only=False) != ""))
        self.spread.append(np.where(labels.known_spread, labels.std_dev * labels.factor, np.inf))
        if {"content", "split"} <= set(batch.column_names):
            self.splits.append((index, _distinct(_select(batch, ("corpus", "content", "split")))))
        self._ids.append(_distinct(_clip_ids(batch)))

    def codes(self) -> dict[str, npt.NDArray[np.int64]]:
        import numpy as np
        import pyarrow as pa

        found = {}
        for name, chunks in self._chunks.items():
            encoded = pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
            found[name] = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)
        return found

    def alike(self) -> list[dict[str, Any]]:
        import pyarrow as pa

        pairs = _distinct(pa.concat_tables(self._ids))
        counted = pairs.group_by("clip_id", use_threads=False).aggregate([("corpus", "count"), ("corpus", "list")])
        return [
            {"clip_id": row["clip_id"], "corpora": sorted(row["corpus_list"])}
            for row in counted.filter(pa.compute.greater(counted["corpus_count"], 1)).to_pylist()
        ]

    def _part(self, batch: pa.Table, name: str) -> pa.DictionaryArray:
        column, known = self._filled(batch, name), self._columns[name]
        if known.type == "str" and known.default != "":  # else it is a value: an encode without a preset
            column = without_empty(column)
        return (_hashes(column) if name == _HASH else column).dictionary_encode()

    def _filled(self, batch: pa.Table, name: str) -> pa.Array:
        """A column without chunks; what is unavailable is the contract's default, so that it equals the written default."""
        import pyarrow as pa

        column = self._columns[name]
        type_ = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[column.type]
        if name in batch.column_names:
            array = batch.column(name).combine_chunks().cast(type_)
        else:
            array = pa.nulls(batch.num_rows, type=type_)
        default = column.default
        return array if default is None or default != default else array.fill_null(default)


def _hashes(array: pa.Array) -> pa.Array:
    """SHA-256 as 32 bytes instead of 64 digits; another text is hashed, so that it takes no more."""
    import pyarrow as pa

    digests = [None if text is None else _digest(text) for text in array.to_pylist()]
    return pa.array(digests, type=pa.binary(32))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    return digest if len(digest) == 32 else hashlib.sha256(text.encode()).digest()


def _clip_ids(batch: pa.Table) -> pa.Table:
    """Corpus and clip id of every row that has both."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = batch.column_names
    name = next((name for name in ("clip_name", "src") if name in names), None)
    if name is None or "corpus" not in names:
        return pa.table({"corpus": pa.array([], pa.string()), "clip_id": pa.array([], pa.string())})
    ids = pc.replace_substring_regex(batch.column(name), _ID, r"\1\2")
    table = pa.table({"corpus": batch.column("corpus"), "clip_id": without_empty(ids)})
    return table.filter(pc.and_(table["corpus"].is_valid(), table["clip_id"].is_valid()))


def _select(batch: pa.Table, names: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    empty = pa.nulls(batch.num_rows, type=pa.string())
    return pa.table({name: batch.column(name) if name in batch.column_names else empty for name in names})


def _distinct(table: pa.Table) -> pa.Table:
    return table.group_by(table.column_names, use_threads=False).aggregate([])
