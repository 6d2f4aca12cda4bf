"""psnr_hvs equals libvmaf's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from corekit.features import psnr_hvs
from corekit.features._psnr_hvs_model import SENSITIVITY
from corekit.features.psnr_hvs import PsnrHvs
from corekit.features.registry import undefined
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores, numbers
from tests.shared_data import needs_shared

LANES = psnr_hvs._LANES


def assert_golden(pair: GoldenPair) -> None:
    if "psnr_hvs" in pair.features:
        values = run(PsnrHvs(pair.fmt), pair.reference, pair.distorted)
        golden = numbers(pair.features["psnr_hvs"][: len(values)])
        np.testing.assert_allclose(values[:, 0], golden, rtol=0, atol=1e-9)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        assert_golden(pair)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    fmt=formats(16, 300), content=st.sampled_from(CONTENTS), damage=st.sampled_from(DAMAGES), seed=st.integers(0, 99)
)
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 2, seed)
    values = run(PsnrHvs(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["psnr_hvs"])
    np.testing.assert_allclose(values[:, 0], numbers(judged["psnr_hvs"]), rtol=0, atol=1e-6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    start=st.floats(0, 1e8, width=32),
    size=st.integers(-30, 30),
    spread=st.integers(0, 12),
    places=st.integers(1, 23),
    seed=st.integers(0, 2**32),
)
def test_squares_accumulate_as_if_added_one_by_one(
    start: float, size: int, spread: int, places: int, seed: int
) -> None:
    """Squares of few binary places often lie half-way between two float32 sums."""
    rng = np.random.default_rng(seed)
    exponents = size + rng.integers(0, spread + 1, (64, LANES))
    fractions = np.floor(rng.random((64, LANES)) * 2.0**places) / 2.0**places
    squares = (fractions * 2.0**exponents * (rng.random((64, LANES)) < 0.7)).astype(np.float32)
    blocks = int(rng.integers(1, LANES + 1))
    expected = np.float32(start)
    for block in range(blocks):
        for square in squares[:, block]:
            expected += square
    lanes = np.zeros((12, LANES), np.float32)
    assert psnr_hvs._accumulate(np.float32(start), squares.reshape(-1), blocks, lanes) == expected


def test_transform_is_the_dct_within_rounding() -> None:
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 256, (8, 8 + 7 * (LANES - 1)), dtype=np.uint8)
    blocks = psnr_hvs._BlockPlane((plane.shape[0], plane.shape[1]), SENSITIVITY[0])
    blocks.reference(plane)
    coefficients = blocks._coefficients[0].reshape(8, 8, LANES)
    for lane in range(LANES):
        block = plane[:, 7 * lane : 7 * lane + 8].astype(np.float64)
        np.testing.assert_allclose(coefficients[:, :, lane], dctn(block, norm="ortho"), rtol=0, atol=4)


def test_identical_frames_are_infinite() -> None:
    fmt = FrameFormat(40, 24, 10, "420")
    reference, distorted = generate(fmt, "noise", "none", 2, seed=0)
    assert run(PsnrHvs(fmt), reference, distorted).tolist() == [[np.inf], [np.inf]]


@pytest.mark.parametrize("width", [15, 16, 17, 117, 118, 119, 231])
def test_what_lies_right_of_the_last_block_does_not_count(width: int) -> None:
    """A batch of blocks that ends at the plane's edge, or beyond it, is as good as any."""
    wide = FrameFormat(width, 16, 8, "444")
    reference, distorted = generate(wide, "noise", "coarse", 1, seed=3)
    covered = width - (width - 8) % 7
    narrow = FrameFormat(covered, 16, 8, "444")
    cropped = [
        [tuple(np.ascontiguousarray(plane[:, :covered]) for plane in side[0])] for side in (reference, distorted)
    ]
    expected = run(PsnrHvs(narrow), *cropped)  # type: ignore[arg-type]
    assert run(PsnrHvs(wide), reference, distorted).tolist() == expected.tolist()


def test_rungs_share_the_reference_which_may_be_overwritten() -> None:
    fmt = FrameFormat(64, 48, 8, "420")
    reference, distorted = generate(fmt, "text", "coarse", 1, seed=4)
    alone = run(PsnrHvs(fmt), reference, distorted)[0, 0]
    family, out = PsnrHvs(fmt, rungs=2), np.zeros(1)
    family.reference(reference[0])
    for plane in reference[0]:
        plane[:] = 0
    for rung in range(2):
        family.compare(rung, distorted[0], out)
        assert out[0] == alone


def test_unavailable() -> None:
    assert undefined("psnr_hvs", FrameFormat(15, 15, 12, "420")) is None
    assert (
        undefined("psnr_hvs", FrameFormat(14, 64, 8, "420"))
        == "needs chroma planes of at least 8x8 samples, the clip's have 7x32"
    )
    assert undefined("psnr_hvs", FrameFormat(64, 64, 16, "420")) == "needs at most 12 bits a sample, the clip has 16"
