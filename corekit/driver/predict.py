"""Scores from a trained model: for one clip, decoded and measured here, or for the rows of a table."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from corekit.driver import provenance
from corekit.driver.backends import choose_backend
from corekit.driver.kept import refuse_loss
from corekit.driver.measure import measure_job
from corekit.driver.options import RunOptions
from corekit.driver.parents import look_at, refuse_changed
from corekit.driver.publish import provenance_time
from corekit.driver.tasks import Done, Failed, Job, Settings, Task
from corekit.driver.train.artefacts import EVALUATION, FILES, MANIFEST, check_inputs, parent_records
from corekit.driver.train.data import TableView, read_tables
from corekit.driver.train.model import TrainedModel, load_model, outside_range
from corekit.errors import BackendError, ClipError, CorpusError, UsageError
from corekit.files import locked, prepare, publish, write_atomic
from corekit.manifest import (
    Artefact,
    ColumnRecord,
    PredictManifest,
    Roots,
    TableRecord,
    TimingRecord,
    manifest_path,
    sealed,
    settle,
)
from corekit.model import Clip, Column, Label, Measurement, Pairing, Value
from corekit.plugins.composition import Composition, parse_options
from corekit.schema import FEATURES, INFORMATIVE, SCHEMA_VERSION, STATISTICS, fingerprint
from corekit.table import source_date_epoch, write_parquet

Values = npt.NDArray[np.float64]

_ENTRY = "corekit/driver/predict.py"
_LISTED = 4
_MOST_NAMED = 12


class PredictOptions(Struct, frozen=True, kw_only=True):
    """What `corekit predict` is asked to do for one clip; every field is a command-line option or argument."""

    model: Path
    clip: Path
    reference: Path | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    """Inputs of the model that no clip tells, such as the bit rate of its rung."""
    backend: str = "auto"
    device: str = "auto"
    disable: tuple[str, ...] = ()


class Prediction(Struct, frozen=True, kw_only=True):
    """The score of one clip."""

    clip: str
    model_id: str
    status: str
    what: str
    """What is predicted: the kind of the label, or the teacher's feature."""
    score: float
    low: float | None
    high: float | None
    """Ends of the split-conformal interval."""
    level: float
    inputs: dict[str, float | None]
    backend: str
    warnings: list[str]


def predict_clip(options: PredictOptions) -> Prediction:
    """Decode a clip, measure the model's features and score it.

    Raises
    ------
    UsageError
        There is no model, it needs an input that neither the clip nor the options give, or one is given that it has not.
    ClipError
        The clip or its reference cannot be read or compared.
    """
    model = load_model(options.model)
    _check_values(model, options.values)
    clip = _clip(options.clip)
    reference = _clip(options.reference) if options.reference else None
    measurement, backend = _measure(options, clip, reference, _needed(model, options))
    told = {**_told(measurement), **options.values}
    row = _row(model, told, measurement)
    score = float(model.predict(row[None])[0])
    half = model.record.half_width
    warnings = [*model.record.warnings, *outside_range(model, row[None])]
    probe = measurement.probe
    if model.record.hdr and probe.transfer_class not in model.record.hdr:
        warnings.append(
            f"the clip's transfer is {probe.transfer_class}; the model learnt from {', '.join(model.record.hdr)} alone"
        )
    if missing := [e.name for e, value in zip(model.record.inputs, row, strict=True) if not np.isfinite(value)]:
        warnings.append(f"the median of the training rows stands in for {', '.join(missing)}")
    return Prediction(
        clip=str(options.clip),
        model_id=model.record.model_id,
        status=model.record.status,
        what=model.output,
        score=score,
        low=None if half is None else score - half,
        high=None if half is None else score + half,
        level=model.record.level,
        inputs={
            entry.name: float(value) if np.isfinite(value) else None
            for entry, value in zip(model.record.inputs, row, strict=True)
        },
        backend=backend,
        warnings=warnings,
    )


def _check_values(model: TrainedModel, values: Mapping[str, float]) -> None:
    names = [entry.name for entry in model.record.inputs]
    for name, value in values.items():
        if name not in names:
            raise UsageError(
                f"--value {name}: {model.record.model_id} has no such input; it has {', '.join(names[:_MOST_NAMED])}"
                + (", ..." if len(names) > _MOST_NAMED else "")
            )
        if not math.isfinite(value):
            raise UsageError(f"--value {name}={value}: give a finite number")


def _needed(model: TrainedModel, options: PredictOptions) -> tuple[str, ...]:
    """The features behind the model's inputs, in the locked order."""
    wanted = {entry.name for entry in model.record.inputs} - options.values.keys()
    features = tuple(name for name in FEATURES if wanted & {f"{name}_{statistic}" for statistic in STATISTICS})
    compared = [name for name in features if name not in INFORMATIVE]
    if compared and options.reference is None:
        raise UsageError(
            f"{model.record.model_id} needs {', '.join(compared[:_LISTED])}, which compare the clip with its pristine version; give it "
            "with --reference"
        )
    return features


def _measure(
    options: PredictOptions, clip: Clip, reference: Clip | None, features: tuple[str, ...]
) -> tuple[Measurement, str]:
    """What a run would have measured of this one clip, through the same code."""
    composition = Composition(options.disable)
    extractor = None
    backend = "none"
    if features:
        run = RunOptions(corpus="", backend=options.backend, device=options.device, disable=options.disable)
        info = choose_backend(composition, run).info
        extractor = composition.extractor(
            features, device=options.device, options=parse_options(info.options, {}, info.name)
        )
        backend = info.name
        if not extractor.reads_video:
            extractor.close()
            raise BackendError(f"--backend {info.name} reads no video; choose another")
    settings = Settings(
        root=os.sep,
        backend=backend,
        device=options.device,
        decode="cpu",
        backend_settings={},
        disable=options.disable,
        features=features,
        identity="null",
        frame_mismatch="error",
        frames_dir=None,
        timeout_s=300.0,
    )
    pairing: Pairing = "nr" if reference is None else "fr"
    job = Job(number=0, content=clip.content, tasks=(Task(clip=clip, reference=reference, pairing=pairing),))
    try:
        for message in measure_job(job, settings, extractor, lambda frames: None):
            if isinstance(message, Failed):
                raise ClipError(message.stage, f"{options.clip}: {message.message}")
            if isinstance(message, Done):
                return message.measurement, backend
    finally:
        if extractor is not None:
            extractor.close()
    raise AssertionError("a job answers for each of its tasks")


def _clip(path: Path) -> Clip:
    absolute = path.absolute()
    if absolute.is_dir():
        raise UsageError(f"{path} is a folder; name a clip, or a table (Parquet, CSV or JSONL)")
    if not absolute.is_file():
        raise UsageError(f"{path}: there is no such clip")
    relative = absolute.relative_to(absolute.anchor).as_posix()
    return Clip(name=path.name, path=relative, content=path.stem, label=Label(kind="none"))


def _told(measurement: Measurement) -> dict[str, float]:
    """Everything a clip says of itself, by the names of the table's columns."""
    probe = measurement.probe
    told = {
        f"{name}_{statistic}": float(getattr(pooled, statistic))
        for name, pooled in measurement.pooled.items()
        for statistic in STATISTICS
    }
    told |= {
        "width": float(probe.width),
        "height": float(probe.height),
        "is_portrait": float(probe.height > probe.width),
        "framerate": probe.fps,
        "duration_s": probe.duration_s,
        "bit_depth": float(probe.bit_depth),
        "is_hdr": float(probe.is_hdr),
    }
    frames = measurement.n_frames if measurement.n_frames is not None else probe.n_frames
    return told if frames is None else {**told, "n_frames": float(frames)}


def _row(model: TrainedModel, told: Mapping[str, float], measurement: Measurement) -> Values:
    """The model's inputs, shape ``(n_features,)``; NaN where the model fills what is missing."""
    row = np.array([told.get(entry.name, np.nan) for entry in model.record.inputs])
    missing = [entry.name for entry, value in zip(model.record.inputs, row, strict=True) if not np.isfinite(value)]
    if missing and not model.record.imputes:
        name = missing[0]
        why = measurement.nulls.get(name.rpartition("_")[0], "")
        because = f" ({why})" if why else ""
        raise UsageError(
            f"{model.record.model_id} needs {', '.join(missing[:_LISTED])}{because}, which the clip does not tell; give each with "
            f"--value {name}=NUMBER, or train with --impute median"
        )
    return row


class Scores(Struct, frozen=True, kw_only=True):
    """Scores of the rows of a table, in their order."""

    what: str
    rows: list[dict[str, Value]]
    warnings: list[str]


def predict_table(model_path: Path, tables: tuple[Path, ...]) -> Scores:
    """Clip, score and interval of every row of some tables.

    Raises
    ------
    UsageError
        There is no model, or a column of it is not in the tables.
    CorpusError
        A feature has no value in some rows and the model does not impute.
    """
    model = load_model(model_path)
    check_inputs(tables)
    view = TableView(read_tables(tables), ", ".join(map(str, tables)))
    names = [entry.name for entry in model.record.inputs]
    for name in names:
        view.require(name, "the model's input")
    x = np.column_stack([view.numbers(name) for name in names])
    clips = view.clips()
    if not model.record.imputes and not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise CorpusError(
            f"{view.where}: {names[column]} has no value for {clips[row]}; complete it, or train with --impute median"
        )
    scores, half = model.predict(x), model.record.half_width
    low, high = (np.array([getattr(entry, end) for entry in model.record.inputs]) for end in ("low", "high"))
    outside = ((x < low) | (x > high)).sum(axis=1)
    rows: list[dict[str, Value]] = [
        {
            "clip_name": clip,
            model.output: float(score),
            "low": None if half is None else float(score) - half,
            "high": None if half is None else float(score) + half,
            "inputs_outside": int(count),
        }
        for clip, score, count in zip(clips, scores, outside, strict=True)
    ]
    warnings = [*model.record.warnings, *outside_range(model, x), *_filled(names, x)]
    return Scores(what=model.output, rows=rows, warnings=warnings)


def _filled(names: Sequence[str], x: Values) -> list[str]:
    """One sentence on inputs that the model fills with its medians, or nothing; ``x`` has shape ``(n, n_features)``."""
    counts = (~np.isfinite(x)).sum(axis=0)
    told = [f"{name} in {count} of {len(x)} rows" for name, count in zip(names, counts, strict=True) if count]
    if not told:
        return []
    more = f" and {len(told) - _LISTED} more" if len(told) > _LISTED else ""
    return [f"the median of the training rows stands in for {', '.join(told[:_LISTED])}{more}"]


def score_columns(what: str) -> tuple[Column, ...]:
    """The columns of a table of scores."""
    return (
        Column(name="clip_name", type="str", description="the clip", required=True),
        Column(name=what, type="float", description="the model's score", required=True),
        Column(name="low", type="float", description="lower end of the split-conformal interval"),
        Column(name="high", type="float", description="upper end of the split-conformal interval"),
        Column(
            name="inputs_outside",
            type="int",
            description="inputs outside the range that the model learnt from",
            required=True,
        ),
    )


class PredictTableOptions(Struct, frozen=True, kw_only=True):
    """What `corekit predict` is asked to do for the rows of tables."""

    model: Path
    tables: tuple[Path, ...]
    out: Path


def write_scores(options: PredictTableOptions) -> Scores:
    """Score the rows of tables and write them as Parquet with a manifest.

    Errors as of ``predict_table``; ``UsageError`` also where the scores would take the place of a table or of a model's file.
    """
    started, clock = provenance_time(), time.monotonic()
    out = options.out.absolute()
    if out.suffix != ".parquet":
        raise UsageError(f"--out {options.out}: give a name that ends in .parquet")
    model = load_model(options.model)
    paths = [model.path, *(path.absolute() for path in options.tables)]
    check_inputs(options.tables)
    # Names of a training's files, beside a model, are the model's, whether they are there or not.
    reserved = [model.path.with_name(name) for name in (*FILES, MANIFEST, EVALUATION)]
    refuse_loss(
        f"--out {options.out}",
        written=[out],
        manifest=manifest_path(out),
        inputs=[*options.tables, *reserved],
        named=out,
    )
    with locked(out):
        settle(manifest_path(out), [out])
        parents = look_at(paths)
        scores = predict_table(options.model, options.tables)
        refuse_changed(paths, parents)
        columns = score_columns(scores.what)
        with prepare(out) as file:
            written = write_parquet(file, columns, scores.rows, {})
            size = file.tell()
        artefact = Artefact(
            file=out.name,
            kind="scores",
            rows=written.rows,
            size_bytes=size,
            sha256=written.sha256,
            logical_sha256=written.logical_sha256,
        )
        records, inputs = parent_records(paths, parents)
        finished, roots = provenance_time(), Roots(output=out.parent)
        manifest = PredictManifest(
            created=source_date_epoch() or finished,
            run_provenance=provenance.run_provenance(
                _ENTRY,
                options,
                roots,
                inputs={"model": inputs[0], "tables": inputs[1:]},
                outputs=provenance.written_records(out.parent, {"table": artefact}),
            ),
            artefacts={"table": artefact},
            parents=records,
            table=TableRecord(
                schema_version=SCHEMA_VERSION,
                schema_fingerprint=fingerprint(columns),
                feature_order=[],
                columns=[ColumnRecord(column.name, column.type) for column in columns],
            ),
            code=provenance.code_record([]),
            environment=provenance.environment_record("cpu"),
            counters={"rows": len(scores.rows)},
            timings=TimingRecord(started=started, finished=finished, wall_s=round(time.monotonic() - clock, 3)),
            model_id=model.record.model_id,
        )
        write_atomic(manifest_path(out), sealed(manifest, roots))
        publish(out)
    return scores
