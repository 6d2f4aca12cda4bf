"""What a run settles before its first clip: plugins, corpus, plan and backend, and what the ledger knows of every task."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from corekit.backends.base import BackendInfo, Extractor
from corekit.driver import measure
from corekit.driver.backends import Choice, choose_backend
from corekit.driver.corpus import Corpus, open_for_run
from corekit.driver.options import RunOptions, resolve_features
from corekit.driver.plan import Plan, make_plan
from corekit.driver.publish import Outputs
from corekit.driver.tasks import Hashed, Settings, Task, task_identity
from corekit.errors import ClipError, CorpusError, UsageError
from corekit.files import sha256_file
from corekit.frames import has_part
from corekit.ledger import Failure, Ledger
from corekit.model import Clip
from corekit.plugins.composition import Composition, parse_options, route_settings


class Session:
    """Everything that is settled before the first clip: plugins, corpus, plan, extractor."""

    def __init__(self, options: RunOptions, stack: ExitStack) -> None:
        options.check()
        self.options = options
        self.composition = Composition(options.disable)
        info = self.composition.add_corpus(options.corpus)
        self.broken_extensions = self.composition.add_extensions()
        features = resolve_features(options.features or info.default_features)
        self.extractor: Extractor | None = None
        self.choice: Choice | None = None
        self.backend_settings: dict[str, str] = {}
        corpus_owner = f"corpus {info.name}"
        owners = {corpus_owner: info.options}
        if features:
            self.choice = choose_backend(self.composition, options)
            backends = (self.choice.info, self.choice.fallback, self.choice.passed_over)
            owners |= {f"backend {backend.name}": backend.options for backend in backends if backend is not None}
        routed = route_settings(options.settings, owners)
        if self.choice is not None:
            backend = self.choice.info
            self.backend_settings = routed[f"backend {backend.name}"]
            parsed = parse_options(backend.options, self.backend_settings, backend.name)
            self.extractor = self.composition.extractor(features, device=self.choice.device, options=parsed)
            stack.callback(self.extractor.close)
            self._fallback_settings: dict[str, str] = {}
            if self.choice.fallback is not None:
                self._fallback_settings = routed[f"backend {self.choice.fallback.name}"]
                self._check_fallback(self.choice.fallback)
            if options.decode == "nvdec" and not self.extractor.frames_on:
                raise UsageError(
                    f"--decode nvdec: backend {backend.name} takes no frames from a GPU here; give --backend cuda on a GPU, "
                    "or leave --decode out"
                )
        self.corpus: Corpus = open_for_run(self.composition, options, routed[corpus_owner])
        self.plan: Plan = make_plan(self.corpus, options, features, routed[corpus_owner])
        for task in self.plan.tasks:
            measure.encoder_of(task, self.extractor)  # an encoder that is not there is refused before the first clip

    @property
    def backend_name(self) -> str:
        return self.choice.info.name if self.choice else "none"

    @property
    def note(self) -> str:
        """What is to be told of the choice of the backend; mostly empty."""
        return self.choice.note if self.choice else ""

    def workers(self, outputs: Outputs, jobs: int) -> list[Settings]:
        """What each worker process must know; ``jobs`` are there to be measured.

        A backend that holds devices gets a process for each, which measures its share of ``--workers`` jobs at once.
        """
        count = min(self.options.workers, jobs)
        device = self.choice.device if self.choice else "auto"
        backend = self.choice.info if self.choice else None
        settings = self._settings(outputs, backend, device, self.backend_settings)
        devices = self.extractor.devices[:count] if self.extractor else ()
        if not devices:
            return [settings] * count
        return [
            msgspec.structs.replace(settings, device=name, threads=len(range(index, count, len(devices))))
            for index, name in enumerate(devices)
        ]

    def fallback(self, outputs: Outputs, jobs: int) -> list[Settings]:
        """What the workers must know that take the place of those whose backend fails; empty where none may."""
        if self.choice is None or self.choice.fallback is None:
            return []
        settings = self._settings(outputs, self.choice.fallback, "auto", self._fallback_settings)
        return [settings] * min(self.options.workers, jobs)

    def _settings(
        self, outputs: Outputs, backend: BackendInfo | None, device: str, backend_settings: dict[str, str]
    ) -> Settings:
        options = self.options
        return Settings(
            root=str(self.corpus.root),
            backend=backend.name if backend else None,
            device=device,
            decode=options.decode,
            backend_settings=backend_settings,
            disable=options.disable,
            features=self.plan.features,
            identity=options.identity,
            frame_mismatch=options.frame_mismatch,
            frames_dir=str(outputs.frames_dir) if options.frames else None,
            timeout_s=options.timeout_s,
        )

    def _check_fallback(self, fallback: BackendInfo) -> None:
        """Refuse a fallback whose rows would not be those of the backend."""
        assert self.extractor is not None
        composition = Composition(self.options.disable)
        options = parse_options(fallback.options, self._fallback_settings, fallback.name)
        composition.add_backend(fallback.name)
        other = composition.extractor((), device="auto", options=options)
        other.close()
        if dict(other.identity) != dict(self.extractor.identity):
            raise UsageError(
                f"--fallback {fallback.name}: its values are not those of {self.backend_name} "
                f"({dict(other.identity)} against {dict(self.extractor.identity)}), and one table must not mix them; leave it out"
            )

    def missing_matters(self) -> bool:
        """Whether a missing clip makes the run incomplete."""
        return not (self.options.allow_missing or self.corpus.info.missing_is_normal)

    def refuse_empty(self) -> None:
        """Refuse a run that could not write a single row."""
        plan, corpus = self.plan, self.corpus
        if plan.tasks:
            return
        where = f"{corpus.info.title} at {corpus.root}"
        if not corpus.clips:
            raise CorpusError(f"the label files of {where} name no clip; check --root")
        if plan.problems and len(plan.missing) < len(corpus.clips):
            first = plan.problems[0]
            raise CorpusError(
                f"no clip of {where} can be measured: {len(plan.missing)} are missing and {len(plan.problems)} have a "
                f"problem, the first: {first.message}"
            )
        if plan.missing:
            raise CorpusError(
                f"none of the {len(plan.missing)} clips that the labels of {where} name is there (the first: "
                f"{plan.missing[0].path}); check --root"
            )
        if not self.options.shard:
            raise CorpusError(
                f"every clip of {where} that was asked for is a reference; name others, or pass --include-references"
            )
        raise CorpusError(f"{where} has no clip in shard {self.options.shard}; choose another --shard")

    def sort(
        self, ledger: Ledger, *, remember: bool = True
    ) -> tuple[dict[str, str], dict[str, Failure], dict[str, Hashed]]:
        """Look every task up in the ledger.

        Returns clip name to identity of the tasks that are done, clip name to failure of those that failed for good, and the
        known digests by path. A file whose digest is not cached is hashed here only where the ledger knows its clip.
        """
        finished, failures = ledger.done_tasks(), ledger.failures()
        familiar = ledger.clips() | failures.keys()
        digests = KnownDigests(self.corpus, ledger, rehash=self.options.rehash, remember=remember)
        done: dict[str, str] = {}
        failed: dict[str, Failure] = {}
        for task in self.plan.tasks:
            clip = task.clip
            identity = self.identity(task, digests, hash_unknown=clip.name in familiar)
            if identity is None:
                continue
            if identity in finished and self._is_current(ledger, task, identity):
                done[clip.name] = identity
            elif clip.name in failures and failures[clip.name].task == self.failure_key(identity):
                failed[clip.name] = failures[clip.name]
        return done, failed, digests.known

    def identity(self, task: Task, digests: KnownDigests, *, hash_unknown: bool) -> str | None:
        """The task's identity, or None while a digest is not known."""
        clip = digests.of(task.clip, hash_unknown)
        reference = digests.of(task.reference, hash_unknown) if task.reference else None
        if clip is None or (task.reference is not None and reference is None):
            return None
        side = self.extractor.side_inputs(task.clip) if self.extractor else ()
        return task_identity(
            task,
            clip_sha256=clip,
            ref_sha256=reference,
            features=self.plan.features,
            identity=self.options.identity,
            backend=self.extractor.identity if self.extractor else {},
            decoder=measure.decoder_identity(self.extractor),
            side_sha256=tuple(sha256_file(path) for path in side if path.is_file()),
            encoder=measure.encoder_of(task, self.extractor),
        )

    def failure_key(self, identity: str) -> str:
        """A failure also depends on what the run lets pass."""
        return f"{identity}:{self.options.frame_mismatch}"

    def _is_current(self, ledger: Ledger, task: Task, identity: str) -> bool:
        options = self.options
        wants_part = options.frames and self.extractor is not None
        wants_equal = options.frame_mismatch == "error" and task.reference is not None
        measurement = ledger.measurement(identity) if wants_part or wants_equal else None
        if measurement is None:
            return not (wants_part or wants_equal)
        if wants_part and not (measurement.frames_sha256 and has_part(Outputs.of(options).frames_dir, identity)):
            return False
        return not wants_equal or measurement.frames_ref == measurement.frames_dis


class KnownDigests:
    """Digests of the corpus's files as far as the ledger's cache knows them."""

    def __init__(self, corpus: Corpus, ledger: Ledger, *, rehash: bool = False, remember: bool = True) -> None:
        self._corpus = corpus
        self._ledger = ledger
        self._rehash = rehash
        self._remember = remember
        self.known: dict[str, Hashed] = {}

    def of(self, clip: Clip, hash_unknown: bool) -> str | None:
        if clip.path in self.known:
            return self.known[clip.path].sha256
        places = self._corpus.places
        try:
            stamp = places.stamp(clip)
            digest = None if self._rehash else self._ledger.known_sha256(clip.path, stamp)
            if digest is None and hash_unknown:
                digest = places.sha256(clip)
                if self._remember:
                    self._ledger.remember_file(clip.path, stamp, digest)
        except (OSError, ClipError):
            return None  # the worker meets the same error and says so
        if digest is not None:
            self.known[clip.path] = Hashed(clip.path, stamp, digest)
        return digest
