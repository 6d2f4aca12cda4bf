"""One training from its options to the folder: read, hold out, fit, sum up, gate, write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

import corekit
from corekit.driver.kept import refuse_loss
from corekit.driver.parents import look_at, refuse_changed
from corekit.driver.publish import provenance_time
from corekit.driver.train.artefacts import EVALUATION, FILES, MANIFEST, Contents, check_inputs, write_folder
from corekit.driver.train.baselines import MetadataBaseline
from corekit.driver.train.cross import refuse_other_labels, refuse_twice, without_learnt
from corekit.driver.train.data import Selection, TableView, TrainData, load, read_tables
from corekit.driver.train.evaluation import (
    AUTO,
    FoldResult,
    Sums,
    fit_rows,
    fold_record,
    imputed,
    refuse_unfillable,
    run_fold,
    run_folds,
)
from corekit.driver.train.features import SETS
from corekit.driver.train.gates import GateLimits, all_passed, check_gates, read_gates
from corekit.driver.train.labels import label_kinds
from corekit.driver.train.model import Learnt, ModelInput, ModelRecord, TrainedModel, require
from corekit.driver.train.options import TrainOptions
from corekit.driver.train.protocol import folds_sha256, make_folds, outside_split, small_groups, test_groups
from corekit.driver.train.report import Gate, Protocol, TrainReport
from corekit.driver.train.summing import Told, make_report, sha256_of
from corekit.errors import CorekitError, GateError, UsageError
from corekit.files import locked
from corekit.learning.conformal import half_width
from corekit.learning.folds import Fold
from corekit.learning.models import MODELS
from corekit.manifest import TrainManifest
from corekit.model import CorpusInfo
from corekit.plugins.composition import Composition

_MOST_NAMED = 6

Tell = Callable[[int, int], None]


class TrainResult(Struct, frozen=True, kw_only=True):
    """What a training wrote."""

    folder: Path
    report: TrainReport
    manifest: TrainManifest
    manifest_path: Path


def train(options: TrainOptions, *, tell: Tell | None = None) -> TrainResult:
    """Learn a model and write its folder; ``tell`` hears how many folds of how many are done.

    Raises
    ------
    UsageError
        An option, column, protocol or model cannot be used with these tables.
    CorpusError
        Labels, features or groups have no value where they must have one, or a content stands in two splits.
    GateError
        A required gate was missed: the report is written, the model is not.
    """
    options.check()
    started, clock = provenance_time(), time.monotonic()
    limits = read_gates(options.gate)
    _check_model(options.model)
    identity = _Identity(options)
    _refuse_loss(options, identity)
    with locked(identity.folder / "model"):
        job = _Job(options, identity, limits, tell or (lambda done, count: None))
        job.run()
        written = write_folder(identity.folder, job.contents(), started=started, wall_s=time.monotonic() - clock)
    if job.missed:
        raise GateError(
            f"no model was written: {job.missed} (--require-gate); the report is {written.manifest_path.with_name('report.html')}"
        )
    return TrainResult(
        folder=identity.folder, report=job.report, manifest=written.manifest, manifest_path=written.manifest_path
    )


def _refuse_loss(options: TrainOptions, identity: _Identity) -> None:
    said = f"--out {options.out or identity.folder.name}"
    if (identity.folder / EVALUATION).exists():
        raise UsageError(f"{said}: it holds an evaluation, whose report would be lost; choose another name")
    refuse_loss(
        said,
        written=[identity.folder / name for name in FILES],
        manifest=identity.folder / MANIFEST,
        inputs=identity.inputs,
    )


def _check_model(name: str) -> None:
    if name != AUTO and name not in MODELS:
        raise UsageError(f"--model {name}: no such model; give {AUTO}, {', '.join(MODELS)}")
    for package in ("sklearn", "onnx", "onnxruntime", "safetensors", "matplotlib"):
        require(package, "train", "training")
    if name != AUTO and MODELS[name].needs_torch:
        require("torch", "mlp", "training")


def _check_size(name: str, rows: int) -> None:
    most = MODELS[name].most_rows if name in MODELS else None
    if most is not None and rows > most:
        small = ", ".join(other.name for other in MODELS.values() if other.most_rows is None)
        raise UsageError(
            f"--model {name}: {rows} rows are more than the {most} that it learns from in reasonable time; choose {small} or {AUTO}, or a "
            "smaller table"
        )


class _Identity:
    """The tables, and by them what the model is called and where it goes: the corpus's plugin decides where one is named."""

    def __init__(self, options: TrainOptions) -> None:
        self.corpus: CorpusInfo | None = None
        if options.corpus is not None:
            self.corpus = Composition(options.disable).add_corpus(options.corpus)
        training = self.corpus.training if self.corpus else None
        self.tables = options.tables or (Path(f"{options.corpus}.parquet"),)
        self.inputs = (*self.tables, *filter(None, [options.cross_table]))
        """Every table, that of a cross test last."""
        check_inputs(self.inputs)
        self.paths = tuple(path.absolute() for path in self.inputs)
        self.parents = look_at(self.paths)
        refuse_twice(self.inputs, self.parents, cross=options.cross_table is not None)
        self.view = TableView(read_tables(self.tables), ", ".join(map(str, self.tables)))
        asked = options.label is not None or options.target is not None
        self.target = options.target or (training.target if training and not asked else None)
        own = training is not None and training.target == self.target
        self.warnings: tuple[str, ...] = training.warnings if training else ()
        stem, what = self.tables[0].stem, self.target or ("DMOS" if label_kinds(self.view) == ["dmos"] else "MOS")
        self.model_id = options.model_id or (
            training.model_id if training and own else f"{stem}_{self.target or what.lower()}_head"
        )
        self.title = training.title if training and own else f"{what} head of {stem}"
        self.folder = (options.out or Path(self.model_id)).absolute()
        if self.folder.is_file():
            raise UsageError(f"--out {options.out}: this is a file; give the name of a folder")

    def sets(self, view: TableView, disable: Sequence[str]) -> dict[str, Sequence[str]]:
        """Feature sets that the corpora of the rows add to core's."""
        infos = [self.corpus] if self.corpus else _infos(view, disable)
        return {
            name: tuple(columns)
            for info in infos
            if info.training
            for name, columns in info.training.feature_sets.items()
        }

    def features(self, options: TrainOptions) -> str:
        training = self.corpus.training if self.corpus else None
        own = training is not None and training.target == self.target
        return options.features or (training.features if training and own else "full")


def _infos(view: TableView, disable: Sequence[str]) -> list[CorpusInfo]:
    """What the installed plugins say of the corpora that the rows name; a corpus without a plugin is passed over."""
    if "corpus" not in view.names:
        return []
    found = []
    for name in sorted({name for name in view.text("corpus") if name}):
        try:
            found.append(Composition(disable).add_corpus(name))
        except CorekitError:
            continue
    return found


class _Job:
    """The steps of one training."""

    def __init__(self, options: TrainOptions, identity: _Identity, limits: GateLimits, tell: Tell) -> None:
        self._options = options
        self._identity = identity
        self._limits = limits
        self._tell = tell
        self._view, self._paths, self._parents = identity.view, identity.paths, identity.parents
        self._warnings = list(identity.warnings)
        sets = identity.sets(self._view, options.disable)
        self._sets = sets
        self._data = self._load(self._view, None)
        _check_size(options.model, self._data.n)
        self.missed = ""

    def _load(self, view: TableView, selection: Selection | None, corpus: CorpusInfo | None = None) -> TrainData:
        options, identity = self._options, self._identity
        return load(
            view,
            label=options.label,
            target=identity.target,
            features=identity.features(options),
            group=options.group,
            rung=options.rung,
            sets={**SETS, **self._sets},
            corpus=identity.corpus if selection is None else corpus,
            impute=options.impute == "median",
            drop_missing=options.drop_missing,
            selection=selection,
        )

    def run(self) -> None:
        """Fit and sum up; nothing is written."""
        if self._options.protocol_name == "cross":
            self._cross()
        else:
            self._within()
        refuse_changed(self._paths, self._parents)
        self._sum_up()

    def _within(self) -> None:
        data, options = self._data, self._options
        self._folds = make_folds(data, options)
        refuse_unfillable(data, self._folds)
        self._metadata = MetadataBaseline(data, data)
        self._held = data
        if options.protocol_name == "stored-split":
            data.notes.extend(outside_split(data))
            result, self._fitted = run_fold(data, self._folds[0], options.model, options.seed)
            self._results, self._trained = [result], self._folds[0].train
            self._tell(1, 1)
            return
        self._results = run_folds(
            data,
            self._folds,
            options.model,
            options.seed,
            workers=options.workers,
            tell=lambda n: self._tell(n, len(self._folds)),
        )
        self._trained = np.arange(data.n)
        self._fitted, _ = fit_rows(data, self._trained, None, options.model, options.seed)

    def _cross(self) -> None:
        """Train on the tables, test on the other one."""
        data, path = self._data, self._options.cross_table
        assert path is not None
        other = self._load(TableView(read_tables([path]), str(path)), data.selection)
        refuse_other_labels(data, other, path)
        other, warnings = without_learnt(data, other, path)
        self._warnings += [*data.warnings, *warnings]
        refuse_unfillable(data, [Fold(str(path), np.arange(data.n), np.arange(other.n))])
        self._trained = np.arange(data.n)
        self._fitted, fill = fit_rows(data, self._trained, None, self._options.model, self._options.seed)
        rows = np.arange(other.n)
        self._metadata = MetadataBaseline(data, other)
        self._results = [
            FoldResult(
                name=str(path),
                test=rows,
                label=other.y,
                predicted=self._fitted.head.predict(imputed(other.x, fill)),
                mean_label=np.full(other.n, data.y.mean()),
                metadata=self._metadata.predict(self._trained, rows) if self._metadata.title else None,
                half_width=half_width(self._fitted.residuals),
                chosen=self._fitted.chosen,
            )
        ]
        self._folds = [Fold(str(path), rows[:0], rows)]
        self._held = other
        self._tell(1, 1)

    def _sum_up(self) -> None:
        options, data, held, fitted = self._options, self._data, self._held, self._fitted
        sums = Sums(held, self._results, options.mapping, seed=options.seed)
        half = half_width(fitted.residuals if options.protocol_name == "cross" else sums.residuals())
        measures = sums.measures(lambda result: result.predicted)
        kind, folds, groups = data.selection.label_kind, len(self._results), len(held.group_names)
        gates = check_gates(self._limits, measures, held.label_range, label_kind=kind, folds=folds, groups=groups)
        passed = all_passed(gates)
        if options.require_gate and not passed:
            self.missed = _missed(gates)
        self.model = self._model(half, "passed" if passed else "proposed")
        digest = folds_sha256(held, self._folds)
        told = Told(
            protocol=Protocol(
                name=options.protocol,
                repeats=folds,
                seed=options.seed,
                test_fraction=options.test_fraction if options.protocol_name in ("grouped", "random") else None,
                group=held.group_column,
                mapping=options.mapping,
                interval=sums.interval,
                folds_sha256=digest,
            ),
            n_trained=int(self._trained.size),
            chosen=fitted.chosen,
            impute=options.impute,
            gates=gates,
            licences=self._licences(),
            hashes={"tables": sha256_of(p.sha256 for p in self._parents), "folds": digest, "code": code_sha256()},
            warnings=[
                *self._warnings,
                *filter(None, [small_groups(held, self._folds, options.protocol_name)]),
            ],
            notes=[*data.notes, *self._left_out_note()],
        )
        learnt = data.x[self._trained], data.y[self._trained]
        self.report, self.predictions = make_report(self.model, sums, measures, self._metadata.title, told, learnt)

    def _model(self, half: float | None, status: str) -> TrainedModel:
        data, identity = self._data, self._identity
        x = data.x[self._trained]
        chose = [fold.validation for fold in self._folds if fold.validation is not None]
        record = ModelRecord(
            model_id=identity.model_id,
            title=identity.title,
            model=self._options.model,
            status=status,
            label=data.selection.label,
            label_kind=data.selection.label_kind,
            target=identity.target,
            inputs=tuple(
                ModelInput(name, float(np.nanmin(column)), float(np.nanmax(column)), float(np.nanmedian(column)))
                for name, column in zip(data.selection.columns, x.T, strict=True)
            ),
            imputes=self._options.impute == "median",
            label_mean=float(data.y[self._trained].mean()),
            half_width=half,
            corpora=tuple(sorted(set(data.corpora) - {""})),
            hdr=tuple(sorted(set(data.hdr) - {""})),
            warnings=identity.warnings,
            learnt=Learnt.of(data.take(np.concatenate([self._trained, *chose]))),
        )
        return TrainedModel(record, self._fitted.head)

    def _licences(self) -> list[str]:
        infos = [self._identity.corpus] if self._identity.corpus else _infos(self._view, self._options.disable)
        return [f"{info.title}: {info.treat_as}" for info in infos]

    def _left_out_note(self) -> list[str]:
        names = list(self._data.selection.left_out)
        if not names:
            return []
        shown = ", ".join(names[:_MOST_NAMED]) + (
            f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        )
        return [f"{len(names)} columns were left out of the features: {shown}"]

    def contents(self) -> Contents:
        """What goes into the folder."""
        return Contents(
            options=self._options,
            report=self.report,
            model=None if self.missed else self.model,
            learnt=self._data.x[self._trained],
            predictions=self.predictions,
            folds=[
                fold_record(result, test_groups(self._held, fold), self._options.mapping)
                for result, fold in zip(self._results, self._folds, strict=True)
            ],
            paths=self._paths,
            parents=self._parents,
            missed=self.missed,
        )


def _missed(gates: Sequence[Gate]) -> str:
    parts = []
    for gate in gates:
        if gate.passed is False:
            parts.append(
                f"{gate.name} is {gate.value:.4f}, the gate {gate.limit:g}"
                if gate.value is not None
                else f"{gate.name} is undefined"
            )
        elif gate.passed is None:
            parts.append(f"the gate {gate.name} does not apply ({gate.reason})")
    return "; ".join(parts)


def code_sha256() -> str:
    """SHA-256 over the modules that make a model's numbers, in the order of their paths."""
    root = Path(corekit.__file__).parent
    files = sorted([*(root / "learning").rglob("*.py"), *(root / "driver" / "train").rglob("*.py")])
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
