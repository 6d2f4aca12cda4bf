"""Each rule for backends is broken by a backend that breaks nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit.schema import FEATURES, INFORMATIVE
from corekit.testing.backend import BackendSubject
from corekit.testing.backend_rules import IDENTICAL
from corekit.testing.registry import BACKEND_RULES
from corekit.testing.rule import Examination, Verdict
from tests.plugins.distributions import Site

GOOD = """
from corekit import BackendInfo, Extractor, GroupSession, PairFeatures, hookimpl

COREKIT_API = 1
FEATURES = ("psnr_y",)


@hookimpl
def corekit_backend():
    return BackendInfo(name="flat", title="PSNR of the luma", numeric_class="flat")


@hookimpl
def corekit_extract_features(features):
    return FlatExtractor()


class FlatExtractor(Extractor):
    def __init__(self):
        self.versions = {"flat": "1"}
        self.identity = {"class": "flat"}

    def lacks(self, feature, fmt):
        return None if feature in FEATURES else "flat knows psnr_y alone"

    def open_group(self, group):
        return FlatSession(group)


class FlatSession(GroupSession):
    def __init__(self, group):
        self.pairs = group.pairs
        self.peak = 2 ** group.fmt.bit_depth - 1
        self.cap = 6 * group.fmt.bit_depth + 12
        self.frames = [[] for _ in group.pairs]
        self.open = True

    def push(self, reference, distorted):
        for frames, planes in zip(self.frames, distorted):
            if planes is not None:
                frames.append((reference[0].copy(), planes[0].copy()))

    def finish(self):
        import numpy as np
        results = []
        for pair, frames in zip(self.pairs, self.frames):
            errors = [float(np.mean((r.astype(float) - d) ** 2)) for r, d in frames]
            psnr = [min(10 * np.log10(self.peak ** 2 / e), self.cap) if e else self.cap for e in errors]
            values = {"psnr_y": np.array(psnr, dtype=float)} if "psnr_y" in pair.features else {}
            results.append(PairFeatures(values, {}, len(frames)))
        return results

    def close(self):
        self.open = False
"""

_LOOP = "        for frames, planes in zip(self.frames, distorted):"
BROKEN = {
    "discovered-by-entry-point": (
        ("COREKIT_API = 1", "raise SystemExit(3)"),
        "importing mod_dist_flat_flat raised SystemExit: 3; name the module under "
        "[project.entry-points.'corekit.backends'] in pyproject.toml and install it (pip install -e .)",
    ),
    "speaks-the-api": (
        ("COREKIT_API = 1", ""),
        "flat says COREKIT_API = None, this corekit speaks 1; write COREKIT_API = 1 into its module",
    ),
    "keeps-the-hooks": (
        ("def corekit_backend():", "def corekit_backend(features):"),
        None,
    ),
    "imports-nothing-heavy": (
        ("COREKIT_API = 1", "COREKIT_API = 1\nimport av"),
        "importing mod_dist_flat_flat loads av; import what needs them inside the functions that need it",
    ),
    "describes-itself": (
        ('numeric_class="flat"', 'numeric_class=""'),
        "the BackendInfo of flat cannot be used: it has '' as numeric_class; correct it in corekit_backend",
    ),
    "opens": (
        ("return FlatExtractor()", "raise __import__('corekit').BackendError('flat needs a licence')"),
        "the backend flat does not open: it gave up: flat needs a licence; give the settings that it needs in the fixture "
        "settings",
    ),
    "identity-stable": (
        ('{"class": "flat"}', '{"class": str(id(self))}'),
        None,
    ),
    "values-shaped": (
        ("dtype=float", "dtype='float32'"),
        "the backend flat gave float32 of shape (5,) as psnr_y of 5 frames; give one float64 for every frame that was pushed",
    ),
    "values-finite": (
        ("self.cap) if e else self.cap", "self.cap) if 0 < e < 100 else self.cap if e == 0 else float('nan')"),
        "the backend flat gave nan as psnr_y; say in lacks() or in nulls what it cannot compute",
    ),
    "lacks-is-honoured": (
        ('FEATURES = ("psnr_y",)', 'FEATURES = ("psnr_y", "vif_scale0")'),
        "the backend flat gave neither vif_scale0 of 240x192 yuv420p nor a reason; let lacks() and nulls say of every "
        "feature without values why, in one clause",
    ),
    "group-equals-its-pairs": (
        ("(self.peak ** 2 / e)", "(self.peak ** 2 / e + (len(self.frames) == 1))"),
        "the backend flat gave another psnr_y for a rung alone than in its group; keep what belongs to one rung apart from "
        "the others",
    ),
    "early-end-leaves-others-alone": (
        (_LOOP, "        if None in distorted:\n            distorted = [p or reference for p in distorted]\n" + _LOOP),
        "the backend flat counted 5 frames of a rung that ended after 3; None in push means that this rung has no frame "
        "there, and says nothing else",
    ),
    "frames-may-be-overwritten": (
        ("planes[0].copy()", "planes[0]"),
        "the backend flat gave another psnr_y when frames were overwritten after push; copy in push what is needed afterwards",
    ),
    "closes-twice": (
        ("        self.open = False", "        del self.open"),
        "the backend flat raised AttributeError: 'FlatSession' object has no attribute 'open'; let close do nothing where "
        "there is nothing left to free",
    ),
    "identical-frames": (
        ("self.cap) if e else self.cap", "self.cap) if e else 100.0"),
        "the backend flat gave 100 as psnr_y of identical frames, not 60; deny in lacks() what is not the feature of "
        "docs/features.md",
    ),
}  # fmt: skip
"""Rule to what must be replaced in the good backend to break it, and the beginning of what is said then."""

GATES = {"discovered-by-entry-point", "speaks-the-api", "keeps-the-hooks", "describes-itself", "opens", "values-shaped"}
"""Rules without which others cannot be asked."""


def examine(site: Site, work: Path, source: str) -> dict[str, Verdict]:
    site.add_backend("flat", source)
    subject = BackendSubject("flat", work, features=FEATURES, settings={})
    return Examination(subject, BACKEND_RULES).all()


def test_a_good_backend_keeps_every_rule(site: Site, tmp_path: Path) -> None:
    verdicts = examine(site, tmp_path, GOOD)
    assert {name: verdict for name, verdict in verdicts.items() if verdict.state != "held"} == {}


def test_a_backend_that_reads_no_frames_is_asked_for_none(site: Site, tmp_path: Path) -> None:
    verdicts = examine(site, tmp_path, GOOD.replace("(Extractor):", "(Extractor):\n    reads_video = False\n"))
    unasked = {name: verdict.text for name, verdict in verdicts.items() if verdict.state != "held"}
    assert unasked == dict.fromkeys(list(BROKEN)[7:], "the backend reads no frames")


def test_every_rule_is_broken_here() -> None:
    assert list(BROKEN) == [rule.name for rule in BACKEND_RULES]


def test_every_feature_that_says_something_of_identical_frames_is_checked() -> None:
    assert IDENTICAL.keys() == set(FEATURES) - set(INFORMATIVE)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_backend_breaks_one_rule(site: Site, tmp_path: Path, rule: str) -> None:
    (old, new), sentence = BROKEN[rule]
    assert GOOD.count(old) == 1
    verdicts = examine(site, tmp_path, GOOD.replace(old, new))
    assert [name for name, verdict in verdicts.items() if verdict.state == "broken"] == [rule], verdicts
    unasked = {name for name, verdict in verdicts.items() if verdict.state == "not asked"}
    assert bool(unasked) == (rule in GATES)
    if sentence is not None:
        assert verdicts[rule].text.splitlines()[0] == sentence
