"""Whether a manifest is true: every digest that it names is taken again, its own and its parents' too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from msgspec import Struct

from corekit.driver.chain import DAMAGED, Finder, Link, Places, is_manifest, open_link, place_of, sha256_at, unreadable
from corekit.errors import IntegrityError, UsageError
from corekit.files import sha256_file
from corekit.manifest import Artefact, PathRecord, TableEnvelope

State = Literal["ok", "changed", "missing", "moved", "replaced"]
Inputs = Literal["none", "labels", "all"]

CLIPS = "clips"


class VerifyOptions(Struct, frozen=True, kw_only=True):
    """What `corekit verify` is asked to do; every field is a command-line option or argument."""

    paths: tuple[Path, ...]
    inputs: Inputs = "labels"
    """``labels``: every input but the clips."""
    places: Places = Places()


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    state: State
    what: str
    """``manifest``, ``artefact``, ``parent``, ``input labels``, ``input clips``, ..."""
    path: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.state in ("changed", "missing")


class VerifyReport(Struct, frozen=True, kw_only=True):
    """Everything that was looked at, in the order of the paths given, parents after their children."""

    checks: list[Check]

    @property
    def ok(self) -> bool:
        return not any(check.failed for check in self.checks)

    def counts(self) -> dict[str, int]:
        """State to number of checks."""
        return dict(Counter(check.state for check in self.checks))


def verify(options: VerifyOptions) -> VerifyReport:
    """Check manifests, or the artefacts that they speak of, with all their parents.

    Raises
    ------
    UsageError
        A path is neither a manifest nor an artefact with one.
    """
    if not options.paths:
        raise UsageError("nothing to verify: name a manifest, a table or a model")
    verifier = _Verifier(options)
    for path in options.paths:
        verifier.start(path)
    verifier.check_roots()
    return VerifyReport(checks=verifier.checks)


class _Verifier:
    def __init__(self, options: VerifyOptions) -> None:
        self._options = options
        self._finder = Finder(options.places.search)
        self._seen: set[Path] = set()
        self._roots: set[str] = set()
        self.checks: list[Check] = []

    def start(self, path: Path) -> None:
        try:
            link = open_link(path, self._options.places)
        except IntegrityError as error:
            self._add("changed", "manifest", path, unreadable(path.absolute(), error))
            return
        self._link(link, replaced=set())
        given = place_of(path)
        named = {link.path, *link.outputs()}
        digests = {artefact.sha256 for artefact in link.manifest.artefacts.values()}
        # One that was renamed is known by its bytes.
        if given.is_file() and not is_manifest(given) and given not in named and sha256_file(given) not in digests:
            self._add("changed", "artefact", given, f"its manifest {link.path.name} does not speak of it")

    def check_roots(self) -> None:
        """Raise where a root was given that nothing is written from: most likely its name is mistyped."""
        for name in self._options.places.roots.keys() - self._roots:
            known = ", ".join(sorted(self._roots)) or "none"
            raise UsageError(f"--root {name}=: no manifest here has a root of that name; they have {known}")

    def _link(self, link: Link, replaced: set[Path]) -> None:
        """Check one manifest; ``replaced`` are files that a later command rewrote in place."""
        if link.path in self._seen:
            return
        self._seen.add(link.path)
        self._roots |= link.manifest.roots.keys() if link.sealed else self._options.places.roots.keys()
        if link.fault:
            self._add("changed", "manifest", link.path, link.fault)
        else:
            self._add("ok", "manifest", link.path, "" if link.sealed else "version 1 carries no digest of itself")
        self._consistency(link)
        for artefact in link.manifest.artefacts.values():
            self._artefact(link, artefact, replaced)
        if self._options.inputs != "none":
            parents = {parent.sha256 for parent in link.manifest.parents}
            for name, record in link.inputs():
                if record.sha256 not in parents and (name != CLIPS or self._options.inputs == "all"):
                    self._input(link, name, record)
        self._parents(link, replaced)

    def _consistency(self, link: Link) -> None:
        """What the manifest says in two places must be one."""
        outputs = link.manifest.run_provenance.outputs
        for name, artefact in link.manifest.artefacts.items():
            record = outputs.get(name)
            if isinstance(record, PathRecord) and record.sha256 != artefact.sha256:
                self._add("changed", "manifest", link.path, f"it names two digests of {artefact.file}")
        for parent in link.manifest.parents:
            if link.input_of(parent.sha256) is None:
                self._add("changed", "manifest", link.path, f"its parent {parent.file} is not among its inputs")

    def _artefact(self, link: Link, artefact: Artefact, replaced: set[Path]) -> None:
        path = link.artefact_path(artefact)
        if path in replaced:
            self._add("replaced", "artefact", path, "a later command rewrote it in place")
            return
        found = self._file("artefact", path, artefact.sha256, artefact.size_bytes)
        if (
            found is None
            or artefact.kind not in ("clip-table", "frame-table")
            or not isinstance(link.manifest, TableEnvelope)
        ):
            return
        for fault in _table_faults(found, artefact, link.manifest):
            self._add("changed", "artefact", path, fault)

    def _input(self, link: Link, name: str, record: PathRecord) -> None:
        path = link.path_of(record.path)
        what = f"input {name}"
        if path is None:
            root = record.path.partition("}")[0].lstrip("{")
            self._add("missing", what, record.path, f"the root {root} is not known here; give --root {root}=DIR")
        elif record.sha256 is not None:
            self._file(what, path, record.sha256, record.size_bytes)

    def _parents(self, link: Link, replaced: set[Path]) -> None:
        written = link.outputs()
        for parent in link.manifest.parents:
            path = link.parent_path(parent)
            record = link.input_of(parent.sha256)
            found: Path | None = path
            if path in written and sha256_at(path) != parent.sha256:
                found = self._finder.find(parent.sha256, record.size_bytes if record else None, parent.file)
                state: State = "moved" if found else "replaced"
                self._add(state, "parent", path, str(found) if found else "this command rewrote it in place")
            else:
                found = self._file("parent", path, parent.sha256, record.size_bytes if record else None)
            try:
                upward = link.parent_link(parent, found or path)
            except IntegrityError as error:
                self._add(
                    "changed",
                    "parent manifest",
                    path,
                    f"it cannot be read, and could not when it was recorded ({error})",
                )
                continue
            if upward is not None:
                self._link(upward, replaced | written if path in written else replaced)
            elif parent.manifest_sha256 is not None:
                self._add("missing", "parent manifest", path, self._of_lost_manifest(found or path))

    def _of_lost_manifest(self, file: Path) -> str:
        beside = file.with_name(f"{file.stem}.manifest.json")
        if beside.is_file():
            return f"{beside.name} is not the one that was recorded: it was edited or written anew"
        return "the manifest of this parent is not beside it"

    def _file(self, what: str, path: Path, sha256: str, size: int | None) -> Path | None:
        """Check one file; returns where its bytes are."""
        digest = sha256_at(path)
        if digest == sha256:
            self._add("ok", what, path)
            return path
        found = self._finder.find(sha256, size, path.name)
        if found is not None:
            self._add("moved", what, path, str(found))
        elif digest is None:
            self._add("missing", what, path)
        elif digest == DAMAGED:
            self._add("changed", what, path, "its archive is damaged there")
        else:
            self._add("changed", what, path, f"SHA-256 {digest[:12]}..., recorded {sha256[:12]}...")
        return found

    def _add(self, state: State, what: str, path: Path | str, detail: str = "") -> None:
        self.checks.append(Check(state=state, what=what, path=str(path), detail=detail))


def _table_faults(path: Path, artefact: Artefact, manifest: TableEnvelope) -> list[str]:
    """What of a table's rows, columns and values is not as the manifest says, though its bytes are."""
    from corekit.table import logical_sha256, read_schema

    faults = []
    names = read_schema(path).names
    if names != [column.name for column in manifest.table.columns] and artefact.kind == "clip-table":
        faults.append("its columns are not those that the manifest lists")
    rows, digest = logical_sha256(path)
    if rows != artefact.rows:
        faults.append(f"it has {rows} rows, the manifest says {artefact.rows}")
    if digest != artefact.logical_sha256:
        faults.append("its logical digest is not the one of the manifest")
    return faults
