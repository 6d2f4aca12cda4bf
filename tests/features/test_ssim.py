"""float_ssim and float_ms_ssim equal libvmaf's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from corekit.features.registry import undefined
from corekit.features.ssim import FloatMsSsim, FloatSsim
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores, numbers
from tests.shared_data import needs_shared

FAMILIES: tuple[type[FloatSsim | FloatMsSsim], ...] = (FloatSsim, FloatMsSsim)
WINDOW = np.array(
    [0.001028, 0.007599, 0.036001, 0.109361, 0.213006, 0.266012, 0.213006, 0.109361, 0.036001, 0.007599, 0.001028]
)


def windowed(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    whole: npt.NDArray[Any] = correlate1d(correlate1d(picture, WINDOW, 0), WINDOW, 1)
    return whole[5:-5, 5:-5]


def expected_ssim(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """SSIM at full size of pictures in 8-bit code values, in float64 throughout."""
    mean_a, mean_b = windowed(a), windowed(b)
    covariance = windowed(a * b) - mean_a * mean_b
    variances = windowed(a * a) - mean_a**2 + windowed(b * b) - mean_b**2
    c1, c2 = 2.55**2, 7.65**2
    ssim = (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    return float(ssim.mean())


def assert_golden(pair: GoldenPair) -> None:
    for family in FAMILIES:
        (name,) = family.names
        if name in pair.features:
            values = run(family(pair.fmt), pair.reference, pair.distorted)
            np.testing.assert_allclose(values[:, 0], numbers(pair.features[name][: len(values)]), rtol=0, atol=1e-9)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        assert_golden(pair)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    fmt=formats(176, 210, chromas=["420"]),
    odd=st.tuples(st.booleans(), st.booleans()),
    content=st.sampled_from(CONTENTS),
    damage=st.sampled_from(DAMAGES),
    seed=st.integers(0, 99),
)
def test_live_libvmaf(fmt: FrameFormat, odd: tuple[bool, bool], content: str, damage: str, seed: int) -> None:
    fmt = FrameFormat(fmt.width + odd[0], fmt.height + odd[1], fmt.bit_depth, "444")
    reference, distorted = generate(fmt, content, damage, 2, seed)
    judged = libvmaf_scores(reference, distorted, fmt, ["float_ssim", "float_ms_ssim"])
    for family in FAMILIES:
        values = run(family(fmt), reference, distorted)
        np.testing.assert_allclose(values[:, 0], numbers(judged[family.names[0]]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(384, 384), (385, 401), (640, 639), (913, 899), (1153, 1160)])
def test_live_libvmaf_averages_large_frames_down(size: tuple[int, int]) -> None:
    fmt = FrameFormat(*size, 8, "444")
    reference, distorted = generate(fmt, "text", "coarse", 1, seed=2)
    judged = libvmaf_scores(reference, distorted, fmt, ["float_ssim"])["float_ssim"]
    assert run(FloatSsim(fmt), reference, distorted)[0, 0] == pytest.approx(judged[0], abs=1e-5)


@pytest.mark.parametrize("size", [(11, 11), (11, 16), (16, 11), (33, 33), (57, 45), (201, 383), (321, 181), (511, 33)])
@pytest.mark.parametrize("depth", [8, 10])
def test_live_libvmaf_takes_small_odd_frames_as_they_are(size: tuple[int, int], depth: int) -> None:
    fmt = FrameFormat(*size, depth, "444")
    reference, distorted = generate(fmt, "gradient", "coarse", 1, seed=3)
    judged = libvmaf_scores(reference, distorted, fmt, ["float_ssim"])["float_ssim"]
    assert run(FloatSsim(fmt), reference, distorted)[0, 0] == pytest.approx(judged[0], abs=1.1e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    width=st.integers(11, 80),
    height=st.integers(11, 60),
    depth=st.integers(8, 16),
    content=st.sampled_from(["noise", "gradient"]),
    seed=st.integers(0, 99),
)
def test_every_depth_and_size(width: int, height: int, depth: int, content: str, seed: int) -> None:
    fmt = FrameFormat(width, height, depth, "420")
    reference, distorted = generate(fmt, content, "faint", 1, seed)
    a, b = (frames[0][0].astype(np.float64) / (1 << (depth - 8)) for frames in (reference, distorted))
    assert run(FloatSsim(fmt), reference, distorted)[0, 0] == pytest.approx(expected_ssim(a, b), abs=2e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("content", CONTENTS)
def test_identical_frames_score_1(family: type[FloatSsim | FloatMsSsim], content: str) -> None:
    fmt = FrameFormat(183, 177, 10, "420")
    reference, distorted = generate(fmt, content, "none", 1, seed=0)
    assert run(family(fmt), reference, distorted)[0, 0] == pytest.approx(1.0, abs=1e-6)


def test_negative_structure_has_no_multiscale_value() -> None:
    fmt = FrameFormat(176, 176, 8, "420")
    reference, _ = generate(fmt, "noise", "none", 1, seed=0)
    inverted = [(255 - reference[0][0], *reference[0][1:])]
    assert np.isnan(run(FloatMsSsim(fmt), reference, inverted)[0, 0])
    assert run(FloatSsim(fmt), reference, inverted)[0, 0] < 0


@pytest.mark.parametrize("family", FAMILIES)
def test_rungs_share_the_reference_which_may_be_overwritten(family: type[FloatSsim | FloatMsSsim]) -> None:
    fmt = FrameFormat(192, 180, 8, "420")
    reference, distorted = generate(fmt, "text", "coarse", 1, seed=4)
    alone = run(family(fmt), reference, distorted)[0, 0]
    shared, out = family(fmt, rungs=2), np.zeros(1)
    shared.reference(reference[0])
    for plane in reference[0]:
        plane[:] = 0
    for rung in range(2):
        shared.compare(rung, distorted[0], out)
        assert out[0] == alone


def test_unavailable() -> None:
    small = FrameFormat(128, 72, 8, "420")
    assert undefined("float_ms_ssim", small) == "needs at least 176x176 pixels, the clip has 128x72"
    assert undefined("float_ssim", small) is None
    narrow = FrameFormat(10, 200, 8, "420")
    assert undefined("float_ssim", narrow) == "needs at least 11x11 pixels, the clip has 10x200"
