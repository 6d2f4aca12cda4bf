"""adm2, adm_scale0 to 3 and adm3 equal libvmaf's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features.adm import Adm
from corekit.features.registry import undefined
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores
from tests.features.scalar_libvmaf import SCALAR_CASES, ScalarCase
from tests.shared_data import needs_shared


def assert_golden(pair: GoldenPair) -> None:
    values = run(Adm(pair.fmt), pair.reference, pair.distorted)
    for feature, column in zip(Adm.names, values.T, strict=True):
        np.testing.assert_allclose(column, pair.features[feature][: len(column)], rtol=0, atol=1e-9)  # type: ignore[arg-type]


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name, 1000))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus, 1000):
        assert_golden(pair)


@pytest.mark.parametrize("case", SCALAR_CASES, ids=str)
def test_scalar_libvmaf(case: ScalarCase) -> None:
    reference, distorted = case.planes
    values = run(Adm(case.fmt), [reference], [distorted])[0]
    np.testing.assert_allclose(values, case.adm, rtol=0, atol=1e-12)


@settings(max_examples=16, deadline=None, derandomize=True)
@given(
    fmt=formats(34, 160), content=st.sampled_from(CONTENTS), damage=st.sampled_from(DAMAGES), seed=st.integers(0, 99)
)
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 2, seed)
    values = run(Adm(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["adm"])
    for feature, column in zip(Adm.names, values.T, strict=True):
        np.testing.assert_allclose(column, np.array(judged[feature], float), rtol=0, atol=1e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    width=st.integers(33, 120), height=st.integers(33, 90), depth=st.integers(8, 16), content=st.sampled_from(CONTENTS)
)
def test_identical_frames_lose_nothing(width: int, height: int, depth: int, content: str) -> None:
    fmt = FrameFormat(width, height, depth, "420")
    reference, _ = generate(fmt, content, "none", 1, seed=0)
    np.testing.assert_allclose(run(Adm(fmt), reference, reference), 1.0, rtol=0, atol=2e-3)


def test_scales_lie_between_nothing_and_everything() -> None:
    fmt = FrameFormat(128, 96, 10, "420")
    reference, distorted = generate(fmt, "text", "fade", 3, seed=2)
    values = run(Adm(fmt), reference, distorted)
    scales = values[:, 1:5]
    assert (values > 0).all() and (values < 1.001).all()
    assert (values[:, 0] >= scales.min(axis=1)).all() and (values[:, 0] <= scales.max(axis=1)).all()


def test_rungs_share_the_reference() -> None:
    fmt = FrameFormat(70, 50, 8, "420")
    reference, coarse = generate(fmt, "text", "coarse", 2, seed=4)
    _, faint = generate(fmt, "text", "faint", 2, seed=4)
    alone = [run(Adm(fmt), reference, rung) for rung in (coarse, faint)]
    family, together = Adm(fmt, rungs=2), np.zeros((2, 2, 6))
    for index in range(2):
        planes = tuple(plane.copy() for plane in reference[index])
        family.reference(planes)  # type: ignore[arg-type]
        for plane in planes:
            plane[:] = 0  # the caller's again
        for rung, frames in enumerate((coarse, faint)):
            family.compare(rung, frames[index], together[rung, index])
    assert together.tolist() == np.array(alone).tolist()


def test_unavailable() -> None:
    assert undefined("adm2", FrameFormat(33, 33, 8, "420")) is None
    assert undefined("adm2", FrameFormat(32, 64, 8, "420")) == "needs at least 33x33 pixels, the clip has 32x64"
