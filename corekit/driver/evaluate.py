"""A model held against rows that it has not learnt from: another corpus, or the test split that it left alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.driver import provenance
from corekit.driver.kept import refuse_loss
from corekit.driver.parents import Parent, look_at, refuse_changed
from corekit.driver.publish import provenance_time
from corekit.driver.train.artefacts import (
    EVALUATION,
    MANIFEST,
    PREDICTIONS,
    check_inputs,
    holds_model,
    parent_records,
    report_files,
    write_files,
)
from corekit.driver.train.cross import refuse_twice
from corekit.driver.train.data import Selection, TableView, TrainData, load, read_tables
from corekit.driver.train.evaluation import FoldResult, Sums, fold_record
from corekit.driver.train.features import SETS
from corekit.driver.train.job import code_sha256
from corekit.driver.train.model import TrainedModel, load_model, outside_range, require
from corekit.driver.train.options import check_seed
from corekit.driver.train.report import Protocol, TrainReport
from corekit.driver.train.summing import Told, make_report, sha256_of
from corekit.errors import CorpusError, UsageError
from corekit.files import locked
from corekit.learning.statistics import MappingName
from corekit.manifest import (
    Artefact,
    EvaluateManifest,
    EvaluateSection,
    Roots,
    TimingRecord,
    TrainManifest,
    known_manifest,
)
from corekit.table import source_date_epoch

Rows = Literal["auto", "test", "all"]
Mask = npt.NDArray[np.bool_]

_FILES = ("report.json", "report.html", "folds.json", PREDICTIONS)
_ENTRY = "corekit/driver/evaluate.py"


class EvaluateOptions(Struct, frozen=True, kw_only=True):
    """What `corekit evaluate` is asked to do; every field is a command-line option or argument of the same name."""

    model: Path
    tables: tuple[Path, ...]
    out: Path | None = None
    """Folder to write; None is ``<table>.evaluation`` beside the first table."""
    rows: Rows = "auto"
    """``auto``: the test split of a table that the model learnt from, every row of another."""
    label: str | None = None
    """None is the column that the model learnt."""
    group: str | None = None
    rung: str | None = None
    mapping: MappingName = "logistic4"
    drop_missing: bool = False
    seed: int = 0

    @property
    def folder(self) -> Path:
        first = self.tables[0]
        return (self.out or first.with_name(f"{first.stem}.evaluation")).absolute()


class EvaluateResult(Struct, frozen=True, kw_only=True):
    """What an evaluation wrote."""

    folder: Path
    report: TrainReport
    manifest: EvaluateManifest
    manifest_path: Path


def evaluate(options: EvaluateOptions) -> EvaluateResult:
    """Hold a model against labelled rows and write the same report as a training does.

    Raises
    ------
    UsageError
        There is no model, a table cannot be read or has not its columns, the rows are those that it learnt from, or the folder is
        a training's.
    CorpusError
        Labels or features have no value in some rows.
    """
    if not options.tables:
        raise UsageError("nothing to evaluate on: name a table")
    check_seed(options.seed)
    started, clock = provenance_time(), time.monotonic()
    model = load_model(options.model)
    require("matplotlib", "train", "evaluating")
    check_inputs(options.tables)
    _refuse_loss(options, model)
    with locked(options.folder / "evaluation"):
        tables = [path.absolute() for path in options.tables]
        paths = [model.path, *tables]
        parents = look_at(paths)
        refuse_twice(options.tables, parents[1:], cross=False)
        held, rows, sure = _held(options, model, parents[1:])
        result = _result(model, held, rows)
        sums = Sums(held, [result], options.mapping, seed=options.seed)
        measures = sums.measures(lambda one: one.predicted)
        told = _told(options, model, held, sums, rows, parents[1:], sure=sure)
        report, predictions = make_report(model, sums, measures, "", told, (held.x, held.y))
        refuse_changed(paths, parents)
        folds = [fold_record(result, sorted(held.group_names), options.mapping)]

        def manifest(artefacts: dict[str, Artefact], roots: Roots) -> EvaluateManifest:
            return _manifest(options, report, rows, paths, parents, artefacts, roots, started, time.monotonic() - clock)

        path = options.folder / EVALUATION
        files = report_files(report, predictions, folds, seed=options.seed)
        written = write_files(path, _FILES, files, predictions, manifest)
    return EvaluateResult(folder=options.folder, report=report, manifest=written, manifest_path=path)


def _refuse_loss(options: EvaluateOptions, model: TrainedModel) -> None:
    said = f"--out {options.out or options.folder.name}"
    if holds_model(options.folder) or (options.folder / MANIFEST).exists():
        raise UsageError(f"{said}: it holds a training, whose report would be lost; choose another name")
    refuse_loss(
        said,
        written=[options.folder / name for name in _FILES],
        manifest=options.folder / EVALUATION,
        inputs=[*options.tables, model.path],
    )


def _held(options: EvaluateOptions, model: TrainedModel, parents: list[Parent]) -> tuple[TrainData, str, bool]:
    """The rows to evaluate on, what they are called, and whether it is known that the model has not learnt them."""
    where = ", ".join(map(str, options.tables))
    record = model.record
    names = tuple(entry.name for entry in record.inputs)
    selection = Selection(label=options.label or record.label, label_kind=record.label_kind, columns=names, left_out={})
    data = load(
        TableView(read_tables(options.tables), where),
        label=None,
        target=record.target,
        features="",
        group=options.group,
        rung=options.rung,
        sets=SETS,
        corpus=None,
        impute=record.imputes,
        drop_missing=options.drop_missing,
        selection=selection,
    )
    known = _known_rows(model, data, parents)
    chosen, rows = _choose(options.rows, data, np.zeros(data.n, np.bool_) if known is None else known, where)
    return data.take(np.flatnonzero(chosen)), rows, known is not None


def _known_rows(model: TrainedModel, data: TrainData, parents: list[Parent]) -> Mask | None:
    """Which rows the model learnt, by the tables that its manifest names, else by what it keeps of each row; None: nobody knows."""
    trained = known_manifest(model.path.parent / MANIFEST)
    if isinstance(trained, TrainManifest):
        protocol = trained.train.protocol
        # the last parent of a cross-table training is the table that it was tested on
        tables = trained.parents[:-1] if protocol.startswith("cross:") else trained.parents
        if {table.sha256 for table in tables} & {parent.sha256 for parent in parents}:
            return np.array([protocol != "stored-split" or split != "test" for split in data.splits], np.bool_)
    return model.record.learnt.rows_in(data) if model.record.learnt else None


def _choose(asked: Rows, data: TrainData, known: Mask, where: str) -> tuple[Mask, str]:
    """The rows to evaluate on and what they are called, of which the model has learnt none."""
    test = np.array([split == "test" for split in data.splits], np.bool_)
    whole = asked == "all" or (asked == "auto" and not known.any())
    if not whole and known.all():
        raise UsageError(
            f"{where}: the model learnt from every row of this table, so none is left to evaluate on; its report has the figures of "
            "rows that were held out, or train under --protocol stored-split"
        )
    if known.any() and (whole or not test.any()):
        raise UsageError(
            f"{where}: the model learnt from {_count(known)} of this table (the first: {data.clips[int(np.argmax(known))]}), so figures "
            "over all of its rows would flatter it; evaluate on another table, or on its test split (--rows test) of a model that was "
            "trained under --protocol stored-split"
        )
    if whole:
        return np.ones(data.n, np.bool_), "all"
    if not test.any():
        raise CorpusError(f"{where}: no row is in the split test; choose --rows all, or give a table with splits")
    if (known & test).any():
        raise UsageError(
            f"{where}: the model learnt from {_count(known[test])} of the test split (the first: "
            f"{data.clips[int(np.argmax(known & test))]}); evaluate on another table"
        )
    return test, "test"


def _count(rows: Mask) -> str:
    return f"{int(rows.sum())} of {rows.size} rows"


def _result(model: TrainedModel, held: TrainData, rows: str) -> FoldResult:
    return FoldResult(
        name=rows,
        test=np.arange(held.n),
        label=held.y,
        predicted=model.predict(held.x),
        mean_label=np.full(held.n, model.record.label_mean),
        metadata=None,
        half_width=model.record.half_width,
        chosen={},
    )


def _told(
    options: EvaluateOptions,
    model: TrainedModel,
    held: TrainData,
    sums: Sums,
    rows: str,
    parents: list[Parent],
    *,
    sure: bool,
) -> Told:
    groups = sha256_of(sorted(held.group_names))
    return Told(
        protocol=Protocol(
            name=f"evaluate, {'test split' if rows == 'test' else 'every row'}",
            repeats=1,
            seed=options.seed,
            test_fraction=None,
            group=held.group_column,
            mapping=options.mapping,
            interval=sums.interval,
            folds_sha256=groups,
        ),
        n_trained=0,
        chosen={},
        impute="median" if model.record.imputes else "error",
        gates=[],
        licences=[],
        hashes={"tables": sha256_of(parent.sha256 for parent in parents), "folds": groups, "code": code_sha256()},
        warnings=[*model.record.warnings, *_learnt_before(model, held, sure=sure), *_strange(model, held)],
        notes=list(held.notes),
    )


def _learnt_before(model: TrainedModel, held: TrainData, *, sure: bool) -> list[str]:
    """Warnings where the model may have learnt from these rows or from others of their groups."""
    if not sure:
        return [
            "the model does not say which rows it learnt, so these may be among them; train it again to have that checked"
        ]
    shared = model.record.learnt.groups_in(held) if model.record.learnt else []
    if not shared:
        return []
    return [
        f"{len(shared)} of {len(held.group_names)} {held.group_column}s here have the name of one that the model learnt, such as "
        f"{shared[0]}: where they are the same, these figures flatter the model"
    ]


def _strange(model: TrainedModel, held: TrainData) -> list[str]:
    """Warnings where these rows are unlike those that the model learnt from."""
    found = outside_range(model, held.x)
    strange = sorted(set(held.hdr) - {""} - set(model.record.hdr)) if model.record.hdr else []
    if strange:
        found.append(
            f"clips of the transfer {', '.join(strange)} are here; the model saw {', '.join(model.record.hdr)}"
        )
    return found


def _manifest(
    options: EvaluateOptions,
    report: TrainReport,
    rows: str,
    paths: list[Path],
    parents: list[Parent],
    artefacts: dict[str, Artefact],
    roots: Roots,
    started: str,
    wall_s: float,
) -> EvaluateManifest:
    finished = provenance_time()
    records, inputs = parent_records(paths, parents)
    return EvaluateManifest(
        created=source_date_epoch() or finished,
        run_provenance=provenance.run_provenance(
            _ENTRY,
            options,
            roots,
            inputs={"model": inputs[0], "tables": inputs[1:]},
            outputs=provenance.written_records(options.folder, artefacts),
        ),
        artefacts=artefacts,
        parents=records,
        code=provenance.code_record([]),
        environment=provenance.environment_record("cpu"),
        counters={"rows": report.n, "groups": report.n_groups},
        timings=TimingRecord(started=started, finished=finished, wall_s=round(wall_s, 3)),
        evaluate=EvaluateSection(
            model_id=report.model_id,
            rows=rows,
            label=report.label.column,
            srocc=report.srocc.median if report.srocc else None,
            plcc=report.plcc.median if report.plcc else None,
            rmse=report.rmse.median if report.rmse else None,
            warnings=report.warnings,
        ),
    )
