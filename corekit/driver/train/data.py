"""From tables to what a model learns from: rows, features, labels, groups and what describes a clip, each checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corekit.driver.sidecar import Sidecar
from corekit.driver.train.features import choose_features, forbidden_columns
from corekit.errors import CorpusError, UsageError
from corekit.model import CorpusInfo
from corekit.schema import STATISTICS
from corekit.table import read_batches

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
        A file is missing, unreadable, or its suffix says none of the formats; or columns of one name differ in type.
    CorpusError
        There is no row.
    """
    import pyarrow as pa

    tables = [_read_table(path) for path in paths]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise UsageError(f"the tables do not go together ({error}); put them together with `corekit merge`") from error
    if table.num_rows == 0:
        raise CorpusError(f"{', '.join(map(str, paths))}: there is no row to learn from")
    return with_derived(table)


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        batches = list(read_batches(path))
        if not batches:
            raise CorpusError(f"{path}: the table has no row")
        return pa.concat_tables(batches)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; name a table (Parquet, CSV or JSONL)")
    if suffix == ".csv":
        try:
            return pyarrow.csv.read_csv(path)
        except pa.ArrowInvalid as error:
            raise UsageError(f"{path} is not CSV with a header ({error}); correct it") from error
    if suffix in (".jsonl", ".ndjson"):
        rows = []
        for line in Sidecar(path, "jsonl").lines():
            if line.values is None:
                raise UsageError(f"{path}:{line.number}: the line {line.problem}; correct it")
            rows.append({key: value for key, value in line.values.items() if not isinstance(value, (list, dict))})
        return pa.Table.from_pylist(rows)
    raise UsageError(f"{path}: give a table that ends in .parquet, .csv or .jsonl")


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
        return int(column.null_count) < len(column)

    def is_numeric(self, name: str) -> bool:
        """Whether the column holds numbers, or text that is a bit rate in every row, such as ``0.5M``."""
        import pyarrow.types as types

        kind = self._table.schema.field(name).type
        if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
            return True
        return all(value is None or _BIT_RATE.fullmatch(value) for value in self.text(name))

    def numbers(self, name: str) -> Values:
        """A numeric column as float64, NaN where it is null; bit rates in kbit/s."""
        import pyarrow as pa
        import pyarrow.types as types

        column = self._table.column(name).combine_chunks()
        if types.is_string(column.type) or types.is_large_string(column.type):
            return np.array([_kbps(value) for value in self.text(name)], np.float64)
        if types.is_boolean(column.type):
            column = column.cast(pa.int8())
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    def text(self, name: str) -> list[str | None]:
        """Any column as text, None where it is null."""
        return [None if value is None else str(value) for value in self._table.column(name).to_pylist()]

    def clips(self) -> list[str]:
        """What each row is called: its clip, or its number."""
        return [name or f"row {row}" for row, name in enumerate(_texts(self, _CLIPS, ""))]

    def require(self, name: str, option: str) -> str:
        if name not in self.names:
            raise UsageError(
                f"{option} {name}: {self.where} has no such column; it has {', '.join(self.names[:12])}, ..."
            )
        return name


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
    if selection is None:
        name, kind = _label(view, label, target)
        empty = {column: "it has no value in any row" for column in view.names if not view.has_value(column)}
        numeric = [column for column in view.names if column not in empty and view.is_numeric(column)]
        forbidden = forbidden_columns(name, target)
        chosen = choose_features(features, available=numeric, empty=empty, sets=sets, forbidden=forbidden)
        selection = Selection(label=name, label_kind=kind, columns=chosen.columns, left_out=chosen.left_out)
    for column in (selection.label, *selection.columns):
        view.require(column, "the model's column")
    y = view.numbers(selection.label)
    x = np.column_stack([view.numbers(column) for column in selection.columns])
    clips = view.clips()
    keep, notes = _usable(x, y, selection, clips, view.where, impute=impute, drop_missing=drop_missing)
    group_column = view.require(group, "--group") if group else view.first(_GROUPS)
    names = _group_names(view, group_column, clips)
    kept_names = [names[row] for row in keep]
    unique = list(dict.fromkeys(kept_names))
    number = {name: index for index, name in enumerate(unique)}
    metadata_names, metadata = _metadata(view)
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
        label_range=_label_range(view, selection.label),
        notes=notes,
    )


def _refuse_other_corpora(view: TableView, corpus: CorpusInfo | None) -> None:
    if corpus is None or "corpus" not in view.names:
        return
    others = sorted({str(name) for name in view.text("corpus") if name != corpus.name})
    if others:
        raise UsageError(
            f"--corpus {corpus.name}: {view.where} holds rows of {', '.join(others)}; give tables of {corpus.name} alone, or leave "
            "--corpus out and give the model an id of its own"
        )


def _label(view: TableView, label: str | None, target: str | None) -> tuple[str, str]:
    """Column and kind of what is learnt."""
    if target is not None:
        column = view.first((f"{target}_mean", "vmaf_score") if target == "vmaf" else (f"{target}_mean", target))
        if column is None or not view.is_numeric(column):
            raise UsageError(
                f"--target {target}: {view.where} has no values of it; compute it with `corekit run` first"
            )
        return column, "teacher"
    kinds = sorted({kind for kind in view.text("label_kind") if kind}) if "label_kind" in view.names else []
    if len(kinds) > 1:
        raise UsageError(
            f"{view.where} mixes labels of the kinds {' and '.join(kinds)}, which are not one scale; give tables of one kind"
        )
    kind = kinds[0] if kinds else "mos"
    if label is None and kind in ("teacher", "none"):
        raise UsageError(
            f"{view.where} holds no subjective labels (label_kind {kind}): a teacher's score is learnt under its own name, "
            "--target vmaf"
        )
    column = label or view.first(("mos", "mos_native") if kind == "mos" else ("mos_native",))
    if column is None:
        raise UsageError(f"{view.where} has no label column mos; name it with --label")
    view.require(column, "--label")
    if not view.is_numeric(column):
        raise UsageError(f"--label {column}: the column holds no numbers; name another")
    if any(column in (f"vmaf_{statistic}", "vmaf_score") for statistic in STATISTICS):
        raise UsageError(
            f"--label {column}: a teacher's score is no label; learn it under its own name with --target vmaf"
        )
    return column, kind


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


def _group_names(view: TableView, column: str | None, clips: Sequence[str]) -> list[str]:
    if column is None:
        return list(clips)
    names = view.text(column)
    if None in names:
        row = names.index(None)
        raise CorpusError(
            f"{view.where}: the group column {column} has no value for {clips[row]}; complete it, or name another with --group"
        )
    return [str(name) for name in names]


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


def _label_range(view: TableView, label: str) -> tuple[float, float] | None:
    if label == "mos":
        return 1.0, 5.0
    if label != "mos_native" or not {"mos_scale_min", "mos_scale_max"} <= set(view.names):
        return None
    low, high = view.numbers("mos_scale_min"), view.numbers("mos_scale_max")
    if np.isfinite(low).all() and np.isfinite(high).all() and np.ptp(low) == 0 and np.ptp(high) == 0:
        return float(low[0]), float(high[0])
    return None


def with_derived(table: pa.Table) -> pa.Table:
    """The table with ``is_portrait``, which follows from width and height."""
    import pyarrow.compute as pc

    if not {"width", "height"} <= set(table.column_names) or "is_portrait" in table.column_names:
        return table
    return table.append_column("is_portrait", pc.greater(table.column("height"), table.column("width")))


def _kbps(text: str | None) -> float:
    match = _BIT_RATE.fullmatch(text) if text else None
    return float(match[1]) * _KBPS[match[2]] if match else float("nan")


def _kept(values: Sequence[Any], keep: npt.NDArray[np.intp]) -> list[Any]:
    return [values[row] for row in keep]
