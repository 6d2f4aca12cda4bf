"""The folder of a training: model, report, card, predictions, folds and the manifest, each whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.driver import provenance
from corekit.driver.parents import Parent
from corekit.driver.publish import provenance_time
from corekit.driver.train.card import model_card
from corekit.driver.train.model import TrainedModel
from corekit.driver.train.options import TrainOptions
from corekit.driver.train.page import report_page
from corekit.driver.train.report import FoldRecord, PredictionRow, TrainReport
from corekit.errors import UsageError
from corekit.files import prepare, publish, write_atomic
from corekit.manifest import (
    AnyManifest,
    Artefact,
    ParentRecord,
    PathRecord,
    Roots,
    TimingRecord,
    TrainManifest,
    TrainSection,
    sealed,
    settle,
)
from corekit.model import Column
from corekit.table import source_date_epoch, write_parquet

Values = npt.NDArray[np.float64]
M = TypeVar("M", bound=AnyManifest)

_ENTRY = "corekit/driver/train/job.py"
MANIFEST = "model.manifest.json"
EVALUATION = "evaluation.manifest.json"
FILES = (
    "model.onnx", "model.safetensors", "card.md", "report.json", "report.html", "predictions.parquet", "folds.json",
)  # fmt: skip
"""What a folder holds beside its manifest."""
MODEL_FILES = FILES[:2]
PREDICTIONS = "predictions.parquet"

PREDICTION_COLUMNS = (
    Column(name="clip", type="str", description="the clip", required=True),
    Column(name="group", type="str", description="what was not split", required=True),
    Column(name="corpus", type="str", description="its corpus"),
    Column(name="rung", type="str", description="its rung"),
    Column(name="resolution", type="str", description="its resolution"),
    Column(name="label", type="float", description="the label", required=True),
    Column(name="predicted", type="float", description="mean prediction over the folds that held the clip out"),
    Column(name="low", type="float", description="lower end of the interval"),
    Column(name="high", type="float", description="upper end of the interval"),
    Column(name="metadata_only", type="float", description="prediction of the metadata-only baseline, likewise"),
    Column(name="folds", type="int", description="folds that held the clip out", required=True),
)


class Contents(Struct, frozen=True, kw_only=True):
    """Everything that a training's folder holds."""

    options: TrainOptions
    report: TrainReport
    model: TrainedModel | None
    """None where a required gate was missed."""
    learnt: Values
    """Features of the rows learnt from, shape ``(n, n_features)``: the exported model is tried on them."""
    predictions: list[PredictionRow]
    folds: list[FoldRecord]
    paths: tuple[Path, ...]
    parents: list[Parent]
    missed: str
    """Which required gates were missed; empty where none was."""


class WrittenFolder(Struct, frozen=True):
    """The manifest of a folder, and where it lies."""

    manifest: TrainManifest
    manifest_path: Path


def check_inputs(tables: Sequence[Path]) -> None:
    """Refuse tables that are not there or cannot be read, before anything is written.

    Raises
    ------
    UsageError
        Names the file.
    """
    for path in tables:
        if path.is_dir():
            reason = "is a folder"
        elif not path.is_file():
            reason = "does not exist"
        else:
            try:
                path.open("rb").close()
                continue
            except OSError as error:
                reason = f"cannot be read ({error.strerror})"
        raise UsageError(f"{path} {reason}; name a table (Parquet, CSV or JSONL)")


def holds_model(folder: Path) -> bool:
    """Whether a folder holds a model, with or without its manifest."""
    return any((folder / name).exists() for name in MODEL_FILES)


def write_folder(folder: Path, contents: Contents, *, started: str, wall_s: float) -> WrittenFolder:
    """Write a training's folder; what an older training left goes.

    A training without a model (a required gate was missed) leaves an older model where it is, with its report: its own report
    goes to ``<folder>.missed``.
    """
    while contents.model is None and holds_model(folder):
        folder = folder.with_name(f"{folder.name}.missed")
    path = folder / MANIFEST

    def manifest(artefacts: dict[str, Artefact], roots: Roots) -> TrainManifest:
        return _manifest(folder, contents, artefacts, roots, started=started, wall_s=wall_s)

    return WrittenFolder(write_files(path, FILES, _files(contents), contents.predictions, manifest), path)


def write_files(
    path: Path,
    names: Sequence[str],
    files: Mapping[str, bytes],
    predictions: Sequence[PredictionRow],
    make_manifest: Callable[[dict[str, Artefact], Roots], M],
) -> M:
    """Prepare every file beside the manifest ``path``, write the manifest, then let the files take their places.

    ``names`` are all that such a folder can hold: those that are not written now are removed.
    """
    folder = path.parent
    settle(path, [folder / name for name in names])
    artefacts: dict[str, Artefact] = {}
    for name, content in files.items():
        with prepare(folder / name) as file:
            file.write(content)
        artefacts[name] = _artefact(name, content)
    artefacts[PREDICTIONS] = _prepare_predictions(folder / PREDICTIONS, predictions)
    roots = Roots(output=folder)
    manifest = make_manifest(artefacts, roots)
    write_atomic(path, sealed(manifest, roots))
    for name in names:
        if name in artefacts:
            publish(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return manifest


def _prepare_predictions(path: Path, predictions: Sequence[PredictionRow]) -> Artefact:
    rows = (
        {key: value if value != "" else None for key, value in msgspec.structs.asdict(row).items()}
        for row in predictions
    )
    with prepare(path) as file:
        written = write_parquet(file, PREDICTION_COLUMNS, rows, {})
        size = file.tell()
    return Artefact(
        file=path.name,
        kind="predictions",
        rows=written.rows,
        size_bytes=size,
        sha256=written.sha256,
        logical_sha256=written.logical_sha256,
    )


def _files(contents: Contents) -> dict[str, bytes]:
    """Every file but the predictions."""
    files = report_files(contents.report, contents.predictions, contents.folds, seed=contents.options.seed)
    if contents.model is not None:
        files |= {
            "model.onnx": contents.model.checked_onnx(contents.learnt),
            "model.safetensors": contents.model.to_safetensors(),
            "card.md": model_card(contents.report).encode(),
        }
    return files


def report_files(
    report: TrainReport, predictions: Sequence[PredictionRow], folds: Sequence[FoldRecord], *, seed: int
) -> dict[str, bytes]:
    """The report as JSON and as a page, and the folds."""
    return {
        "report.json": _json(report),
        "report.html": report_page(report, predictions, folds).encode(),
        "folds.json": _json({"seed": seed, "protocol": report.protocol.name, "folds": list(folds)}),
    }


Kind = Literal["model-onnx", "model-safetensors", "model-card", "report-json", "report-html", "folds"]
_KINDS: Mapping[str, Kind] = {
    "model.onnx": "model-onnx", "model.safetensors": "model-safetensors", "card.md": "model-card",
    "report.json": "report-json", "report.html": "report-html", "folds.json": "folds",
}  # fmt: skip


def _artefact(name: str, content: bytes) -> Artefact:
    digest = hashlib.sha256(content).hexdigest()
    return Artefact(file=name, kind=_KINDS[name], size_bytes=len(content), sha256=digest, logical_sha256=digest)


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _manifest(
    folder: Path, contents: Contents, artefacts: dict[str, Artefact], roots: Roots, *, started: str, wall_s: float
) -> TrainManifest:
    report, finished = contents.report, provenance_time()
    parents, tables = parent_records(contents.paths, contents.parents)
    return TrainManifest(
        created=source_date_epoch() or finished,
        run_provenance=provenance.run_provenance(
            _ENTRY,
            contents.options,
            roots,
            inputs={"tables": list(tables)},
            outputs=provenance.written_records(folder, artefacts),
        ),
        artefacts=artefacts,
        parents=parents,
        code=provenance.code_record([]),
        environment=provenance.environment_record("cpu", record_host=contents.options.record_host),
        counters={
            "rows": report.n,
            "groups": report.n_groups,
            "rows_trained": report.n_trained,
            "folds": len(contents.folds),
        },
        timings=TimingRecord(started=started, finished=finished, wall_s=round(wall_s, 3)),
        train=TrainSection(
            model_id=report.model_id,
            model=report.model,
            status="missed" if contents.missed else report.status,
            label=report.label.column,
            label_kind=report.label.kind,
            target=report.target,
            features=[feature.name for feature in report.features],
            protocol=report.protocol.name,
            seed=report.protocol.seed,
            folds_sha256=report.protocol.folds_sha256,
            srocc=report.srocc.median if report.srocc else None,
            plcc=report.plcc.median if report.plcc else None,
            rmse=report.rmse.median if report.rmse else None,
            gates={gate.name: gate.passed for gate in report.gates},
            warnings=report.warnings,
        ),
    )


def parent_records(paths: Sequence[Path], parents: Sequence[Parent]) -> tuple[list[ParentRecord], list[PathRecord]]:
    """The input files by digest, as parents and as inputs."""
    pairs = list(zip(paths, parents, strict=True))
    return (
        [ParentRecord(file=path.name, sha256=p.sha256, manifest_sha256=p.manifest_sha256) for path, p in pairs],
        [
            PathRecord(path=str(path), exists=True, kind="file", sha256=p.sha256, size_bytes=p.size_bytes)
            for path, p in pairs
        ],
    )
