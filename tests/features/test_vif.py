"""vif_scale0 to 3 equal libvmaf's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from corekit.features._vif_figures import FILTERS
from corekit.features.family import Planes
from corekit.features.registry import undefined
from corekit.features.vif import LOG2_STEPS, TILE, Vif
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores
from tests.features.scalar_libvmaf import SCALAR_CASES, ScalarCase
from tests.shared_data import needs_shared

Integers = npt.NDArray[np.int64]


def filtered(plane: Integers, taps: tuple[int, ...], down_shift: int, across_shift: int) -> Integers:
    down = correlate1d(plane, taps, 0, mode="mirror")
    down = (down + (1 << down_shift >> 1)) >> down_shift
    across = correlate1d(down, taps, 1, mode="mirror")
    rounded: Integers = (across + (1 << across_shift >> 1)) >> across_shift
    return rounded


def log2(value: Integers) -> Integers:
    """2048 * log2, cut to the leading 16 bits."""
    excess = np.frexp(value)[1].astype(np.int64) - 16
    leading = np.log2((value >> excess).astype(np.float64)).astype(np.float32)
    steps: Integers = np.floor(leading * np.float32(2048) + np.float32(0.5)).astype(np.int64)
    return steps + 2048 * excess


def expected_vif(reference: Integers, distorted: Integers, depth: int) -> list[float]:
    """integer_vif.c, on whole planes of 64-bit integers."""
    scores = []
    for scale, taps in enumerate(FILTERS):
        bits = 16 if scale else depth
        if scale:
            before = depth if scale == 1 else 16
            reference, distorted = (
                filtered(plane, taps, before, 16)[: plane.shape[0] // 2 * 2 : 2, : plane.shape[1] // 2 * 2 : 2]
                for plane in (reference, distorted)
            )
        square_shift = 16 if scale else 2 * (depth - 8)
        m1, m2 = (filtered(plane, taps, bits, 0).astype(np.uint64) for plane in (reference, distorted))

        def moment(a: Integers, b: Integers, m: Any, n: Any, taps: Any = taps, shift: int = square_shift) -> Integers:
            mean = (m * n + np.uint64(1 << 31)) >> np.uint64(32)
            covariance: Integers = filtered(a * b, taps, shift, 16) - mean.astype(np.int64)
            return covariance

        v1, v12 = moment(reference, reference, m1, m1), moment(reference, distorted, m1, m2)
        v2 = np.maximum(moment(distorted, distorted, m2, m2), 0)
        loud = v1 >= 131072
        total = np.where(loud, log2(np.maximum(v1, 131072) + 131072) - 2048 * 17, 0).sum()
        gain = v12 / (np.maximum(v1, 131072) + 65536 * 1e-10)
        noise = np.maximum(np.trunc(v2 - gain * v12), 0).astype(np.int64) + 131072
        gain = np.minimum(gain, 100.0)
        whole = np.trunc(gain * gain * v1).astype(np.int64) + noise
        kept = np.where(loud & (v12 > 0) & (v2 > 0), log2(np.maximum(whole, 131072)) - log2(noise), 0).sum()
        quiet = int((~loud).sum())
        numerator = np.float32(kept / 2048.0 + (quiet - v2[~loud].sum() / 16384.0 / 65025.0))
        scores.append(float(numerator / np.float32(total / 2048.0 + quiet)))
    return scores


def assert_golden(pair: GoldenPair) -> None:
    values = run(Vif(pair.fmt), pair.reference, pair.distorted)
    for feature, column in zip(Vif.names, values.T, strict=True):
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
    assert run(Vif(case.fmt), [reference], [distorted])[0].tolist() == list(case.vif)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    fmt=formats(16, 120), content=st.sampled_from(CONTENTS), damage=st.sampled_from(DAMAGES), seed=st.integers(0, 99)
)
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 2, seed)
    values = run(Vif(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["vif"])
    for feature, column in zip(Vif.names, values.T, strict=True):
        np.testing.assert_allclose(column, np.array(judged[feature], float), rtol=0, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    width=st.integers(16, 80),
    height=st.integers(16, 60),
    depth=st.integers(8, 16),
    content=st.sampled_from((*CONTENTS, "extreme")),
    damage=st.sampled_from(DAMAGES),
    seed=st.integers(0, 2**32),
)
def test_every_depth_and_size(width: int, height: int, depth: int, content: str, damage: str, seed: int) -> None:
    fmt = FrameFormat(width, height, depth, "444")
    if content == "extreme":
        rng = np.random.default_rng(seed)
        sides: list[Any] = [
            [
                (rng.integers(0, 2, (3, height, width)) * ((1 << depth) - 1)).astype(
                    np.uint8 if depth == 8 else np.uint16
                )
            ]
            for _ in range(2)
        ]
        reference, distorted = ([tuple(frames[0])] for frames in sides)
    else:
        reference, distorted = generate(fmt, content, damage, 1, seed)
    expected = expected_vif(reference[0][0].astype(np.int64), distorted[0][0].astype(np.int64), depth)
    assert run(Vif(fmt), reference, distorted)[0].tolist() == expected


@pytest.mark.parametrize("width", [TILE - 1, TILE, TILE + 1, TILE + 2, 2 * TILE + 1, 2 * TILE + 17])
def test_seams_of_tiles_do_not_show(width: int) -> None:
    fmt = FrameFormat(width, 18, 8, "420")
    reference, distorted = generate(fmt, "text", "faint", 1, seed=width)
    expected = expected_vif(reference[0][0].astype(np.int64), distorted[0][0].astype(np.int64), 8)
    assert run(Vif(fmt), reference, distorted)[0].tolist() == expected


def test_log2_steps_restore_the_whole_table() -> None:
    index = np.arange(1 << 15)
    table = (LOG2_STEPS[index >> 3] + (index & 7)) >> 3
    assert table.tolist() == log2(index + (1 << 15)).tolist()


def test_identical_frames_keep_everything() -> None:
    fmt = FrameFormat(96, 64, 10, "420")
    reference, _ = generate(fmt, "noise", "none", 1, seed=0)
    np.testing.assert_allclose(run(Vif(fmt), reference, reference), 1.0, rtol=0, atol=1e-6)


def test_a_flat_distorted_frame_keeps_nothing() -> None:
    fmt = FrameFormat(64, 64, 8, "420")
    reference, _ = generate(fmt, "noise", "none", 1, seed=0)
    flat: Planes = tuple(np.full_like(plane, 90) for plane in reference[0])  # type: ignore[assignment]
    assert run(Vif(fmt), reference, [flat]).tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_rungs_share_the_reference() -> None:
    fmt = FrameFormat(70, 50, 8, "420")
    reference, coarse = generate(fmt, "text", "coarse", 2, seed=4)
    _, faint = generate(fmt, "text", "faint", 2, seed=4)
    alone = [run(Vif(fmt), reference, rung) for rung in (coarse, faint)]
    family, together = Vif(fmt, rungs=2), np.zeros((2, 2, 4))
    for index in range(2):
        planes = tuple(plane.copy() for plane in reference[index])
        family.reference(planes)  # type: ignore[arg-type]
        for plane in planes:
            plane[:] = 0  # the caller's again
        for rung, frames in enumerate((coarse, faint)):
            family.compare(rung, frames[index], together[rung, index])
    assert together.tolist() == np.array(alone).tolist()


def test_unavailable() -> None:
    assert undefined("vif_scale0", FrameFormat(16, 16, 8, "420")) is None
    said = undefined("vif_scale3", FrameFormat(128, 14, 8, "420"))
    assert said == "needs at least 16x16 pixels, the clip has 128x14"
