"""psnr_y, psnr_cb and psnr_cr equal libvmaf's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features.psnr import Psnr
from corekit.model import Chroma, FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores, numbers
from tests.shared_data import needs_shared


def assert_golden(pair: GoldenPair) -> None:
    values = run(Psnr(pair.fmt), pair.reference, pair.distorted)
    for feature, column in zip(Psnr.names, values.T, strict=True):
        np.testing.assert_allclose(column, numbers(pair.features[feature]), rtol=0, atol=1e-9)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name, 1000))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus, 1000):
        assert_golden(pair)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(fmt=formats(16, 80), content=st.sampled_from(CONTENTS), damage=st.sampled_from(DAMAGES), seed=st.integers(0, 99))
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 3, seed)
    values = run(Psnr(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["psnr"])
    for feature, column in zip(Psnr.names, values.T, strict=True):
        np.testing.assert_allclose(column, numbers(judged[feature]), rtol=0, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 40),
    depth=st.integers(8, 16),
    chroma=st.sampled_from(["420", "422", "444"]),
    seed=st.integers(0, 99),
)
def test_every_depth_and_size(width: int, height: int, depth: int, chroma: Chroma, seed: int) -> None:
    fmt = FrameFormat(width, height, depth, chroma)
    reference, distorted = generate(fmt, "noise", "fade", 1, seed)
    distorted = [tuple(plane ^ plane.dtype.type((1 << depth) - 1) for plane in distorted[0])]  # type: ignore[list-item]
    (values,) = run(Psnr(fmt), reference, distorted)
    peak = float((1 << depth) - 1)
    for value, a, b in zip(values, reference[0], distorted[0], strict=True):
        error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
        assert value == pytest.approx(10 * np.log10(peak * peak / error), abs=1e-9)


@pytest.mark.parametrize(("depth", "cap"), [(8, 60.0), (10, 72.0), (12, 84.0), (16, 108.0)])
def test_identical_planes_score_the_cap(depth: int, cap: float) -> None:
    fmt = FrameFormat(33, 17, depth, "420")
    reference, distorted = generate(fmt, "noise", "none", 1, seed=0)
    assert run(Psnr(fmt), reference, distorted).tolist() == [[cap] * 3]


def test_largest_error_everywhere_is_0_db() -> None:
    fmt = FrameFormat(5000, 3, 8, "444")
    black, white = (tuple(np.full(shape, value, np.uint8) for shape in fmt.shapes) for value in (0, 255))
    assert run(Psnr(fmt), [black], [white]).tolist() == [[0.0] * 3]  # type: ignore[list-item]


def test_rungs_share_the_reference_which_may_be_overwritten() -> None:
    fmt = FrameFormat(48, 32, 8, "420")
    reference, distorted = generate(fmt, "noise", "coarse", 1, seed=4)
    alone = run(Psnr(fmt), reference, distorted)[0, 0]
    family, out = Psnr(fmt, rungs=2), np.zeros(3)
    family.reference(reference[0])
    for plane in reference[0]:
        plane[:] = 0
    for rung in range(2):
        family.compare(rung, distorted[0], out)
        assert out[0] == alone
