"""Rules for what a run makes of a corpus: missing clips, the table, its features, its manifest, and a kill -9 on the way."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from corekit.driver.measure import SELF_REASON
from corekit.driver.options import resolve_features
from corekit.driver.run import plan
from corekit.errors import CorekitError
from corekit.files import sha256_file
from corekit.manifest import Manifest, PathRecord
from corekit.manifest.roots import CORPUS
from corekit.model import Clip
from corekit.schema import CORE_COLUMNS
from corekit.testing.corpus import CorpusSubject, RunOutcome, explain
from corekit.testing.reading_rules import (
    ColumnsAsDeclared,
    ContentsNamed,
    NamesUnique,
    PathsInsideRoot,
    ReadingIsDeterministic,
    ReadingRule,
    SplitsContentDisjoint,
)
from corekit.testing.rule import Fault, Rule

_OPENABLE = (
    ReadingIsDeterministic.name,
    NamesUnique.name,
    PathsInsideRoot.name,
    ContentsNamed.name,
    SplitsContentDisjoint.name,
)


class MissingFileIsCounted(ReadingRule):
    """A clip that a label file names and whose file is missing is still read, and counted as missing."""

    name = "missing-file-is-counted"
    failure = (
        "without {path} {problem}; yield every clip that the labels name and leave it to core to look for the file"
    )
    needs = _OPENABLE
    asked = "plugins that read label files, where a clip lies in a file of its own"

    def exemption(self, subject: CorpusSubject) -> str:
        if super().exemption(subject):
            return super().exemption(subject)
        return "" if _named_and_present(subject) else "no clip that a label file names lies there as a file of its own"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        copy = subject.work / "one-clip-less"
        shutil.copytree(subject.root, copy, copy_function=_link)
        gone = _named_and_present(subject)[-1]
        (copy / gone.path).unlink()
        try:
            names = {clip.name for clip in subject.read(copy)}
            before, after = (_missing(subject, root) for root in (subject.root, copy))
        except CorekitError as error:
            yield {"path": gone.path, "problem": f"the corpus cannot be read ({explain(error)})"}
            return
        lost = [clip.name for clip in subject.clips if clip.name not in names]
        if lost:
            yield {"path": gone.path, "problem": f"the reader leaves out {', '.join(lost)}"}
        elif after != before + 1:
            yield {"path": gone.path, "problem": f"{after - before} clips more are counted as missing, not 1"}


def _named_and_present(subject: CorpusSubject) -> list[Clip]:
    return [clip for clip in subject.clips if clip.origin and (subject.root / clip.path).is_file()]


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(os.path.realpath(source))


def _missing(subject: CorpusSubject, root: Path) -> int:
    options = subject.run_options(subject.work / "planned.parquet")
    return plan(msgspec.structs.replace(options, root=root, features="none", limit=None)).missing


class RunsToATable(ReadingRule):
    """A run writes a table of core's columns and then the declared ones, with a row for a clip, and a manifest."""

    name = "runs-to-a-table"
    failure = "corekit run --corpus {name} {problem}; run it on the same root to see all that it says"
    needs = (*_OPENABLE, ColumnsAsDeclared.name)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        answer = subject.undisturbed.answer
        if answer.code:
            yield {"name": subject.name, "problem": f"ends with exit code {answer.code}: {answer.words}"}
            return
        found = subject.undisturbed.table.data.column_names
        wanted = [column.name for column in CORE_COLUMNS]
        own = sorted(column.name for column in subject.info.columns)
        if found[: len(wanted)] != wanted or sorted(found[len(wanted) : len(wanted) + len(own)]) != own:
            strange = [name for name in found if name not in wanted and name not in own]
            yield {"name": subject.name, "problem": f"writes other columns than declared: {', '.join(strange)}"}


class RunRule(ReadingRule):
    """A rule on what a run has written."""

    needs = (RunsToATable.name,)


class FeaturesFinite(RunRule):
    """Every feature that the test class declares has a finite value in every row, but for full-reference ones under nr."""

    name = "features-finite"
    failure = (
        "{feature} of {name} has no finite value ({reason}); let the sample's clips be large and long enough for it"
    )

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        nulls = subject.undisturbed.manifest.nulls
        for row in _rows(subject):
            for feature in resolve_features(subject.features):
                reasons = [null.reason for null in nulls.get(feature, ())]
                if row[f"{feature}_mean"] is None and SELF_REASON not in reasons:
                    yield {"feature": feature, "name": row["clip_name"], "reason": "; ".join(reasons)}


def _rows(subject: CorpusSubject) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = subject.undisturbed.table.data.to_pylist()
    return rows


class ManifestListsEveryInput(RunRule):
    """The manifest lists the SHA-256 of every file that a row comes from: label files that were read, clips, references."""

    name = "manifest-lists-every-input"
    failure = "the manifest {problem}; name every file that is read in the origin of a clip, and change none on the way"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        listed = _listed(subject.undisturbed.manifest)
        by_name = {clip.name: clip.path for clip in subject.clips}
        read = {*subject.readings[0].found["opened"]}
        for row in _rows(subject):
            read |= {by_name[name] for name in (row["clip_name"], row["ref_clip_name"]) if name in by_name}
        for path in sorted(read):
            if path not in listed:
                yield {"problem": f"does not list {path}, which was read"}
            elif listed[path] != sha256_file(subject.root / path):
                yield {"problem": f"lists {path} with a digest that is not the file's"}


def _listed(manifest: Manifest) -> dict[str, str | None]:
    """Path below the corpus root to digest of every input."""
    records: list[PathRecord] = []
    for value in manifest.run_provenance.inputs.values():
        records += [value] if isinstance(value, PathRecord) else value
    return {record.path.removeprefix(f"{{{CORPUS}}}/"): record.sha256 for record in records}


class ResumesToTheSameBytes(RunRule):
    """A run that is killed with SIGKILL half way and started again writes the bytes of an undisturbed run."""

    name = "resumes-to-the-same-bytes"
    failure = "after kill -9 and a new start {problem}; let no column depend on time, process, chance or order of calls"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        rows = subject.undisturbed.table.data.num_rows
        killed = subject.run("killed", kill_after=max(1, rows // 2))
        if killed.answer.code != -signal.SIGKILL:
            yield {"problem": f"nothing can be said: the run ended before it was killed ({killed.answer.words})"}
            return
        resumed = subject.run("killed")
        if resumed.answer.code:
            yield {"problem": f"the run ends with exit code {resumed.answer.code}: {resumed.answer.words}"}
        elif resumed.table_path.read_bytes() != subject.undisturbed.table_path.read_bytes():
            yield {"problem": f"the table differs in {', '.join(_differing(resumed, subject)) or 'its metadata'}"}


def _differing(resumed: RunOutcome, subject: CorpusSubject) -> list[str]:
    first, second = subject.undisturbed.table.data, resumed.table.data
    return [name for name in first.column_names if name not in second.column_names or first[name] != second[name]]


RUN_RULES: tuple[type[Rule[CorpusSubject]], ...] = (
    MissingFileIsCounted,
    RunsToATable,
    FeaturesFinite,
    ManifestListsEveryInput,
    ResumesToTheSameBytes,
)
