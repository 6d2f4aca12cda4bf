"""From ledger and plan to artefacts: the table, its views, the failures and the manifest, each whole or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from corekit.backends.base import Extractor
from corekit.driver import provenance
from corekit.driver.corpus import Corpus
from corekit.driver.options import RunOptions
from corekit.driver.plan import Plan, split_policy
from corekit.driver.tasks import Task
from corekit.errors import IntegrityError, UsageError
from corekit.files import prepare, publish, sha256_file, temporary_beside, write_atomic
from corekit.frames import frame_batch
from corekit.ledger import Ledger
from corekit.manifest import (
    Artefact,
    BackendRecord,
    ColumnRecord,
    CorpusRecord,
    FailureRecord,
    Manifest,
    NullRecord,
    PathRecord,
    Roots,
    RunProvenance,
    TableRecord,
    TimingRecord,
    manifest_path,
    sealed,
    settle,
)
from corekit.model import Clip, Column, CorpusInfo, Measurement
from corekit.plugins.composition import Composition
from corekit.plugins.hookspecs import RowContext
from corekit.schema import FEATURES, FRAME_COLUMNS, SCHEMA_VERSION, fingerprint
from corekit.table import Row, Written, arrow_schema, source_date_epoch, write_batches, write_json_lines, write_parquet


class Outputs(Struct, frozen=True):
    """Where a run's artefacts go: beside the table, under its stem."""

    table: Path
    manifest: Path
    frames: Path
    jsonl: Path
    failures: Path
    last_failures: Path
    """Those of a run that wrote no table, where there is one of an earlier run."""
    ledger: Path
    frames_dir: Path

    @classmethod
    def of(cls, options: RunOptions) -> Outputs:
        table = options.table
        stem = table.stem
        state = (options.state_dir or table.parent).absolute()
        outputs = cls(
            table=table,
            manifest=(options.manifest_out or manifest_path(table)).absolute(),
            frames=table.with_name(f"{stem}.frames.parquet"),
            jsonl=table.with_name(f"{stem}.jsonl"),
            failures=table.with_name(f"{stem}.failures.jsonl"),
            last_failures=table.with_name(f"{stem}.last-failures.jsonl"),
            ledger=state / f"{stem}.ledger.sqlite",
            frames_dir=state / f"{stem}.frames",
        )
        if outputs.manifest in (table, outputs.frames, outputs.jsonl, outputs.failures, outputs.ledger):
            raise UsageError(
                f"--manifest-out {options.manifest_out}: another file of this run goes there; choose another"
            )
        return outputs


class Publisher:
    """Writes one run's artefacts; also the ``RunRecord`` that manifest hooks see."""

    def __init__(
        self,
        *,
        options: RunOptions,
        corpus: Corpus,
        plan: Plan,
        composition: Composition,
        ledger: Ledger,
        tasks: Mapping[str, str],
        extractor: Extractor | None,
        backend: str,
    ) -> None:
        self._options = options
        self._corpus = corpus
        self._plan = plan
        self._composition = composition
        self._ledger = ledger
        self._tasks = tasks
        self._extractor = extractor
        self._backend = backend
        self._outputs = Outputs.of(options)
        self._epoch = source_date_epoch()
        self._references = {task.clip.name: task.reference for task in plan.tasks}
        self._rows = [task for task in plan.tasks if task.clip.name in tasks]
        self.counters: dict[str, int] = {}

    @property
    def info(self) -> CorpusInfo:
        return self._corpus.info

    @property
    def clips(self) -> tuple[Clip, ...]:
        contents = {clip.content for clip in self._plan.missing} | {task.clip.content for task in self._plan.tasks}
        contents |= {problem.clip.content for problem in self._plan.problems}
        return tuple(clip for clip in self._corpus if clip.content in contents)

    def measured(self) -> Iterator[tuple[Clip, Measurement]]:
        for task, measurement in self._measured():
            yield task.clip, measurement

    def check_row(self, clip: str) -> None:
        """Shape the row of one measured clip and forget it: a plugin's mistake shows at the first clip, not the last."""
        task = next(task for task in self._plan.tasks if task.clip.name == clip)
        measurement = self._ledger.measurement(self._tasks[clip])
        if measurement is not None:
            self._shape(task, measurement)

    def publish(
        self, failures: Sequence[FailureRecord], counters: Mapping[str, int], *, started: str, wall_s: float
    ) -> Manifest:
        """Write everything: prepared under temporary names, the manifest first, then the artefacts take their places."""
        self.counters = dict(counters)
        self._rows = [task for task in self._plan.tasks if task.clip.name in self._tasks]
        columns = self._columns()
        artefacts = self._prepare_artefacts(columns)
        if failures:
            artefacts["failures"] = _prepare_failures(self._outputs.failures, failures)
        roots = Roots(output=self._outputs.table.parent, home=self._outputs.manifest.parent, corpus=self._corpus.root)
        manifest = self._manifest(columns, artefacts, failures, roots, started=started, wall_s=wall_s)
        write_atomic(self._outputs.manifest, sealed(manifest, roots))
        for path in self._prepared():
            publish(path)
        if failures:
            publish(self._outputs.failures)
        else:
            self._outputs.failures.unlink(missing_ok=True)
        self._outputs.last_failures.unlink(missing_ok=True)
        return manifest

    def _prepared(self) -> list[Path]:
        outputs = self._outputs
        paths = [outputs.table]
        if self._options.frames:
            paths.append(outputs.frames)
        if self._options.jsonl:
            paths.append(outputs.jsonl)
        return paths

    def _prepare_artefacts(self, columns: Sequence[Column]) -> dict[str, Artefact]:
        options, outputs = self._options, self._outputs
        metadata = {"kind": "clip", "corpus": self.info.name, "run_id": self._plan.run_id}
        writers: dict[str, tuple[Path, str, Callable[[BinaryIO], Written]]] = {
            "table": (
                outputs.table,
                "clip-table",
                lambda file: write_parquet(file, columns, self._row_dicts(), metadata),
            ),
        }
        if options.frames:
            writers["frames"] = (outputs.frames, "frame-table", self._write_frames)
        if options.jsonl:
            writers["jsonl"] = (
                outputs.jsonl,
                "v3-jsonl",
                lambda file: write_json_lines(file, columns, self._row_dicts(), nan_literal=options.nan_literal),
            )
        artefacts = {}
        for name, (path, kind, write) in writers.items():
            with prepare(path) as file:
                written = write(file)
            temporary = temporary_beside(path)
            if sha256_file(temporary) != written.sha256:
                raise IntegrityError(
                    f"{temporary} does not hold what was written; check the disk and run the command again"
                )
            artefacts[name] = Artefact(
                file=path.name,
                kind=kind,  # type: ignore[arg-type]
                rows=written.rows,
                size_bytes=temporary.stat().st_size,
                sha256=written.sha256,
                logical_sha256=written.logical_sha256,
            )
        return artefacts

    def _write_frames(self, file: BinaryIO) -> Written:
        metadata = {"kind": "frame", "corpus": self.info.name, "run_id": self._plan.run_id}

        def batches() -> Iterator[object]:
            for task, measurement in self._measured():
                yield frame_batch(
                    self._outputs.frames_dir,
                    self._tasks[task.clip.name],
                    measurement.frames_sha256,
                    corpus=self.info.name,
                    source=task.clip.content,
                    clip_name=task.clip.name,
                    codec=_codec(task, measurement),
                    teacher="vmaf" in measurement.pooled,
                ).replace_schema_metadata(schema.metadata)

        schema = arrow_schema(FRAME_COLUMNS, metadata)
        return write_batches(file, FRAME_COLUMNS, schema, batches())

    def _measured(self) -> Iterator[tuple[Task, Measurement]]:
        measurements = self._ledger.measurements(self._tasks[task.clip.name] for task in self._rows)
        return zip(self._rows, measurements, strict=True)

    def _shape(self, task: Task, measurement: Measurement) -> dict[Column, str | int | float | bool | None]:
        clip = task.clip
        context = RowContext(
            run_id=self._plan.run_id,
            timestamp=self._epoch or self._ledger.finished_at(self._tasks[clip.name]),
            info=self.info,
            reference=self._references[clip.name],
            pairing=task.pairing,
            encode=task.encode,
            split=self._corpus.split(clip, self._options.split_seed),
            split_policy=split_policy(self._corpus, clip),
            measurement=measurement,
            timings=self._epoch is None,
        )
        return self._composition.shape_row(clip, measurement.probe, measurement.pooled, context)

    def _columns(self) -> list[Column]:
        task, measurement = next(self._measured())
        return list(self._shape(task, measurement))

    def _row_dicts(self) -> Iterator[Row]:
        for task, measurement in self._measured():
            yield {column.name: value for column, value in self._shape(task, measurement).items()}

    def _manifest(
        self,
        columns: Sequence[Column],
        artefacts: dict[str, Artefact],
        failures: Sequence[FailureRecord],
        roots: Roots,
        *,
        started: str,
        wall_s: float,
    ) -> Manifest:
        options, plan = self._options, self._plan
        tally = _Tally()
        for task, measurement in self._measured():
            tally.add(task.clip, measurement)
        for feature in FEATURES:
            if feature not in plan.features:
                tally.nulls[feature]["not asked for (--features)"] = len(self._rows)
        finished = provenance_time()
        return Manifest(
            run_id=plan.run_id,
            created=self._epoch or finished,
            run_provenance=self._provenance(artefacts, tally, roots),
            artefacts=artefacts,
            table=TableRecord(
                schema_version=SCHEMA_VERSION,
                schema_fingerprint=fingerprint(columns),
                feature_order=list(FEATURES),
                columns=[ColumnRecord(column.name, column.type) for column in columns],
            ),
            corpus=CorpusRecord(
                name=self.info.name,
                title=self.info.title,
                version=self.info.version,
                homepage=self.info.homepage,
                licences=list(self.info.licences),
                treat_as=self.info.treat_as,
                notes=list(self.info.notes),
            ),
            backend=BackendRecord(
                name=self._backend,
                identity=dict(self._extractor.identity) if self._extractor else {},
                versions=tally.versions,
            ),
            code=provenance.code_record(self._composition.plugins),
            environment=provenance.environment_record(options.device, record_host=options.record_host),
            features=list(plan.features),
            options={
                "pairing": plan.pairing,
                "identity": options.identity,
                "include_references": options.include_references,
                "frame_mismatch": options.frame_mismatch,
                "split_seed": options.split_seed or self.info.split_seed,
                "limit": options.limit,
                "shard": options.shard or None,
                "settings": dict(options.settings),
            },
            clip_options={name: dict(counts) for name, counts in sorted(tally.options.items())},
            counters=self.counters,
            splits=plan.splits,
            nulls={
                feature: [NullRecord(reason, rows) for reason, rows in sorted(tally.nulls[feature].items())]
                for feature in FEATURES
                if tally.nulls[feature]
            },
            clip_notes=tally.notes,
            missing=[clip.path for clip in plan.missing],
            failures=list(failures),
            timings=TimingRecord(
                started=started, finished=finished, wall_s=round(wall_s, 3), measuring_s=round(tally.seconds, 3)
            ),
            sections={section.name: section.content for section in self._composition.manifest_sections(self)},
        )

    def _provenance(self, artefacts: Mapping[str, Artefact], tally: _Tally, roots: Roots) -> RunProvenance:
        outputs, corpus = self._outputs, self._corpus
        written = provenance.written_records(outputs.table.parent, artefacts)
        written["manifest"] = PathRecord(path=str(outputs.manifest), exists=False, kind="missing")
        labels = self._plan.label_sha256.items()
        return provenance.run_provenance(
            "corekit/driver/run.py",
            self._options,
            roots,
            inputs={
                "root": provenance.path_record(corpus.root.absolute()),
                "labels": [
                    provenance.path_record(corpus.root.absolute() / name, sha256=sha256) for name, sha256 in labels
                ],
                "clips": self._clip_records(tally),
            },
            outputs=written,
        )

    def _clip_records(self, tally: _Tally) -> list[PathRecord]:
        """Every clip that a row came from, reference or distorted, in corpus order."""
        digests: dict[str, tuple[str, int]] = {}
        for task, measurement in self._measured():
            digests[task.clip.name] = (measurement.clip_sha256, measurement.probe.size_bytes)
            if task.reference is not None and measurement.ref_sha256 and measurement.ref_probe:
                digests[task.reference.name] = (measurement.ref_sha256, measurement.ref_probe.size_bytes)
        root = self._corpus.root.absolute()
        return [
            PathRecord(path=str(root / clip.path), exists=True, kind="file", sha256=digests[clip.name][0],
                       size_bytes=digests[clip.name][1])
            for clip in self._corpus
            if clip.name in digests
        ]  # fmt: skip


def _codec(task: Task, measurement: Measurement) -> str:
    """FFmpeg's name of the distorted side's codec; ``unknown`` of raw files, which do not say what they went through."""
    if task.encode is not None:
        from corekit.video import codec_of

        return codec_of(task.encode.encoder)
    codec = measurement.probe.codec
    return "unknown" if task.clip.raw is not None or codec in ("", "rawvideo") else codec


class _Tally:
    """What the rows have in common, gathered in one pass."""

    def __init__(self) -> None:
        self.nulls: dict[str, Counter[str]] = defaultdict(Counter)
        self.options: dict[str, Counter[str]] = defaultdict(Counter)
        self.notes: dict[str, list[str]] = {}
        self.versions: list[dict[str, str]] = []
        self.seconds = 0.0

    def add(self, clip: Clip, measurement: Measurement) -> None:
        for feature, reason in measurement.nulls.items():
            self.nulls[feature][reason] += 1
        for name, value in measurement.options.items():
            self.options[name][str(value)] += 1
        if measurement.notes:
            self.notes[clip.name] = list(measurement.notes)
        if dict(measurement.versions) not in self.versions:
            self.versions.append(dict(measurement.versions))
        self.seconds += measurement.seconds


def write_failures(outputs: Outputs, failures: Sequence[FailureRecord]) -> Path:
    """Write the failures of a run without a table: beside an earlier table, whose own failures stay, under another name."""
    path = outputs.last_failures if outputs.manifest.exists() else outputs.failures
    write_atomic(path, _json_lines(failures))
    return path


def _prepare_failures(path: Path, failures: Sequence[FailureRecord]) -> Artefact:
    content = _json_lines(failures)
    with prepare(path) as file:
        file.write(content)
    digest = hashlib.sha256(content).hexdigest()
    return Artefact(
        file=path.name,
        kind="failures",
        rows=len(failures),
        size_bytes=len(content),
        sha256=digest,
        logical_sha256=digest,
    )


def _json_lines(failures: Sequence[FailureRecord]) -> bytes:
    return b"".join(msgspec.json.encode(failure) + b"\n" for failure in failures)


def settle_run(outputs: Outputs) -> None:
    """Finish or undo what a crash of an earlier run left beside its table."""
    settle(outputs.manifest, (outputs.table, outputs.frames, outputs.jsonl, outputs.failures))
    for temporary in outputs.frames_dir.glob("??/.*.tmp"):
        temporary.unlink()


def provenance_time() -> str:
    """Now, ISO 8601 UTC, to the second."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
