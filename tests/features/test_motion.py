"""motion, motion2 and motion3 equal libvmaf's, in both definitions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from corekit.features.family import Planes
from corekit.features.motion import Definition, Motion
from corekit.features.registry import undefined
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores, numbers
from tests.shared_data import needs_shared

TAPS = np.array([3571, 16004, 26386, 16004, 3571])


def blur(plane: npt.NDArray[Any], depth: int) -> npt.NDArray[Any]:
    down = (correlate1d(plane.astype(np.int64), TAPS, 0, mode="mirror") + (1 << (depth - 1))) >> depth
    return (correlate1d(down, TAPS, 1, mode="mirror") + (1 << 15)) >> 16  # type: ignore[no-any-return]


def expected_motion(frames: list[Planes], depth: int, definition: Definition) -> list[float]:
    lumas = [frame[0].astype(np.int64) for frame in frames]
    if definition == "3.2":
        changes = [blur(a - b, depth) for a, b in pairwise(lumas)]
        return [0.0] + [float(np.abs(change).sum()) / 256.0 / change.size for change in changes]
    blurred = [blur(luma, depth) for luma in lumas]
    changes = [a - b for a, b in pairwise(blurred)]
    sums = [np.float32(np.abs(change).sum() / 256.0) / np.float32(change.size) for change in changes]
    return [0.0] + [float(mean) for mean in sums]


def assert_golden(pair: GoldenPair) -> None:
    values = run(Motion(pair.fmt), pair.reference, pair.distorted)
    for feature, column in zip(Motion.names, values.T, strict=True):
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
@given(fmt=formats(32, 96), content=st.sampled_from(CONTENTS), seed=st.integers(0, 99))
def test_live_libvmaf(fmt: FrameFormat, content: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, "fade", 4, seed)
    values = run(Motion(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["motion"])
    for feature, column in zip(Motion.names, values.T, strict=True):
        np.testing.assert_allclose(column, numbers(judged[feature]), rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    width=st.integers(3, 70),
    height=st.integers(3, 40),
    depth=st.integers(8, 16),
    extremes=st.booleans(),
    definition=st.sampled_from(["3.2", "3.1"]),
    seed=st.integers(0, 2**32),
)
def test_every_depth_and_size(
    width: int, height: int, depth: int, extremes: bool, definition: Definition, seed: int
) -> None:
    fmt = FrameFormat(width, height, depth, "420")
    rng = np.random.default_rng(seed)
    peak, dtype = (1 << depth) - 1, np.uint8 if depth == 8 else np.uint16
    frames: list[Any] = [
        tuple((rng.integers(0, 2, shape) * peak if extremes else rng.integers(0, peak + 1, shape)).astype(dtype)
              for shape in fmt.shapes)
        for _ in range(3)
    ]  # fmt: skip
    if extremes:  # the largest difference that there is, everywhere
        frames[1] = tuple(np.zeros_like(plane) for plane in frames[1])
        frames[2] = tuple(np.full_like(plane, peak) for plane in frames[2])
    values = run(Motion(fmt, definition=definition), frames, frames)
    assert values[:, 0].tolist() == expected_motion(frames, depth, definition)


def test_definitions_differ_a_little() -> None:
    fmt = FrameFormat(64, 48, 8, "420")
    reference, _ = generate(fmt, "noise", "none", 3, seed=1)
    new = run(Motion(fmt), reference, reference)[:, 0]
    old = run(Motion(fmt, definition="3.1"), reference, reference)[:, 0]
    assert 0 < np.abs(new - old).max() < 2e-3


def test_motion2_and_motion3_look_one_frame_ahead() -> None:
    frames = np.array([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    Motion(FrameFormat(16, 16, 8, "420")).finish(0, frames)
    assert frames[:, 1].tolist() == [0.0, 2.0, 2.0, 3.0]
    assert frames[:, 2].tolist() == [5.0, 2.0, 2.0, 3.0]


def test_one_frame_has_no_motion() -> None:
    fmt = FrameFormat(16, 16, 8, "420")
    reference, distorted = generate(fmt, "noise", "faint", 1, seed=0)
    assert run(Motion(fmt), reference, distorted).tolist() == [[0.0, 0.0, 0.0]]


def test_rungs_share_the_reference() -> None:
    fmt = FrameFormat(48, 32, 10, "420")
    reference, distorted = generate(fmt, "text", "coarse", 3, seed=4)
    family = Motion(fmt, rungs=2)
    frames = np.zeros((2, 3, 3))
    for index in range(3):
        family.reference(reference[index])
        family.compare(0, distorted[index], frames[0, index])
        family.compare(1, reference[index], frames[1, index])
    assert frames[0].tolist() == frames[1].tolist()


def test_unavailable() -> None:
    assert undefined("motion", FrameFormat(3, 3, 8, "420")) is None
    assert undefined("motion", FrameFormat(2, 48, 8, "420")) == "needs at least 3x3 pixels, the clip has 2x48"
