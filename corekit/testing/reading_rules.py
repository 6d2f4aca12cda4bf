"""Rules for what a corpus plugin reads and how it shapes rows; no clip is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from corekit.driver.labels import label_problem
from corekit.driver.origins import LabelPlaces
from corekit.errors import CorekitError
from corekit.model import Column, CorpusInfo, Value
from corekit.plugins.declared import UndeclaredTypeError, clip_as_declared
from corekit.schema import CORE_COLUMNS
from corekit.testing.corpus import CorpusSubject, explain
from corekit.testing.corpus_rules import SampleReadsBack
from corekit.testing.rule import Fault, Rule
from corekit.testing.subject import HookFailedError

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


class ReadingRule(Rule[CorpusSubject]):
    """A rule on what the plugin reads."""

    asked = "plugins that read"

    def exemption(self, subject: CorpusSubject) -> str:
        return "" if subject.reads else "the plugin does not read its corpus"


class YieldsTypedClips(ReadingRule):
    """Reading the root yields at least one Clip, and every field of it has the type that the Clip declares."""

    name = "yields-typed-clips"
    failure = "{where}: {problem}; yield Clips as corekit.Clip declares them"
    needs = (SampleReadsBack.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        try:
            clips = subject.yielded(subject.root)
        except CorekitError as error:
            yield {"where": subject.root, "problem": f"it cannot be read ({explain(error)})"}
            return
        if not clips:
            yield {"where": subject.root, "problem": "nothing was read"}
        for clip in clips:
            try:
                clip_as_declared(clip)
            except UndeclaredTypeError as error:
                yield {"where": clip.origin or clip.name, "problem": error}


class ReadingIsDeterministic(ReadingRule):
    """Reading yields the same clips in the same order every time, in every process."""

    name = "reading-is-deterministic"
    failure = "two readings differ: clip number {number} is {first}, then {second}; sort what has no order of its own"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        here = msgspec.json.decode(msgspec.json.encode(subject.clips))
        readings = [answer.found["clips"] if answer.found else [answer.words] for answer in subject.readings]
        for reading in readings:
            if reading != here:
                pairs = zip([*here, None], [*reading, None], strict=False)
                number, (first, second) = next((n, p) for n, p in enumerate(pairs, start=1) if p[0] != p[1])
                yield {"number": number, "first": _shown(first), "second": _shown(second)}


def _shown(clip: object) -> str:
    return str(clip.get("name")) if isinstance(clip, dict) else "none" if clip is None else str(clip)


class ReadingOpensNoVideo(ReadingRule):
    """Reading opens label files only: no file that is a clip, and no library that decodes."""

    name = "reading-opens-no-video"
    failure = "reading the corpus {what}; core opens the clips, a reader opens label files alone"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        found = subject.readings[0].found or {"opened": [], "heavy": []}
        clips = {clip.path for clip in subject.clips}
        for path in found["opened"]:
            if path in clips:
                yield {"what": f"opened {path}"}
        if found["heavy"]:
            yield {"what": f"loaded {' and '.join(found['heavy'])}"}


class NamesUnique(ReadingRule):
    """Every clip of the corpus has a name of its own."""

    name = "names-unique"
    failure = (
        "the clip {name} is yielded at {first} and again at {second}; yield it once, with a problem where rows differ"
    )
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for clip in subject.clips:
            where = clip.origin or clip.path
            if clip.name in seen:
                yield {"name": clip.name, "first": seen[clip.name], "second": where}
            seen[clip.name] = where


class PathsInsideRoot(ReadingRule):
    """Every path is relative to the root, stays below it, and ends in the clip's name."""

    name = "paths-inside-root"
    failure = "{where}: the path {path!r} of {name!r} {problem}; refuse such a row with a LabelError"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        for clip in subject.clips:
            path = PurePosixPath(clip.path)
            problem = ""
            if path.is_absolute() or ".." in path.parts or "\\" in clip.path or "\0" in clip.path:
                problem = "leaves the root"
            elif path.name != clip.name:
                problem = "does not end in its name"
            if problem:
                yield {"where": clip.origin or "a clip", "path": clip.path, "name": clip.name, "problem": problem}


class ContentsNamed(ReadingRule):
    """Every clip names its content."""

    name = "contents-named"
    failure = "{where}: the content of {name} is empty; name the scene, or give each clip its own name as its content"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        for clip in subject.clips:
            if not clip.content:
                yield {"where": clip.origin or clip.path, "name": clip.name}


class SplitsContentDisjoint(ReadingRule):
    """All clips of a content are in one split."""

    name = "splits-content-disjoint"
    failure = "content {content!r} is in {splits}; give all its clips one split, or none so that core derives it"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        splits: dict[str, set[str]] = defaultdict(set)
        for clip in subject.clips:
            splits[clip.content].add(clip.split or "no split")
        for content, found in splits.items():
            if len(found) > 1:
                yield {"content": content, "splits": " and in ".join(sorted(found))}


class OneReferencePerContent(ReadingRule):
    """Under fr exactly one clip of every content is the reference."""

    name = "one-reference-per-content"
    failure = "content {content!r} has {references}; mark one clip of it as the reference, or offer no fr pairing"
    needs = (YieldsTypedClips.name,)
    asked = "plugins that read and offer the pairing fr"

    def exemption(self, subject: CorpusSubject) -> str:
        if super().exemption(subject):
            return super().exemption(subject)
        if "fr" not in subject.info.pairings or any(clip.unpaired for clip in subject.clips):
            return "the corpus offers no fr pairing here"
        return ""

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        references: dict[str, list[str]] = {clip.content: [] for clip in subject.clips}
        for clip in subject.clips:
            if clip.is_reference:
                references[clip.content].append(clip.name)
        for content, names in references.items():
            if len(names) != 1:
                found = f"{len(names)} references, {' and '.join(names)}" if names else "no reference"
                yield {"content": content, "references": found}


class LabelsInsideScale(ReadingRule):
    """Every label is a finite number of the declared kind and scale, or says what its problem is; no spread is negative and
    no count below 1.
    """

    name = "labels-inside-scale"
    failure = "{problem}, or the scale in its CorpusInfo, or give the Label this as its problem"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        for clip in subject.clips:
            problem = "" if clip.label.problem else label_problem(clip, subject.info)
            if problem:
                yield {"problem": problem}


class OriginsNameLabelLines(ReadingRule):
    """The origin of every labelled clip names a line of a label file that exists below the root, relative to it."""

    name = "origins-name-label-lines"
    failure = "the origin {origin!r} of {name} {problem}; write <label file relative to the root>:<line>, lines from 1"
    needs = (YieldsTypedClips.name,)
    asked = "plugins that read labels"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        lines: dict[str, int | None] = {}
        places = LabelPlaces(subject.root, {})
        for clip in subject.clips:
            origins = [clip.origin, *clip.other_origins]
            if not clip.origin and clip.label.kind in ("none", "teacher"):
                origins.remove("")
            for origin in origins:
                file, _, line = origin.rpartition(":")
                if file not in lines:
                    path = subject.root / file
                    there = bool(file) and not places.astray([file]) and path.is_file()
                    lines[file] = path.read_bytes().count(b"\n") + 1 if there else None
                last = lines[file]
                problem = ""
                if last is None:
                    problem = "names no file below the root"
                elif not (line.isdecimal() and 1 <= int(line) <= last):
                    problem = f"names no line of it (it has {last})"
                if problem:
                    yield {"origin": origin, "name": clip.name, "problem": problem}


class RowEqualsV3Schema(ReadingRule):
    """The plugin's row leaves the v3 row and core's other columns to core."""

    name = "row-equals-the-v3-schema"
    failure = "corekit_shape_row for {name} {problem}; core writes its columns itself, return the corpus's own alone"
    needs = (YieldsTypedClips.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        taken = {column.name for column in CORE_COLUMNS}
        for clip in subject.clips:
            try:
                own = subject.own_columns(clip)
            except (HookFailedError, TypeError, ValueError) as error:
                yield {"name": clip.name, "problem": f"returns no columns ({error})"}
                return
            for column in own:
                if getattr(column, "name", None) in taken:
                    yield {"name": clip.name, "problem": f"claims core's column {column.name!r}"}
                    return


class ColumnsAsDeclared(ReadingRule):
    """The row of every clip has exactly the columns of CorpusInfo.columns, prefixed and with values of their types."""

    name = "columns-as-declared"
    failure = (
        "corekit_shape_row for {name} {problem}; return every column of CorpusInfo.columns, None where it has no value"
    )
    needs = (RowEqualsV3Schema.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        for clip in subject.clips:
            for problem in _column_problems(subject.own_columns(clip), subject.info):
                yield {"name": clip.name, "problem": problem}
                return


def _column_problems(own: dict[Column, Value], info: CorpusInfo) -> Iterator[str]:
    for column in info.columns:
        if column not in own:
            yield f"lacks the declared column {column.name!r}"
    for column, value in own.items():
        if not isinstance(column, Column):
            yield f"returned the key {column!r}, which is no Column"
        elif column not in info.columns:
            yield f"returned {column.name!r} ({column.type}), which is not declared so"
        elif not column.name.startswith(f"{info.name}_") and column.name not in info.metadata_keys:
            yield f"returned {column.name!r}, which begins with no {info.name}_"
        elif not _fits(column, value):
            yield f"returned {value!r} in {column.name!r}, which is declared {column.type}"


def _fits(column: Column, value: Value) -> bool:
    if value is None:
        return not column.required
    try:
        msgspec.convert(value, _TYPES[column.type])
    except msgspec.ValidationError:
        return False
    return True


READING_RULES: tuple[type[Rule[CorpusSubject]], ...] = (
    YieldsTypedClips,
    ReadingIsDeterministic,
    ReadingOpensNoVideo,
    NamesUnique,
    PathsInsideRoot,
    ContentsNamed,
    SplitsContentDisjoint,
    OneReferencePerContent,
    LabelsInsideScale,
    OriginsNameLabelLines,
    RowEqualsV3Schema,
    ColumnsAsDeclared,
)
