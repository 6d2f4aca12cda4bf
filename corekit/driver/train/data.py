"""From tables to what a model learns from: rows, features, labels, groups and what describes a clip, each checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corekit.driver.train.features import Columns, choose_features, forbidden_columns
from corekit.driver.train.labels import find_label, label_range, told_kind
from corekit.driver.train.reading import read_file
from corekit.errors import CorpusError, UsageError
from corekit.model import CorpusInfo

if TYPE_CHECKING:
    import pyarrow as pa

Values = npt.NDArray[np.float64]

_GROUPS = ("content", "chug_content_name", "content_name", "source")
_CLIPS = ("clip_name", "dis_basename", "src", "flickr_id", "filename", "video_name", "key")
_RUNGS = ("rung", "chug_bitladder", "bitladder")
_SPLITS = ("split", "chug_split")
_METADATA = ("bitrate_kbps", "framerate", "fps", "duration_s", "n_frames", "nb_frames", "bit_depth", "is_hdr")
_BIT_RATE = re.compile(r"(\d+(?:\.\d+)?)([kM])")
_KBPS = {"k": 1.0, "M": 1000.0}
_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a table is wanted, after the defaults are settled: a second table is read by the same."""

    label: str
    label_kind: str
    columns: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TrainData:
    """Clips as arrays, in the order of the tables."""

    selection: Selection
    x: Values
    """Shape ``(n, n_features)``; NaN only where they are to be imputed."""
    y: Values
    """Shape ``(n,)``, finite."""
    clips: list[str]
    groups: npt.NDArray[np.intp]
    """Number of each row's group, an index into ``group_names``."""
    group_names: list[str]
    group_column: str
    corpora: list[str]
    rungs: list[str]
    resolutions: list[str]
    splits: list[str | None]
    hdr: list[str]
    """Transfer class of each clip, empty where the table has none."""
    metadata: Values
    """Shape ``(n, n_metadata)``: what is known of a clip without looking at a pixel."""
    metadata_names: tuple[str, ...]
    label_range: tuple[float, float] | None
    """Ends of the label's axis, where the rows state them."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        return len(self.y)

    def take(self, rows: npt.NDArray[np.intp]) -> TrainData:
        """Some of the rows, in the order given."""
        numbers = self.groups[rows]
        kept, renumbered = np.unique(numbers, return_inverse=True)
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            clips=_kept(self.clips, rows),
            groups=renumbered.astype(np.intp),
            group_names=[self.group_names[number] for number in kept],
            corpora=_kept(self.corpora, rows),
            rungs=_kept(self.rungs, rows),
            resolutions=_kept(self.resolutions, rows),
            splits=_kept(self.splits, rows),
            hdr=_kept(self.hdr, rows),
            metadata=self.metadata[rows],
        )


def read_tables(paths: Sequence[Path]) -> pa.Table:
    """All rows of Parquet, CSV and JSONL tables, one after another; a column that one lacks is null there.

    Raises
    ------
    UsageError
        A file is missing, unreadable, or its suffix says none of the formats; or columns of one name differ in type, or of one file have
        one name.
    CorpusError
        There is no row.
    """
    import pyarrow as pa

    tables = [read_file(path) for path in paths]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        _refuse_text_beside_numbers([TableView(table, str(path)) for table, path in zip(tables, paths, strict=True)])
        raise UsageError(f"the tables do not go together ({error}); put them together with `corekit merge`") from error
    if table.num_rows == 0:
        raise CorpusError(f"{', '.join(map(str, paths))}: there is no row to learn from")
    return with_derived(table)


class TableView:
    """Columns of a table by role, converted and checked."""

    def __init__(self, table: pa.Table, where: str) -> None:
        self._table = table
        self.where = where
        self.n = table.num_rows
        self.names: list[str] = list(table.column_names)

    def first(self, names: Sequence[str]) -> str | None:
        """The first of some columns that the table has with a value in it."""
        return next((name for name in names if name in self.names and self.has_value(name)), None)

    def has_value(self, name: str) -> bool:
        column = self._table.column(name)
        return int(column.null_count) < len(column) and (self._is_numeric_type(name) or any(self.text(name)))

    def is_numeric(self, name: str) -> bool:
        """Whether the column holds numbers, or text that is a bit rate in every row, such as ``0.5M``."""
        return self._is_numeric_type(name) or all(
            value is None or _BIT_RATE.fullmatch(value) for value in self.text(name)
        )

    def text_among(self, name: str) -> tuple[str, bool]:
        """What a column that is not numeric holds instead of numbers, and whether some of its cells are numbers all the same."""
        values = self.text(name)
        is_number = [value is None or _is_number(value) for value in values]
        row = is_number.index(False) if False in is_number else next(r for r, v in enumerate(values) if v is not None)
        spoilt = any(known for known, value in zip(is_number, values, strict=True) if value is not None)
        return f"it holds text, first {str(values[row])[:_SHOWN]!r} for {self.clips()[row]}", spoilt

    def numbers(self, name: str) -> Values:
        """A numeric column as float64, NaN where it is null; bit rates in kbit/s.

        Raises
        ------
        CorpusError
            The column is not numeric: names the first cell that is no number.
        """
        import pyarrow as pa
        import pyarrow.types as types

        if not self.is_numeric(name):
            raise CorpusError(
                f"{self.where}: the column {name} is to be numeric, but {self.text_among(name)[0]}; correct the table"
            )
        column = self._table.column(name).combine_chunks()
        if not self._is_numeric_type(name):
            return np.array([_kbps(value) for value in self.text(name)], np.float64)
        if types.is_boolean(column.type):
            column = column.cast(pa.int8())
        # Integers beyond 2^53 lose digits that no feature needs.
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)

    def text(self, name: str) -> list[str | None]:
        """Any column as text, None where it is null or blank."""
        found = [None if value is None else str(value) for value in self._table.column(name).to_pylist()]
        return [text if text and text.strip() else None for text in found]

    def _is_numeric_type(self, name: str) -> bool:
        import pyarrow.types as types

        kind = self._table.schema.field(name).type
        return _is_number_type(kind) or bool(types.is_boolean(kind))

    def clips(self) -> list[str]:
        """What each row is called: its clip, or its number."""
        return self._clips

    @cached_property
    def _clips(self) -> list[str]:
        return [name or f"row {row}" for row, name in enumerate(_texts(self, _CLIPS, ""))]

    def require(self, name: str, option: str) -> str:
        if name not in self.names:
            raise UsageError(
                f"{option} {name}: {self.where} has no such column; it has {', '.join(self.names[:12])}, ..."
            )
        return name


def _refuse_text_beside_numbers(views: Sequence[TableView]) -> None:
    """Refuse a column that is numeric in one table and text in another, by the cell that makes it so."""
    for name in dict.fromkeys(name for view in views for name in view.names):
        having = [view for view in views if name in view.names and view.has_value(name)]
        numeric = [view for view in having if view.is_numeric(name)]
        for view in having:
            if numeric and view not in numeric:
                raise UsageError(
                    f"{view.where}: the column {name} is numeric in {numeric[0].where}, but {view.text_among(name)[0]} here; correct the table"
                )


def load(
    view: TableView,
    *,
    label: str | None,
    target: str | None,
    features: str,
    group: str | None,
    rung: str | None,
    sets: Mapping[str, Sequence[str]],
    corpus: CorpusInfo | None,
    impute: bool,
    drop_missing: bool,
    selection: Selection | None = None,
) -> TrainData:
    """The rows that can be learnt from; ``selection`` reads a further table as the first one was read.

    Raises
    ------
    UsageError
        A column is not there or is not a number, kinds of labels are mixed, or rows are of another corpus.
    CorpusError
        Labels or features have no value in some rows: says which and in how many.
    """
    _refuse_other_corpora(view, corpus)
    warnings: list[str] = []
    if selection is None:
        selection = _choose(view, label, target, features, sets)
    for column in (selection.label, *selection.columns):
        view.require(column, "the model's column")
    y = view.numbers(selection.label)
    if target is None:
        kind, warnings = told_kind(view, np.isfinite(y), selection.label_kind)
        selection = replace(selection, label_kind=kind)
    x = np.column_stack([view.numbers(column) for column in selection.columns])
    clips = view.clips()
    _refuse_huge(x, selection, clips, view.where)
    keep, notes = _usable(x, y, selection, clips, view.where, impute=impute, drop_missing=drop_missing)
    group_column = view.require(group, "--group") if group else view.first(_GROUPS)
    kept_names = _group_names(view, group_column, clips, keep)
    unique = list(dict.fromkeys(kept_names))
    number = {name: index for index, name in enumerate(unique)}
    metadata_names, metadata = _metadata(view)
    axis, strange = label_range(view, selection.label, y, keep)
    return TrainData(
        selection=selection,
        x=x[keep],
        y=y[keep],
        clips=[clips[row] for row in keep],
        groups=np.array([number[name] for name in kept_names], np.intp),
        group_names=unique,
        group_column=group_column or "clip",
        corpora=_kept(_texts(view, ("corpus",), ""), keep),
        rungs=_kept(_texts(view, (view.require(rung, "--rung"),) if rung else _RUNGS, ""), keep),
        resolutions=_kept(_resolutions(view), keep),
        splits=list(_kept(_splits(view), keep)),
        hdr=_kept(_texts(view, ("color_transfer_class",), ""), keep),
        metadata=metadata[keep],
        metadata_names=metadata_names,
        label_range=axis,
        notes=notes,
        warnings=[*warnings, *strange],
    )


def _choose(
    view: TableView, label: str | None, target: str | None, features: str, sets: Mapping[str, Sequence[str]]
) -> Selection:
    """Label and features by the options of a training."""
    name, kind = find_label(view, label, target)
    empty = {column: "it has no value in any row" for column in view.names if not view.has_value(column)}
    numeric = [column for column in view.names if column not in empty and view.is_numeric(column)]
    words = {c: view.text_among(c) for c in view.names if c not in empty and c not in numeric}
    names = {*_GROUPS, *_CLIPS, *_RUNGS, *_SPLITS}  # text by their nature, even where they are digits
    spoilt = {c: reason for c, (reason, has_numbers) in words.items() if has_numbers and c not in names}
    text = {c: reason for c, (reason, _) in words.items() if c not in spoilt}
    columns = Columns(numeric, {**empty, **spoilt}, text)
    chosen = choose_features(features, columns, sets=sets, forbidden=forbidden_columns(name, target))
    return Selection(label=name, label_kind=kind, columns=chosen.columns, left_out=chosen.left_out)


def _refuse_other_corpora(view: TableView, corpus: CorpusInfo | None) -> None:
    if corpus is None or "corpus" not in view.names:
        return
    others = sorted({str(name) for name in view.text("corpus") if name != corpus.name})
    if others:
        raise UsageError(
            f"--corpus {corpus.name}: {view.where} holds rows of {', '.join(others)}; give tables of {corpus.name} alone, or leave "
            "--corpus out and give the model an id of its own"
        )


def _refuse_huge(x: Values, selection: Selection, clips: Sequence[str], where: str) -> None:
    """Refuse what the exported model, whose input is float32, would take for infinite."""
    huge = np.isfinite(x) & (np.abs(x) > np.finfo(np.float32).max)
    if huge.any():
        row, column = np.argwhere(huge)[0]
        raise CorpusError(
            f"{where}: the feature {selection.columns[column]} is {x[row, column]:g} for {clips[row]}, more than single precision holds; "
            "correct it, or leave it out of --features"
        )


def _usable(
    x: Values, y: Values, selection: Selection, clips: Sequence[str], where: str, *, impute: bool, drop_missing: bool
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Rows with a label and features; what is missing is an error unless it was said what to do."""
    notes: list[str] = []
    labelled = np.isfinite(y)
    finite = np.isfinite(x)
    if not labelled.all() and not drop_missing:
        raise CorpusError(
            f"{where}: the label {selection.label} has no value in {_share(~labelled)} (the first: "
            f"{clips[int(np.argmin(labelled))]}); complete them, or leave such rows out with --drop-missing"
        )
    for column in np.flatnonzero(~finite[labelled].all(axis=0)):
        name, gone = selection.columns[column], ~finite[:, column] & labelled
        if impute:
            notes.append(f"{name} has no value in {_share(gone)}: the median of the training rows stands there")
        elif not drop_missing:
            raise CorpusError(
                f"{where}: the feature {name} has no finite value in {_share(gone)} (the first: {clips[int(np.argmax(gone))]}); "
                "compute it, leave it out of --features, or say --impute median or --drop-missing"
            )
    usable = labelled if impute else labelled & finite.all(axis=1)
    x[~finite] = np.nan
    if not usable.all():
        notes.append(f"{_share(~usable)} were left out (--drop-missing), the first: {clips[int(np.argmin(usable))]}")
    if not usable.any():
        raise CorpusError(f"{where}: no row has a label and every feature; look at the columns that you chose")
    return np.flatnonzero(usable), notes


def _share(rows: npt.NDArray[np.bool_]) -> str:
    count = int(rows.sum())
    return f"{count} of {rows.size} rows ({100 * count / rows.size:.3g} %)"


def _group_names(view: TableView, column: str | None, clips: Sequence[str], keep: npt.NDArray[np.intp]) -> list[str]:
    """The group of every row that is kept."""
    if column is None:
        return _kept(clips, keep)
    names = view.text(column)
    for row in keep:
        if names[row] is None:
            raise CorpusError(
                f"{view.where}: the group column {column} has no value for {clips[row]}; complete it, or name another with --group"
            )
    return [str(names[row]) for row in keep]


def _texts(view: TableView, columns: Sequence[str], default: str) -> list[str]:
    column = view.first(columns)
    return [text or default for text in view.text(column)] if column else [default] * view.n


def _splits(view: TableView) -> list[Any]:
    column = view.first(_SPLITS)
    return list(view.text(column)) if column else [None] * view.n


def _resolutions(view: TableView) -> list[str]:
    if not {"width", "height"} <= set(view.names):
        return [""] * view.n
    pairs = zip(view.text("width"), view.text("height"), strict=True)
    return [f"{width}x{height}" if width and height else "" for width, height in pairs]


def _metadata(view: TableView) -> tuple[tuple[str, ...], Values]:
    """Numbers that are known without decoding: geometry, rate, duration, bit rate; constant or incomplete columns are left out."""
    columns: dict[str, Values] = {}
    if {"width", "height"} <= set(view.names) and view.is_numeric("width") and view.is_numeric("height"):
        columns["log2_pixels"] = np.log2(np.maximum(view.numbers("width") * view.numbers("height"), 1.0))
    for name in _METADATA:
        if name in view.names and view.is_numeric(name):
            columns[name] = view.numbers(name)
    told = {name: values for name, values in columns.items() if np.isfinite(values).all() and np.ptp(values) > 0}
    return tuple(told), np.column_stack(list(told.values())) if told else np.empty((view.n, 0))


def with_derived(table: pa.Table) -> pa.Table:
    """The table with ``is_portrait``, which follows from width and height."""
    import pyarrow.compute as pc

    names = set(table.column_names)
    if not {"width", "height"} <= names or "is_portrait" in names:
        return table
    if not all(_is_number_type(table.schema.field(name).type) for name in ("width", "height")):
        return table
    return table.append_column("is_portrait", pc.greater(table.column("height"), table.column("width")))


def _is_number_type(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return _BIT_RATE.fullmatch(text) is not None
    return True


def _kbps(text: str | None) -> float:
    match = _BIT_RATE.fullmatch(text) if text else None
    return float(match[1]) * _KBPS[match[2]] if match else float("nan")


def _kept(values: Sequence[Any], keep: npt.NDArray[np.intp]) -> list[Any]:
    return [values[row] for row in keep]
