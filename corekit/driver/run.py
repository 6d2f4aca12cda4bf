"""The main job: read a corpus, measure what is not measured yet, write the table and its manifest."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from corekit.driver import estimate
from corekit.driver.estimate import first_format
from corekit.driver.kept import refuse_loss
from corekit.driver.options import RunOptions
from corekit.driver.plan import MISSING_REFERENCE
from corekit.driver.pool import Pool
from corekit.driver.progress import Progress, Silent
from corekit.driver.publish import Outputs, Publisher, provenance_time, settle_run, write_failures
from corekit.driver.session import KnownDigests, Session
from corekit.driver.tasks import Beat, Done, Failed, Hashed, Job
from corekit.errors import IncompleteRunError, InterruptedRunError, UsageError
from corekit.files import locked
from corekit.ledger import Failure, Ledger
from corekit.manifest import FailureRecord, Manifest, known_manifest
from corekit.model import Clip
from corekit.table import source_date_epoch


class RunResult(Struct, frozen=True, kw_only=True):
    """What a run wrote. ``complete`` is False where clips failed or are unexpectedly missing (exit code 4)."""

    table: Path
    manifest_path: Path
    manifest: Manifest
    complete: bool
    counters: dict[str, int]
    failures: tuple[FailureRecord, ...]


class PlanReport(Struct, frozen=True, kw_only=True):
    """The answer of ``--dry-run``."""

    corpus: str
    root: str
    pairing: str
    backend: str
    features: tuple[str, ...]
    clips: int
    contents: int
    rows: int
    done: int
    to_measure: int
    missing: int
    problems: dict[str, int]
    splits: dict[str, dict[str, int]]
    estimate: estimate.Estimate


def plan(options: RunOptions) -> PlanReport:
    """Say what a run would do; label files and a few headers are read, nothing is written.

    Raises
    ------
    CorekitError
        As ``run`` would, before its first clip.
    """
    with ExitStack() as stack:
        session = Session(options, stack)
        outputs = Outputs.of(options)
        done: dict[str, str] = {}
        if outputs.ledger.exists():
            done = session.sort(stack.enter_context(Ledger(outputs.ledger)), remember=False)[0]
        todo = [task for task in session.plan.tasks if task.clip.name not in done]
        problems: dict[str, int] = {}
        for problem in session.plan.problems:
            problems[problem.stage] = problems.get(problem.stage, 0) + 1
        return PlanReport(
            corpus=session.corpus.info.title,
            root=str(session.corpus.root),
            pairing=session.plan.pairing,
            backend=session.backend_name,
            features=session.plan.features,
            clips=sum(split["clips"] for split in session.plan.splits.values()),
            contents=session.plan.contents,
            rows=len(session.plan.tasks),
            done=len(done),
            to_measure=len(todo),
            missing=len(session.plan.missing),
            problems=problems,
            splits=session.plan.splits,
            estimate=estimate.estimate(session.corpus, todo, options, session.plan.features),
        )


def run(options: RunOptions, *, progress: Progress | None = None) -> RunResult:
    """Do the main job and return what was written.

    What the ledger holds is not measured again. Interrupting (``KeyboardInterrupt``) keeps what has finished.

    Raises
    ------
    UsageError
        An option, plugin or backend cannot be used, or another run holds the output.
    CorpusError
        The corpus cannot be read, or no clip of it can be measured.
    IncompleteRunError
        Every clip failed, so that there is no table; or more failed than ``max_failures``.
    InterruptedRunError
        The user stopped the run.
    """
    progress = progress or Silent()
    outputs = Outputs.of(options)
    source_date_epoch()  # a wrong one is refused now, not after the last clip
    started, clock = provenance_time(), time.monotonic()
    with stoppable(), ExitStack() as stack:
        stack.enter_context(locked(outputs.table))
        stack.enter_context(locked(outputs.ledger))
        settle_run(outputs)
        _refuse_loss(options, outputs)
        session = Session(options, stack)
        session.refuse_empty()
        ledger = stack.enter_context(Ledger(outputs.ledger))
        job = _Run(session, ledger, outputs, progress)
        job.measure()
        return job.publish(started=started, begun=clock)


def _refuse_loss(options: RunOptions, outputs: Outputs) -> None:
    said = f"--out {options.out}" if options.out else str(options.table)
    refuse_loss(
        said,
        written=[outputs.table, outputs.frames, outputs.jsonl, outputs.failures],
        manifest=outputs.manifest,
        named=None if outputs.ledger.exists() else outputs.table,
        manifest_said=f"--manifest-out {options.manifest_out}" if options.manifest_out else "",
    )
    known = known_manifest(outputs.manifest) if outputs.table.exists() else None
    if isinstance(known, Manifest) and known.corpus.name != options.corpus:
        raise UsageError(f"{said}: this is the table of {known.corpus.name}, and would be lost; choose another name")
    if known is not None and not isinstance(known, Manifest):
        raise UsageError(
            f"{said}: what `corekit {known.__struct_config__.tag}` made of this table would be lost; choose another name"
        )


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM stop the block as Ctrl-C does, and say how to go on wherever it is stopped."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if mine else None
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(
            "stopped before the table was written; what has been measured is kept: run the same command again to go on"
        ) from None
    finally:
        if mine:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


class _Run:
    """One run from the first open task to the artefacts."""

    def __init__(self, session: Session, ledger: Ledger, outputs: Outputs, progress: Progress) -> None:
        self._session = session
        self._ledger = ledger
        self._outputs = outputs
        self._progress = progress
        self._by_name = {task.clip.name: task for task in session.plan.tasks}
        done, failed, self._digests = session.sort(ledger)
        self._done: dict[str, str] = done
        self._done_before = len(done)
        self._failed: dict[str, Failure] = {} if session.options.retry_failed else failed
        self._failed_before = len(self._failed)
        self._stopped_because = ""
        self._checked = bool(done)
        self._publisher = Publisher(
            options=session.options,
            corpus=session.corpus,
            plan=session.plan,
            composition=session.composition,
            ledger=ledger,
            tasks=self._done,
            extractor=session.extractor,
            backend=session.backend_name,
        )

    def measure(self) -> None:
        """Measure every open task."""
        open_tasks = len(self._by_name) - len(self._done) - len(self._failed)
        if not open_tasks:
            return
        options = self._session.options
        workers = self._session.workers(self._outputs, open_tasks)
        fallback = self._session.fallback(self._outputs, open_tasks)
        last_snapshot = time.monotonic()
        self._progress.start(total=len(self._by_name), done=len(self._done), failed=len(self._failed))
        try:
            self._prepare()
            with Pool(workers, fallback=fallback) as pool:
                for message in pool.answers(self._jobs()):
                    self._take(message)
                    if self._stopped_because:
                        break
                    if options.snapshot and time.monotonic() - last_snapshot > options.snapshot * 60 and self._done:
                        self._write(started=provenance_time(), wall_s=0.0)
                        last_snapshot = time.monotonic()
        except KeyboardInterrupt:
            raise InterruptedRunError(
                f"stopped with {len(self._done)} of {len(self._by_name)} clips measured; "
                "run the same command again to go on"
            ) from None
        finally:
            self._progress.stop()

    def _prepare(self) -> None:
        """Let the backend make ready for the first clip's frames once, before every worker does so."""
        session = self._session
        if session.note:
            self._progress.note(session.note)
        if session.extractor is None:
            return
        session.extractor.notify = self._progress.note  # type: ignore[method-assign]
        open_tasks = [task for task in session.plan.tasks if task.clip.name not in self._done]
        if fmt := first_format(session.corpus, open_tasks):
            session.extractor.prepare(fmt, session.plan.features)

    def publish(self, *, started: str, begun: float) -> RunResult:
        """Write the artefacts and say what came of the run."""
        failures = self._failure_records()
        if not self._done:
            listed = write_failures(self._outputs, failures)
            first = next(iter(self._failed.values()))
            raise IncompleteRunError(
                f"no table was written: {self._stopped_because or f'all {len(self._failed)} clips failed'}, "
                f"{first.clip} because {first.message} "
                f"(all of them in {listed})"
            )
        manifest = self._write(started=started, wall_s=time.monotonic() - begun)
        if self._stopped_because:
            raise IncompleteRunError(
                f"{self._stopped_because}; the table holds the {len(self._done)} clips measured so far, the failures are in "
                f"{self._outputs.failures}; repair them, or raise --max-failures, and run the same command again"
            )
        counters = self._counters()
        expected = not (counters["missing"] and self._session.missing_matters())
        return RunResult(
            table=self._outputs.table,
            manifest_path=self._outputs.manifest,
            manifest=manifest,
            complete=expected and not counters["failed"],
            counters=counters,
            failures=tuple(failures),
        )

    def _write(self, *, started: str, wall_s: float) -> Manifest:
        return self._publisher.publish(self._failure_records(), self._counters(), started=started, wall_s=wall_s)

    def _jobs(self) -> Iterator[Job]:
        for number, group in enumerate(self._session.plan.groups()):
            tasks = [t for t in group if t.clip.name not in self._done and t.clip.name not in self._failed]
            if tasks:
                paths = {clip.path for task in tasks for clip in (task.clip, task.reference) if clip}
                known = tuple(self._digests[path] for path in sorted(paths) if path in self._digests)
                yield Job(number=number, content=tasks[0].clip.content, tasks=tuple(tasks), known=known)

    def _take(self, message: Done | Failed | Hashed | Beat) -> None:
        match message:
            case Hashed():
                self._ledger.remember_file(message.path, message.stamp, message.sha256)
                self._digests[message.path] = message
            case Done():
                self._ledger.add_done(message.task, message.clip, message.measurement)
                self._done[message.clip] = message.task
                if not self._checked:
                    self._publisher.check_row(message.clip)
                    self._checked = True
                self._progress.done(message.clip)
            case Failed():
                self._fail(message)
            case Beat():
                self._progress.beat(message.frames)
                if message.note:
                    self._progress.note(message.note)

    def _fail(self, message: Failed) -> None:
        key = self._session.failure_key(message.task) if message.task else self._failure_key_of(message.clip)
        failure = Failure(message.clip, key, message.stage, message.message)
        self._ledger.add_failure(failure)
        self._failed[message.clip] = self._ledger.failures_of([message.clip])[message.clip]
        self._progress.failed(message.clip, message.message)
        limit = self._session.options.max_failures
        fresh = len(self._failed) - self._failed_before
        if limit is not None and fresh > limit:
            self._stopped_because = f"stopped after {fresh} failed clips (--max-failures {limit})"

    def _failure_key_of(self, clip: str) -> str | None:
        """The identity of a task whose worker died, from the digests that it sent before."""
        digests = KnownDigests(self._session.corpus, self._ledger)
        identity = self._session.identity(self._by_name[clip], digests, hash_unknown=False)
        return self._session.failure_key(identity) if identity else None

    def _failure_records(self) -> list[FailureRecord]:
        records = [
            _failure_record(problem.clip, problem.stage, problem.message, 1) for problem in self._session.plan.problems
        ]
        for name, failure in self._failed.items():
            clip = self._by_name[name].clip
            records.append(_failure_record(clip, failure.stage, failure.message, failure.attempts))
        if self._session.missing_matters():
            named = {record.clip_name for record in records}
            for clip in (clip for clip in self._session.plan.missing if clip.name not in named):
                message = (
                    f"{clip.path} {self._session.corpus.places.absence(clip)}; restore it, or pass --allow-missing"
                )
                records.append(_failure_record(clip, "missing", message, 1))
        order = {clip.name: index for index, clip in enumerate(self._session.corpus)}
        return sorted(records, key=lambda record: order[record.clip_name])

    def _counters(self) -> dict[str, int]:
        plan = self._session.plan
        by_reference = sum(problem.stage == MISSING_REFERENCE for problem in plan.problems)
        missing = {clip.name for clip in plan.missing}
        counted_as_missing = sum(problem.clip.name in missing for problem in plan.problems)
        forgiven = 0 if self._session.missing_matters() else by_reference
        counted_problems = len(plan.problems) - counted_as_missing - forgiven
        return {
            "total_clips": sum(split["clips"] for split in plan.splits.values()),
            "contents": plan.contents,
            "done_before": self._done_before,
            "pending_at_start": len(self._by_name) - self._done_before - self._failed_before,
            "ok": len(self._done) - self._done_before,
            "failed": len(self._failed) + counted_problems,
            "missing": len(plan.missing),
            "parquet_rows": len(self._done),
        }


def _failure_record(clip: Clip, stage: str, message: str, attempts: int) -> FailureRecord:
    return FailureRecord(
        clip_name=clip.name,
        path=clip.path,
        content=clip.content,
        origin=clip.origin,
        stage=stage,
        message=message,
        attempts=attempts,
    )
