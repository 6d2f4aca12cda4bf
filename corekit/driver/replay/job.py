"""One replay: the inputs found, the command run again in a scratch folder, the results compared and attested."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct

from corekit.driver import provenance
from corekit.driver.chain import Finder, Link, Places, is_there, open_link, sha256_at
from corekit.driver.enrich import EnrichOptions, enrich
from corekit.driver.merge import InputPath, MergeOptions, merge
from corekit.driver.options import RunOptions
from corekit.driver.publish import provenance_time
from corekit.driver.replay.compare import ColumnDifference, Compared, compare_tables
from corekit.driver.run import run
from corekit.driver.train import TrainOptions, train
from corekit.errors import CorekitError, GateError, UsageError
from corekit.files import write_atomic
from corekit.manifest import (
    Artefact,
    CodeRecord,
    EnrichManifest,
    Manifest,
    MergeManifest,
    ParentRecord,
    TrainManifest,
    read_manifest,
    restore,
)
from corekit.plugins.composition import Composition

Result = Literal["equal", "within tolerance", "different", "not replayable"]

_TABLES = ("clip-table", "frame-table", "predictions")
_CLIP_KEY = ("corpus", "clip_name", "encoder", "preset", "crf", "extra_params", "frame_index", "source", "clip")
_ALTERED = "the recorded file is not the one that its manifest speaks of"
_OF_BACKEND = frozenset({"feature_backend", "ffmpeg_version", "vmaf_binary_version"})
"""Columns that say who measured."""


class ReplayOptions(Struct, frozen=True, kw_only=True):
    """What `corekit replay` is asked to do; every field is a command-line option or argument."""

    path: Path
    sample: int | None = 8
    """Rows of a run that are measured again, drawn by the manifest's run id; None measures all of them."""
    backend: str | None = None
    """Another backend than the recorded one."""
    workers: int = 1
    places: Places = Places()
    attest: bool = True
    """Write the result beside the manifest."""


class ArtefactResult(Struct, frozen=True, kw_only=True):
    """One artefact beside the one that was made again."""

    file: str
    result: Result
    rows: int | None = None
    """Rows compared, of a table that is not equal by digest."""
    differences: list[ColumnDifference] = []
    missing_rows: list[str] = []
    """Recorded rows that were not made again."""
    new_rows: list[str] = []
    detail: str = ""


class ReplayReport(Struct, frozen=True, kw_only=True):
    """What a replay found; also the attestation that it leaves, ``<manifest>.replay.json``."""

    schema: Literal["corekit-replay-1"] = "corekit-replay-1"
    manifest: str
    manifest_sha256: str
    command: str
    result: Result
    artefacts: list[ArtefactResult]
    sampled: list[str] | None
    """Clips of a sample; None where everything was made again."""
    reasons: list[str]
    """Why something cannot be replayed."""
    environment: dict[str, list[str]]
    """What of the versions differs: name to the recorded and the present one."""
    replayed: str
    """When, ISO 8601 UTC."""
    code: CodeRecord


class _Impossible(Exception):
    """Why a command cannot be run again, in one sentence."""


def replay(options: ReplayOptions) -> ReplayReport:
    """Make an artefact again and compare.

    Raises
    ------
    UsageError
        There is no manifest, or its command cannot be replayed.
    PluginError
        There is no backend of the name that was asked for.
    IntegrityError
        The manifest cannot be read.
    """
    if options.backend and options.backend != "auto":
        Composition().add_backend(options.backend)
    link = open_link(options.path, options.places)
    with tempfile.TemporaryDirectory(prefix="corekit-replay-") as scratch:
        report = _Replay(link, options, Path(scratch)).run()
    if options.attest:
        content = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
        try:
            write_atomic(attestation_path(link.path), content)
        except OSError as error:  # hours of work are not to be lost with it
            kept = f"this result could not be kept in {attestation_path(link.path)} ({error.strerror})"
            return msgspec.structs.replace(report, reasons=[*report.reasons, kept])
    return report


def attestation_path(manifest: Path) -> Path:
    """Where the result of a replay goes: ``<stem>.replay.json`` beside the manifest."""
    return manifest.with_name(f"{manifest.name.removesuffix('.json').removesuffix('.manifest')}.replay.json")


class _Replay:
    def __init__(self, link: Link, options: ReplayOptions, scratch: Path) -> None:
        self._link = link
        self._options = options
        self._scratch = scratch
        self._finder = Finder(options.places.search)
        self._sampled: frozenset[str] | None = None
        self._reasons: list[str] = []
        self._missing = 0
        """Clips that are not there."""

    def run(self) -> ReplayReport:
        manifest = self._link.manifest
        match manifest:
            case Manifest():
                make: Callable[[], Path] = self._run
            case EnrichManifest():
                make = self._enrich
            case MergeManifest():
                make = self._merge
            case TrainManifest():
                make = self._train
            case _:
                raise UsageError(
                    f"{self._link.path}: `corekit {self._link.command}` is not replayed; run it again, or replay its parents"
                )
        artefacts: list[ArtefactResult] = []
        try:
            again = make()
        except _Impossible as error:
            self._reasons.append(str(error))
        except CorekitError as error:
            self._reasons.append(f"the command failed this time: {error}")
        else:
            artefacts = [self._compared(artefact, again) for artefact in self._replayed()]
        if self._link.fault:
            self._reasons.append(f"the manifest is not the one that was written: {self._link.fault}")
        return ReplayReport(
            manifest=self._link.path.name,
            manifest_sha256=hashlib.sha256(self._link.content).hexdigest(),
            command=self._link.command,
            result="different" if self._link.fault else _worst([one.result for one in artefacts] or ["not replayable"]),
            artefacts=artefacts,
            sampled=sorted(self._sampled) if self._sampled is not None else None,
            reasons=self._reasons,
            environment=_differences(manifest.code, provenance.code_record([])),
            replayed=provenance_time(),
            code=provenance.code_record([]),
        )

    def _arguments(self) -> dict[str, Any]:
        """The recorded options with the folders of this machine in them."""
        return {
            name: _restored(value, self._link.roots) for name, value in self._link.manifest.run_provenance.args.items()
        }

    def _options_of(self, type_: type[Any], **changes: Any) -> Any:
        arguments = {**self._arguments(), **changes}
        known = {field.name for field in msgspec.structs.fields(type_)}
        try:
            return msgspec.convert({k: v for k, v in arguments.items() if k in known}, type_, dec_hook=_path)
        except msgspec.ValidationError as error:
            raise _Impossible(f"the recorded options are not those of this corekit ({error})") from error

    def _run(self) -> Path:
        manifest = self._link.manifest
        assert isinstance(manifest, Manifest)
        root = self._link.path_of("{corpus}") or self._link.path_of(self._root_record())
        if root is None or not root.is_dir():
            raise _Impossible("the corpus is not found; give --root corpus=DIR")
        out = self._scratch / "again.parquet"
        only = self._sample(manifest)
        missing = [
            record.path for name, record in self._link.inputs() if name == "clips" and not self._is_there(record.path)
        ]
        self._missing = len(missing)
        if missing:
            self._reasons.append(
                f"{len(missing)} clips are not there, the first: {missing[0]}; their rows are not made again"
            )
        options = self._options_of(
            RunOptions,
            root=str(root), out=str(out), state_dir=None, manifest_out=None, workers=self._options.workers,
            backend=self._options.backend or manifest.backend.name if manifest.backend.name != "none" else "auto",
            allow_missing=True, max_failures=None, snapshot=None, retry_failed=False, rehash=False, record_host=False,
            **({"device": "auto", "decode": "cpu", "fallback": ""} if self._options.backend else {}),
            **({"only": list(only)} if only else {}),
        )  # fmt: skip
        result = run(options)
        for failure in result.failures:
            if failure.stage != "missing":
                self._reasons.append(f"{failure.clip_name} failed this time: {failure.message}")
        return out

    def _root_record(self) -> str:
        record = self._link.manifest.run_provenance.inputs.get("root")
        return record.path if record is not None and not isinstance(record, list) else "{corpus}"

    def _is_there(self, text: str) -> bool:
        path = self._link.path_of(text)
        return path is not None and is_there(path)

    def _sample(self, manifest: Manifest) -> tuple[str, ...]:
        """Clips drawn by the manifest's run id; empty for all of them, which also replays the table whole."""
        table = manifest.artefacts["table"]
        if self._options.sample is None or (table.rows or 0) <= self._options.sample:
            return ()
        from corekit.table import read_batches

        path = self._link.artefact_path(table)
        if not path.is_file():
            raise _Impossible(
                f"{path} is not there, so no row can be drawn from it; replay --all, or put the table back"
            )
        names = [name for batch in read_batches(path, ["clip_name"]) for name in batch.column("clip_name").to_pylist()]
        seed = int.from_bytes(hashlib.sha256(manifest.run_id.encode()).digest()[:8], "big")
        drawn = np.random.default_rng(seed).choice(len(names), size=self._options.sample, replace=False)
        self._sampled = frozenset(names[row] for row in drawn)
        return tuple(sorted(self._sampled))

    def _enrich(self) -> Path:
        parent = self._link.manifest.parents[0]
        out = self._scratch / "again.parquet"
        options = self._options_of(
            EnrichOptions,
            table=str(self._obtain(parent)),
            out=str(out),
            manifest_out=None,
            dry_run=False,
            record_host=False,
        )
        if options.metadata is not None and not options.metadata.is_file():
            raise _Impossible(
                f"the metadata {options.metadata} is not there; put it back, or give --root for its folder"
            )
        enrich(options)
        if not out.is_file():
            raise _Impossible("nothing changes any more: the table before is not what it was")
        return out

    def _merge(self) -> Path:
        manifest = self._link.manifest
        assert isinstance(manifest, MergeManifest)
        out = self._scratch / f"again{Path(manifest.artefacts['table'].file).suffix}"
        inputs = [
            InputPath.of(self._obtain(parent), given.label)
            for given, parent in zip(manifest.merge.inputs, manifest.parents, strict=True)
        ]
        sources = {
            (given.label if name in (given.label, given.file) else name): corpus
            for name, corpus in self._arguments().get("corpus_sources", {}).items()
            for given in manifest.merge.inputs
            if Path(name).name == given.file or name == given.label
        }
        options = self._options_of(
            MergeOptions,
            inputs=inputs, out=str(out), input_list=None, manifest_out=None, corpus_sources=sources, record_host=False,
        )  # fmt: skip
        merge(options)
        return out

    def _train(self) -> Path:
        manifest = self._link.manifest
        assert isinstance(manifest, TrainManifest)
        tables = [self._obtain(parent) for parent in manifest.parents]
        out = self._scratch / "model"
        changes: dict[str, Any] = {"out": str(out), "model_id": manifest.train.model_id, "record_host": False}
        protocol = manifest.train.protocol
        if protocol.startswith("cross:"):
            changes["protocol"] = f"cross:{tables.pop()}"
        options = self._options_of(TrainOptions, tables=[str(path) for path in tables], **changes)
        with suppress(GateError):  # as recorded or not, the comparison shows it
            train(msgspec.structs.replace(options, workers=self._options.workers))
        return out / "model.manifest.json"

    def _obtain(self, parent: ParentRecord) -> Path:
        """A parent's file: where it was, found by its digest, or made again where a later command rewrote it in place."""
        path = self._link.parent_path(parent)
        if sha256_at(path) == parent.sha256:
            return path
        record = self._link.input_of(parent.sha256)
        found = self._finder.find(parent.sha256, record.size_bytes if record else None, parent.file)
        if found is not None:
            return found
        upward = self._link.parent_link(parent, path)
        if path in self._link.outputs() and upward is not None:
            return self._made_again(upward, parent)
        state = "was changed" if path.is_file() else "is not there"
        raise _Impossible(f"its input {path} {state}; put it back, or give --search DIR to find it by its digest")

    def _made_again(self, upward: Link, parent: ParentRecord) -> Path:
        """The table before an in-place rewrite, from its own manifest."""
        folder = self._scratch / f"parent-{parent.sha256[:12]}"
        folder.mkdir(exist_ok=True)
        options = msgspec.structs.replace(self._options, sample=None)
        inner = _Replay(upward, options, folder)
        made = inner._run() if isinstance(upward.manifest, Manifest) else inner._enrich()
        from corekit.table import logical_sha256

        recorded = upward.manifest.artefacts["table"].logical_sha256
        if logical_sha256(made)[1] != recorded:
            raise _Impossible(
                f"its input {parent.file} was rewritten in place, and what {upward.path.name} makes now is not equal to it"
            )
        return made

    def _replayed(self) -> list[Artefact]:
        """The artefacts that a replay makes: not what merely lists failures, nor the view of a run's own table."""
        left_out = {"failures", "duplicates"} if self._link.command == "merge" else {"failures", "v3-jsonl"}
        return [artefact for artefact in self._link.manifest.artefacts.values() if artefact.kind not in left_out]

    def _compared(self, artefact: Artefact, again: Path) -> ArtefactResult:
        made, digest = self._made(artefact, again)
        if digest is None:
            return ArtefactResult(file=artefact.file, result="different", detail="it was not made this time")
        recorded = self._link.artefact_path(artefact)
        altered = sha256_at(recorded) not in (artefact.sha256, None)
        if artefact.kind not in _TABLES:
            equal = digest.sha256 == artefact.sha256
            detail = "" if equal else f"SHA-256 {digest.sha256[:12]}..., recorded {artefact.sha256[:12]}..."
            detail = _ALTERED if altered else detail
            return ArtefactResult(
                file=artefact.file, result="equal" if equal and not altered else "different", detail=detail
            )
        if digest.logical_sha256 == artefact.logical_sha256 and not altered:
            return ArtefactResult(file=artefact.file, result="equal", rows=artefact.rows)
        if not recorded.is_file():
            return ArtefactResult(
                file=artefact.file,
                result="different",
                detail="the recorded table is not there to be compared cell by cell",
            )
        ignore = frozenset({"run_id"}) if self._sampled is not None or self._options.backend else frozenset()
        if self._options.backend:
            ignore |= _OF_BACKEND
        try:
            found = compare_tables(
                recorded, made, key=_CLIP_KEY, ignore=ignore, clips=self._sampled, backends=self._backends()
            )
        except CorekitError as error:
            return ArtefactResult(file=artefact.file, result="different", detail=str(error))
        return ArtefactResult(
            file=artefact.file,
            result="different" if altered else self._result(found),
            rows=found.rows,
            differences=found.differences,
            missing_rows=found.only_recorded,
            new_rows=found.only_made_again,
            detail=_ALTERED if altered else "",
        )

    def _result(self, found: Compared) -> Result:
        if found.only_made_again or not all(one.within for one in found.differences):
            return "different"
        if found.only_recorded:  # rows of clips that are not there say nothing
            return "not replayable" if self._missing else "different"
        return "within tolerance" if found.differences else "equal"

    def _backends(self) -> tuple[str, str]:
        """Who measured what was recorded, and who measures now."""
        manifest = self._link.manifest
        recorded = manifest.backend.name if isinstance(manifest, Manifest) else "cpu"
        return recorded, self._options.backend or recorded

    def _made(self, artefact: Artefact, again: Path) -> tuple[Path, Artefact | None]:
        """Where the artefact that was made again lies, and its record."""
        manifest = again if again.name.endswith(".manifest.json") else again.with_name(f"{again.stem}.manifest.json")
        artefacts = read_manifest(manifest).artefacts
        name = next(name for name, one in self._link.manifest.artefacts.items() if one is artefact)
        made = artefacts.get(name)
        return manifest.parent / (made.file if made else artefact.file), made


def _restored(value: Any, roots: Mapping[str, Path]) -> Any:
    if isinstance(value, str):
        return restore(value, roots)
    if isinstance(value, list):
        return [_restored(one, roots) for one in value]
    if isinstance(value, dict):
        return {_restored(key, roots): _restored(one, roots) for key, one in value.items()}
    return value


def _path(type_: type, value: Any) -> Any:
    return Path(value)


def _worst(results: list[Result]) -> Result:
    order: tuple[Result, ...] = ("equal", "within tolerance", "not replayable", "different")
    return max(results, key=order.index)


def _differences(recorded: CodeRecord, present: CodeRecord) -> dict[str, list[str]]:
    """Name to the recorded and the present version, where they differ."""
    pairs = {"corekit": (recorded.corekit, present.corekit), "python": (recorded.python, present.python)}
    for name in sorted(recorded.packages.keys() | present.packages.keys()):
        pairs[name] = (recorded.packages.get(name, "-"), present.packages.get(name, "-"))
    if recorded.git_commit and present.git_commit:
        pairs["git commit"] = (recorded.git_commit, present.git_commit)
    return {name: [one, other] for name, (one, other) in pairs.items() if one != other}
