"""One schema for all inputs: the locked order, then the inputs' own columns, and every batch brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from corekit.driver.merge.labels import SCALED_COLUMNS, Labels
from corekit.driver.merge.options import Scale
from corekit.driver.merge.source import EXACT, WORDS, Source
from corekit.errors import CorpusError, UsageError
from corekit.model import Column
from corekit.schema import CORE_COLUMNS, FRAME_COLUMNS, SCHEMA_VERSION, V3_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

_SCALED = {column.name for column in SCALED_COLUMNS}


def unify(sources: Sequence[Source], scale: Scale) -> list[Column]:
    """The columns of the merged table.

    Clip rows have the 54 keys of the v3 row and, where an input has any of them, all other columns of core; then the
    inputs' own in the order of their first appearance; then those of ``--scale``.

    Raises
    ------
    UsageError
        Two inputs have different types in one column: names both.
    CorpusError
        One has whole numbers that the numbers of another would round: names both.
    """
    if sources[0].kind == "frame":
        core: tuple[Column, ...] = FRAME_COLUMNS
    else:
        v3 = {column.name for column in V3_COLUMNS}
        more = {column.name for column in CORE_COLUMNS} - v3
        core = CORE_COLUMNS if any(source.has & more for source in sources) else V3_COLUMNS
    columns = {column.name: replace(column, required=False) for column in core}
    owner: dict[str, Source] = {}
    for source in sources:
        for column in source.columns:
            if column.name not in columns or column.name in owner:
                _take(column, source, columns, owner)
    for name in owner:
        if columns[name].type == "float":
            _refuse_rounding(name, sources)
    if scale == "0-100":
        for column in SCALED_COLUMNS:
            columns.pop(column.name, None)
            columns[column.name] = column
    return list(columns.values())


def _take(column: Column, source: Source, columns: dict[str, Column], owner: dict[str, Source]) -> None:
    """Add an input's own column, or agree on the type of one that an earlier input has."""
    name = column.name
    if name not in columns:
        columns[name] = column
        owner[name] = source
        return
    first, known = owner[name], columns[name]
    if name in source.empty or known.type == column.type:
        return
    if name in first.empty or {known.type, column.type} == {"int", "float"}:
        columns[name] = replace(known, type=column.type if name in first.empty else "float")
        owner[name] = source if name in first.empty else first
        return
    raise UsageError(
        f"column {name} holds {WORDS[known.type]} in {first.given.shown} and {WORDS[column.type]} in "
        f"{source.given.shown}; convert one of them"
    )


def _refuse_rounding(name: str, sources: Sequence[Source]) -> None:
    """Refuse whole numbers that the float64 of another input's column does not tell from the next."""
    import pyarrow.compute as pc

    types = [next((column.type for column in source.columns if column.name == name), None) for source in sources]
    numbers = sources[types.index("float")]
    for source, type_ in zip(sources, types, strict=True):
        for batch in source.batches([name]) if type_ == "int" else ():
            found = pc.min_max(batch.column(name)).as_py()
            if max(abs(found["min"] or 0), abs(found["max"] or 0)) > EXACT:
                raise CorpusError(
                    f"column {name} has whole numbers beyond 2^53 in {source.given.shown}, which the numbers in "
                    f"{numbers.given.shown} would round; convert one of them"
                )


def conform(batch: pa.Table, source: Source, columns: Sequence[Column], schema: pa.Schema) -> pa.Table:
    """Bring a batch to the merged schema: absent columns null, corpus and codec filled in where rows name none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    batch = with_corpus(batch, source)
    arrays: list[Any] = []
    for field in schema:
        if field.name in batch.column_names:
            arrays.append(batch.column(field.name).cast(field.type))
        else:
            arrays.append(pa.chunked_array([pa.nulls(batch.num_rows, type=field.type)]))
        if field.name == "codec" and source.kind == "frame":
            arrays[-1] = pc.fill_null(arrays[-1], "unknown")
        elif field.name == "schema_version":
            arrays[-1] = pa.chunked_array([pa.array([SCHEMA_VERSION] * batch.num_rows, type=field.type)])
    return pa.Table.from_arrays(arrays, schema=schema)


def with_corpus(batch: pa.Table, source: Source) -> pa.Table:
    """A batch whose rows without a corpus have that of the input, where one is known, and null elsewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "corpus" in batch.column_names:
        named = without_empty(batch.column("corpus"))
        filled = pc.fill_null(named, source.corpus) if source.corpus else named
        return batch.set_column(batch.column_names.index("corpus"), "corpus", filled)
    if not source.corpus:
        return batch
    return batch.append_column("corpus", pa.array([source.corpus] * batch.num_rows, type=pa.string()))


def without_empty(text: Any) -> Any:
    """Text with null in the place of what is empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(text, ""), pa.scalar(None, type=text.type), text)


def with_labels(table: pa.Table, labels: Labels) -> pa.Table:
    """A conformed batch with its labels put in: native value, scale, kind and spread, and what ``--scale`` adds."""
    import numpy as np
    import pyarrow as pa

    known = ~np.isnan(labels.factor)
    values: dict[str, Any] = {
        "mos": labels.mos,
        "mos_native": np.where(known, labels.native, np.nan),
        "mos_scale_min": labels.low,
        "mos_scale_max": labels.high,
        "mos_std_dev": labels.std_dev,
        "mos_se": labels.std_error,
        "mos_0_100": labels.value,
        "mos_std_dev_0_100": labels.std_dev * labels.factor,
        "mos_se_0_100": labels.std_error * labels.factor,
    }
    arrays = []
    for field in table.schema:
        if field.name == "label_kind":
            arrays.append(pa.chunked_array([pa.array(labels.kind, type=field.type, from_pandas=True)]))
        elif field.name in values:
            numbers = np.asarray(values[field.name], dtype=np.float64)
            arrays.append(pa.chunked_array([pa.array(numbers, mask=~np.isfinite(numbers))]))
        else:
            arrays.append(table.column(field.name))
    return pa.Table.from_arrays(arrays, schema=table.schema)


def with_teacher(table: pa.Table, assumed: str) -> pa.Table:
    """A frame batch whose rows with vmaf but without a teacher model have the assumed one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not assumed:
        return table
    unnamed = pc.and_(table.column("teacher_model").is_null(), table.column("vmaf").is_valid())
    filled = pc.if_else(unnamed, pa.scalar(assumed), table.column("teacher_model"))
    at = table.schema.get_field_index("teacher_model")
    return table.set_column(at, table.schema.field(at), filled)


def refuse_unnamed_rows(table: pa.Table, source: Source, before: int) -> None:
    """Refuse a frame row without corpus, source or index; ``before`` rows of the input came earlier.

    Raises
    ------
    CorpusError
        Names the row and the remedy.
    """
    remedies = {
        "corpus": "write LABEL=PATH with the corpus as the label",
        "source": "correct the table",
        "frame_index": "correct the table",
    }
    for name, remedy in remedies.items():
        column = table.column(name)
        if column.null_count:
            row = before + column.is_null().to_pylist().index(True)
            raise CorpusError(f"{source.place(row)} names no {name}; {remedy}")
