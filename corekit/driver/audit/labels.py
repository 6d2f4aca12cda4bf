"""What the labels alone tell: rows that repeat, contents without a reference, range and histogram. No clip is opened."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from corekit.driver.audit.findings import Findings
from corekit.driver.audit.report import Bin, LabelFile, LabelSummary
from corekit.driver.corpus import Corpus
from corekit.driver.labels import label_problem
from corekit.driver.origins import label_files_of
from corekit.driver.plan import Plan
from corekit.model import Clip, CorpusInfo
from corekit.plugins.composition import Composition

REPEATED = "repeated_"
"""A key of ``Clip.extra`` that begins so says where else the labels name the clip, with the same content."""
_BINS = 10


class LenientComposition(Composition):
    """Reads a corpus as a run does, but takes note of clips that a run would refuse and goes on without them."""

    def __init__(self, disable: tuple[str, ...], findings: Findings) -> None:
        super().__init__(disable)
        self._findings = findings

    def read_corpus(self, root: Path, options: Struct) -> Iterator[Clip]:
        """Each clip name once, each content in the split that was named first."""
        seen: dict[str, str] = {}
        first: dict[str, Clip] = {}
        for clip in super().read_corpus(root, options):
            where = clip.origin or clip.path
            if clip.name in seen:
                self._findings.add("duplicate-id", f"{clip.name}: {seen[clip.name]} and {where}")
                continue
            seen[clip.name] = where
            other = first.setdefault(clip.content, clip)
            if clip.split != other.split:
                self._findings.add(
                    "content-in-two-splits",
                    f"{clip.content}: {other.split or 'no split'} at {other.origin or other.path}, "
                    f"{clip.split or 'no split'} at {where}",
                )
                clip = replace(clip, split=other.split)
            yield clip


def check_labels(corpus: Corpus, plan: Plan, findings: Findings) -> None:
    """Find labels that cannot be used, labels beside their scale, and rows that repeat.

    The label of a synthetic pair is the teacher's, so that its clip's own costs no row.
    """
    code = "unusable-own-label" if plan.pairing == "synthetic" else "unusable-label"
    for clip in corpus:
        if problem := label_problem(clip, corpus.info):
            findings.add(code, problem)
        elif _beside_scale(clip, corpus.info):
            findings.add("label-beyond-scale", f"{clip.name}: {clip.label.value:g} ({clip.origin})")
        for key, value in clip.extra.items():
            if key.startswith(REPEATED) and value:
                findings.add("repeated-label", f"{clip.name}: {clip.origin}, again {value}")


def check_references(corpus: Corpus, plan: Plan, findings: Findings) -> None:
    """Find contents with no reference, with several, or with one that is not there. Only ``fr`` needs any."""
    if plan.pairing != "fr":
        return
    references: dict[str, list[Clip]] = defaultdict(list)
    for clip in corpus:
        if clip.is_reference:
            references[clip.content].append(clip)
    missing = {clip.name for clip in plan.missing}
    for content, clips in Counter(clip.content for clip in corpus if not clip.is_reference).items():
        found = references[content]
        if not found:
            findings.add("no-reference", f"{content} ({clips} clips)")
        elif len(found) > 1:
            findings.add("several-references", f"{content}: {', '.join(clip.name for clip in found)}")
        elif found[0].name in missing:
            findings.add("missing-reference", f"{content}: {found[0].path} ({clips} clips)")


def label_files(corpus: Corpus) -> tuple[LabelFile, ...]:
    """The label files that the clips' origins name."""
    clips = Counter(name for clip in corpus for name in label_files_of(clip))
    return tuple(
        LabelFile(name=name, clips=clips[name], size_bytes=path.stat().st_size)
        for name, path in corpus.label_files().items()
    )


def label_summary(corpus: Corpus) -> LabelSummary | None:
    """Range and histogram of the usable labels; None where there are none."""
    info = corpus.info
    usable = [clip.label for clip in corpus if clip.label.value is not None and not label_problem(clip, info)]
    values = [label.value for label in usable if label.value is not None]
    if not values:
        return None
    return LabelSummary(
        kind=usable[0].kind,
        scale_min=info.label_min,
        scale_max=info.label_max,
        labelled=len(values),
        minimum=min(values),
        maximum=max(values),
        mean=fmean(values),
        with_spread=sum(label.std_dev is not None or label.std_error is not None for label in usable),
        with_ratings=sum(label.n_ratings is not None for label in usable),
        histogram=_histogram(values, info),
    )


def _histogram(values: list[float], info: CorpusInfo) -> tuple[Bin, ...]:
    """Ten bins over the native scale; where it has no end, to the outermost label."""
    low = min(values) if info.label_min is None else info.label_min
    high = max(values) if info.label_max is None else info.label_max
    width = (high - low) / _BINS
    if not width > 0:
        return (Bin(low=low, high=high, clips=len(values)),)
    # Scores such as 3.4 lie on an edge, and their quotient a rounding error below it.
    places = (math.floor(round((value - low) / width, 9)) for value in values)
    counts = Counter(min(max(place, 0), _BINS - 1) for place in places)
    return tuple(
        Bin(low=low + index * width, high=low + (index + 1) * width, clips=counts[index]) for index in range(_BINS)
    )


def _beside_scale(clip: Clip, info: CorpusInfo) -> bool:
    value = clip.label.value
    if value is None:
        return False
    below = info.label_min is not None and value < info.label_min
    return below or (info.label_max is not None and value > info.label_max)
