"""Rules for how a corpus plugin describes itself, and for its sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from corekit.driver.options import resolve_features
from corekit.errors import CorekitError, PluginError
from corekit.files import sha256_file
from corekit.model import CorpusInfo
from corekit.plugins.composition import parse_options
from corekit.testing.corpus import CorpusSubject, explain
from corekit.testing.plugin_rules import KeepsTheHooks
from corekit.testing.rule import Fault, Rule


class DescribesItself(Rule[CorpusSubject]):
    """corekit_corpus returns a CorpusInfo of the entry point's name, with fields of the right types that agree."""

    name = "describes-itself"
    failure = "the CorpusInfo of {name} cannot be used: {problem}; correct it in corekit_corpus"
    needs = (KeepsTheHooks.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        try:
            info = subject.info
        except PluginError as error:
            yield {"name": subject.name, "problem": explain(error)}
            return
        for problem in _problems_of_info(info):
            yield {"name": subject.name, "problem": problem}


def _problems_of_info(info: CorpusInfo) -> Iterator[str]:
    for name in ("title", "version", "split_seed", "root_env"):
        if not getattr(info, name).strip():
            yield f"{name} is empty"
    if info.label_min is not None and info.label_max is not None and not info.label_min < info.label_max:
        yield f"the label's scale runs from {info.label_min:g} to {info.label_max:g}"
    try:
        resolve_features(info.default_features)
        parse_options(info.options, {}, info.name)
    except CorekitError as error:
        yield explain(error)


class LicencesStated(Rule[CorpusSubject]):
    """At least one licence is stated, each with the place where it stands, and treat_as says which is to be followed."""

    name = "licences-stated"
    failure = (
        "the CorpusInfo of {name} leaves {what} empty; say under which terms the corpus may be used, and who says so"
    )
    needs = (DescribesItself.name,)

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        info = subject.info
        blank = [] if info.licences else ["licences"]
        blank += [] if info.treat_as.strip() else ["treat_as"]
        for licence in info.licences:
            blank += [] if licence.name.strip() else ["the name of a licence"]
            blank += [] if licence.stated_in.strip() else [f"where {licence.name!r} is stated"]
        for what in blank:
            yield {"name": subject.name, "what": what}


class SampleReadsBack(Rule[CorpusSubject]):
    """The sample that the plugin writes can be read by the plugin, and its clips are there."""

    name = "sample-reads-back"
    failure = (
        "the sample of {name} does not read back: {problem}; let corekit_make_sample write the layout that is read"
    )
    needs = (DescribesItself.name,)
    asked = "plugins that make a sample and read"

    def exemption(self, subject: CorpusSubject) -> str:
        return "" if subject.makes_sample and subject.reads else "the plugin makes no sample, or does not read"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        try:
            clips = subject.yielded(subject.sample)
        except CorekitError as error:
            yield {"name": subject.name, "problem": explain(error)}
            return
        if not clips:
            yield {"name": subject.name, "problem": "it has no clip"}
        elif not any((subject.sample / clip.path).is_file() for clip in clips if isinstance(clip.path, str)):
            yield {"name": subject.name, "problem": f"none of its clips is there, such as {clips[0].path}"}


class SampleIsDeterministic(Rule[CorpusSubject]):
    """Two samples hold the same files with the same bytes."""

    name = "sample-is-deterministic"
    failure = "two samples of {name} differ in {files}; seed what is random, and write no time and no path"
    needs = (DescribesItself.name,)
    asked = "plugins that make a sample"

    def exemption(self, subject: CorpusSubject) -> str:
        return "" if subject.makes_sample else "the plugin makes no sample"

    def faults(self, subject: CorpusSubject) -> Iterator[Fault]:
        again = subject.work / "sample-again"
        answer = subject.child("sample", subject.name, str(again), env={"PYTHONHASHSEED": "1"})
        if answer.code:
            yield {"name": subject.name, "files": f"whether they can be made ({answer.words})"}
            return
        first, second = _digests(subject.sample), _digests(again)
        differing = sorted(name for name in first | second if first.get(name) != second.get(name))
        if differing:
            yield {"name": subject.name, "files": ", ".join(differing[:5])}


def _digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


DESCRIPTION_RULES: tuple[type[Rule[CorpusSubject]], ...] = (
    DescribesItself,
    LicencesStated,
    SampleReadsBack,
    SampleIsDeterministic,
)
