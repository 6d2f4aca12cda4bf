"""Some rows of a table and the metadata, joined column by column: which cells change, and what they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from corekit.driver.enrich.metadata import EXTENSION, FOLDERS, SCOPE, Metadata
from corekit.driver.enrich.splits import Splits
from corekit.driver.enrich.typed import value_type

if TYPE_CHECKING:
    import pyarrow as pa


class Filled(Struct, frozen=True, kw_only=True):
    """Some rows joined. All arrays have one value per row."""

    at: Any
    """Row of the metadata, null where the clip has none."""
    columns: Mapping[str, Any]
    """Column to its new values."""
    changed: Mapping[str, Any]
    """Column to whether each cell is given another value."""
    contents: Any
    """What the splits follow from; None where nothing says."""
    derived: Any
    """Whether the row is given a split; None where no splits are derived."""
    given: Any
    """Whether its split is one that the corpus prescribes; None likewise."""


class Filler:
    """Joins any rows of one table to one set of metadata; equal rows give equal cells, in whatever portions they come."""

    def __init__(
        self, schema: pa.Schema, metadata: Metadata, splits: Splits | None, *, named_by: str, stem: bool, overwrite: bool,
        by_corpus: bool,
    ) -> None:  # fmt: skip
        self._schema = schema
        self._metadata = metadata
        self._splits = splits
        self._named_by = named_by
        self._stem = stem
        self._overwrite = overwrite
        self._by_corpus = by_corpus

    @property
    def reads(self) -> list[str]:
        """Columns of the table that decide about every cell, in the table's order."""
        wanted = {self._named_by, *self._metadata.columns, *(self._splits.reads if self._splits else ())}
        if self._by_corpus:
            wanted.add("corpus")
        return [name for name in dict.fromkeys(self._schema.names) if name in wanted]

    def fill(self, batch: pa.Table) -> Filled:
        """Join some rows, which have at least the columns that ``reads`` names."""
        at = self.match(batch)
        columns: dict[str, pa.Array] = {}
        changed: dict[str, pa.Array] = {}
        for key, values in self._metadata.columns.items():
            columns[key], changed[key] = filled(
                cells(batch, key, values.type), values.take(at), overwrite=self._overwrite
            )
        contents = derived = given = None
        if self._splits is not None:
            split = self._splits.derive(batch, columns, at)
            contents, derived, given = split.contents, split.derived, split.given
            columns |= split.columns
            changed |= split.changed
        return Filled(at=at, columns=columns, changed=changed, contents=contents, derived=derived, given=given)

    def match(self, batch: pa.Table) -> pa.Array:
        """Row of the metadata for each row, null where there is none."""
        import pyarrow.compute as pc

        encoded = cells(batch, self._named_by, None).dictionary_encode()
        names = pc.replace_substring_regex(encoded.dictionary, FOLDERS, "")
        if self._stem:
            names = pc.replace_substring_regex(names, EXTENSION, r"\1")
        if self._by_corpus:
            names = pc.binary_join_element_wise(cells(batch, "corpus", None), names.take(encoded.indices), SCOPE)
            return pc.index_in(names, self._metadata.names)
        return pc.index_in(names, self._metadata.names).take(encoded.indices)


def cells(batch: pa.Table, name: str, type_: pa.DataType | None) -> pa.Array:
    """A column as one plain array; nulls of ``type_`` where there is no such column; ``type_`` None is text."""
    import pyarrow as pa

    if name not in batch.column_names:
        return pa.nulls(batch.num_rows, type_ or pa.string())
    array = batch.column(name).combine_chunks()
    wanted = pa.string() if type_ is None else type_
    return array if array.type == wanted else array.cast(wanted)


def filled(before: pa.Array, new: pa.Array, *, overwrite: bool) -> tuple[pa.Array, pa.Array]:
    """Cells with new values, and which of them changed: a missing one is filled, another replaced if asked; null never."""
    import pyarrow.compute as pc

    change = pc.is_null(before, nan_is_null=True)
    if overwrite:
        change = pc.or_(change, pc.fill_null(pc.not_equal(before, new), True))
    change = pc.and_(change, pc.is_valid(new))
    return pc.if_else(change, new, before), change


def stored(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """Values as a column of the table holds them, where that is a dictionary."""
    import pyarrow as pa

    if not pa.types.is_dictionary(type_):
        return values
    encoded = values.cast(value_type(type_)).dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        encoded.indices.cast(type_.index_type), encoded.dictionary, ordered=type_.ordered
    )


def replaced(batch: pa.Table, schema: pa.Schema, new: Filled, columns: Sequence[str]) -> pa.Table:
    """The rows with ``columns`` given their new values, as ``schema`` has them; every other column is passed on as it is."""
    import pyarrow as pa

    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(stored(new.columns[field.name], field.type))
        else:
            arrays.append(batch.column(field.name))
    return pa.Table.from_arrays(arrays, schema=schema)
