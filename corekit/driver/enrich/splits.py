"""The split columns: derived from the content where they are missing, replaced only where metadata may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from corekit.driver.enrich.metadata import SCOPE, Metadata
from corekit.split import GIVEN_POLICY, POLICY, split_of

if TYPE_CHECKING:
    import pyarrow as pa

CONTENT, SPLIT, SPLIT_POLICY = "content", "split", "split_policy"
FRAME_INDEX = "frame_index"
"""A table that has this column has a row per frame."""


class Derived(Struct, frozen=True, kw_only=True):
    """Splits of some rows. All arrays have one value per row."""

    contents: Any
    """Each with its corpus before it where the table holds several: two corpora may give two scenes one name."""
    derived: Any
    given: Any
    """Whether the row's split is one that the corpus prescribes."""
    columns: Mapping[str, Any]
    changed: Mapping[str, Any]


class Splits:
    """Derives the splits of one corpus's rows, or of the rows of several."""

    def __init__(
        self, schema: pa.Schema, metadata: Metadata, seeds: Mapping[str, str], *, overwrite: bool, by_corpus: bool
    ) -> None:
        self._schema = schema
        self._metadata = metadata
        self.seeds = seeds
        self._frames = FRAME_INDEX in schema.names
        self._overwrite = overwrite
        self._by_corpus = by_corpus

    @property
    def contents_known(self) -> bool:
        """Whether anything says to which content a row belongs."""
        return any(self._content_columns(corpus) for corpus in self.seeds) or CONTENT in self._metadata.aside

    @property
    def columns(self) -> list[str]:
        """The split columns, in the order in which they are appended."""
        own = [f"{corpus}_{part}" for corpus in self.seeds for part in ("split_key", SPLIT_POLICY)]
        return [SPLIT, *([SPLIT_POLICY] if SPLIT_POLICY in self._schema.names else []), *own]

    @property
    def reads(self) -> list[str]:
        """Columns of the table that decide about the splits."""
        contents = [name for corpus in self.seeds for name in self._content_columns(corpus)]
        return [*self.columns, *contents, *(["corpus"] if self._by_corpus else [])]

    def derive(self, batch: pa.Table, filled: Mapping[str, pa.Array], at: pa.Array) -> Derived:
        """The split columns of some rows; ``filled`` are their metadata columns, ``at`` their rows of the metadata."""
        import pyarrow as pa
        import pyarrow.compute as pc

        given = self._aside("split", at)
        before = {name: _text(batch, name) for name in self.columns}
        open_ = pc.is_null(before[SPLIT])
        prescribed = pc.equal(before.get(SPLIT_POLICY, pa.nulls(len(at), pa.string())), GIVEN_POLICY)
        prescribed = pc.and_not(pc.fill_null(prescribed, False), open_)
        if self._overwrite:
            open_ = pc.invert(prescribed)
        columns = dict(before)
        contents = pa.nulls(len(at), pa.string())
        derived = pa.repeat(False, len(at))
        for corpus, seed in self.seeds.items():
            theirs = pc.equal(_text(batch, "corpus"), corpus) if self._by_corpus else pa.repeat(True, len(at))
            theirs = pc.fill_null(theirs, False)
            content = pc.if_else(theirs, self._content(corpus, batch, filled, at), None)
            split = pc.coalesce(given, _hashed(content, seed))
            wanted = pc.and_(pc.and_(open_, theirs), pc.and_(pc.is_valid(split), pc.is_valid(content)))
            policy = pc.if_else(pc.is_valid(given), GIVEN_POLICY, POLICY)
            new = {
                SPLIT: split,
                SPLIT_POLICY: policy,
                f"{corpus}_split_key": pc.if_else(pc.is_valid(given), None, content),
                f"{corpus}_{SPLIT_POLICY}": policy,
            }
            columns |= {name: pc.if_else(wanted, new[name], columns[name]) for name in new if name in columns}
            own = pc.binary_join_element_wise(corpus, content, SCOPE) if self._by_corpus else content
            contents = pc.coalesce(contents, own)
            derived = pc.or_(derived, wanted)
            prescribed = pc.or_(prescribed, pc.and_(wanted, pc.is_valid(given)))
        changed = {name: _differs(before[name], columns[name]) for name in columns}
        return Derived(contents=contents, derived=derived, given=prescribed, columns=columns, changed=changed)

    def _content_columns(self, corpus: str) -> list[str]:
        """Columns that say to which content a row belongs, the surest first."""
        names = [CONTENT, f"{corpus}_content_name", *(["source"] if self._frames else [])]
        return [name for name in names if name in self._schema.names or name in self._metadata.columns]

    def _content(self, corpus: str, batch: pa.Table, filled: Mapping[str, pa.Array], at: pa.Array) -> pa.Array:
        import pyarrow.compute as pc

        said = [filled[n] if n in filled else _text(batch, n) for n in self._content_columns(corpus)]
        said.append(self._aside(CONTENT, at))
        return pc.coalesce(*(array.cast("string") for array in said))

    def _aside(self, key: str, at: pa.Array) -> pa.Array:
        import pyarrow as pa

        known = self._metadata.aside.get(key)
        return pa.nulls(len(at), pa.string()) if known is None else known.take(at)


class Torn(Struct, frozen=True, kw_only=True):
    """A content that would stand in two splits."""

    content: str
    splits: tuple[str, str]
    given: bool
    """Whether the corpus prescribes a split of it, so that no other seed puts it together."""


class SplitCheck:
    """Finds contents that would stand in two splits, over all rows of a table."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._derived: set[str] = set()
        self._given: set[str] = set()
        self._torn: dict[str, tuple[str, str]] = {}

    def see(self, contents: pa.Array, splits: pa.Array, derived: pa.Array, given: pa.Array) -> None:
        """Take some rows."""
        import pyarrow as pa

        table = pa.table({"content": contents, "split": splits, "derived": derived, "given": given})
        for content, split, new, prescribed in zip(*_distinct(table, table.column_names), strict=True):
            if content is None or split is None:
                continue
            if new:
                self._derived.add(content)
            if prescribed:
                self._given.add(content)
            other = self._seen.setdefault(content, split)
            if other != split:
                self._torn[content] = (other, split)

    def torn(self) -> Torn | None:
        """A content that is given a split now and stands in another one too."""
        name = next((name for name in self._torn if name in self._derived), None)
        return None if name is None else Torn(content=name, splits=self._torn[name], given=name in self._given)


def _distinct(table: pa.Table, names: Sequence[str]) -> list[list[Any]]:
    found = table.group_by(list(names)).aggregate([])
    return [found.column(name).to_pylist() for name in names]


def _hashed(contents: pa.Array, seed: str) -> pa.Array:
    import pyarrow as pa

    encoded = contents.dictionary_encode()
    splits = pa.array([split_of(content, seed) for content in encoded.dictionary.to_pylist()], pa.string())
    return splits.take(encoded.indices)


def _text(batch: pa.Table, name: str) -> pa.Array:
    import pyarrow as pa

    if name not in batch.column_names:
        return pa.nulls(batch.num_rows, pa.string())
    return batch.column(name).combine_chunks().cast(pa.string())


def _differs(before: pa.Array, after: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.or_(pc.xor(pc.is_null(before), pc.is_null(after)), pc.fill_null(pc.not_equal(before, after), False))
