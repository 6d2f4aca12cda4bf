from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features._cambi_model import Eotf, mask_threshold, visibility_thresholds, window_size
from corekit.features.cambi import Cambi, _sum_of_greatest
from corekit.features.family import Planes
from corekit.features.registry import undefined
from corekit.model import Chroma, FrameFormat
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores
from tests.shared_data import needs_shared

LARGE_ENOUGH = [name for name in CLIP_PAIRS if "176x144" not in name and "160x90" not in name]


@needs_shared
@pytest.mark.parametrize("name", LARGE_ENOUGH)
def test_clips_equal_scalar_libvmaf(name: str) -> None:
    pair = clip_pair(name)
    values = run(Cambi(pair.fmt), pair.reference, pair.distorted)[:, 0]
    assert values == pytest.approx(pair.features["cambi"][: len(values)], rel=0, abs=1e-12)


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_corpora_equal_scalar_libvmaf(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        values = run(Cambi(pair.fmt), pair.reference, pair.distorted)[:, 0]
        assert values == pytest.approx(pair.features["cambi"][: len(values)], rel=0, abs=1e-12)


@needs_shared
def test_hdr_clips_equal_scalar_libvmaf_with_pq() -> None:
    for pair in corpus_pairs("chug"):
        values = run(Cambi(pair.fmt, eotf="pq"), pair.reference, pair.distorted)[:, 0]
        assert values == pytest.approx(pair.features_hdr["cambi"][: len(values)], rel=0, abs=1e-12)


def test_thresholds() -> None:
    assert visibility_thresholds("bt1886") == (178, 305, 432, 559)
    assert visibility_thresholds("pq") == (233, 1023, 1023, 1023)


def test_window_is_65_pixels_on_a_4k_display() -> None:
    assert window_size(3840, 2160) == 65
    assert window_size(1920, 1080) == 33
    assert mask_threshold(1920, 1080) == 21


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (215, 215, "needs at least 216 pixels on one side, the clip has 215x215"),
        (216, 16, None),
        (16, 216, None),
        (3932, 2160, None),
        (7680, 4320, "needs width and height to sum to 6092 pixels at most, the clip has 7680x4320"),
    ],
)
def test_geometry(width: int, height: int, reason: str | None) -> None:
    assert undefined("cambi", FrameFormat(width, height, 8, "420")) == reason


def test_widest_window() -> None:
    assert undefined("cambi", FrameFormat(3932, 2160, 8, "420")) is None
    assert undefined("cambi", FrameFormat(3933, 2160, 8, "420")) is not None


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_flat_frame_has_no_banding(depth: int) -> None:
    fmt = FrameFormat(240, 130, depth, "420")
    frame = frame_of(fmt, np.full((130, 240), 0.4))
    assert run(Cambi(fmt), [frame], [frame]) == 0.0


def test_frames_leave_no_trace_in_each_other() -> None:
    fmt = FrameFormat(317, 221, 10, "420")
    frames = [
        frame_of(fmt, PICTURES[kind](fmt, np.random.default_rng(3))) for kind in ("bands", "noise", "bands", "flat")
    ]
    together = run(Cambi(fmt), frames, frames)[:, 0]
    apart = [run(Cambi(fmt), [frame], [frame])[0, 0] for frame in frames]
    assert together.tolist() == apart
    assert together[0] > 1.0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from([0.0, 0.25, 0.1, 1.0, 3.5, 3.5000002, 271.25]) | st.floats(0, 1000, width=32), max_size=300
    ),
    st.integers(1, 300),
)
def test_sum_of_greatest(numbers: list[float], kept: int) -> None:
    values = np.array(numbers, np.float32)
    expected = math.fsum(sorted(values.tolist(), reverse=True)[:kept])
    got = _sum_of_greatest(values, values.view(np.uint32), len(values), kept, np.zeros((4, 2048), np.int64))
    assert got == pytest.approx(expected, rel=1e-14)


Picture = np.ndarray[Any, np.dtype[np.float64]]


def _bands(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    steps = 256 if fmt.bit_depth == 8 else 1024
    x, y = np.meshgrid(np.arange(fmt.width), np.arange(fmt.height))
    return np.floor(x / rng.uniform(8, 24) + y / rng.uniform(10, 40) + rng.uniform(20, 60)) / steps


def _noise(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    return rng.random((fmt.height, fmt.width))


def _flat(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    return np.full((fmt.height, fmt.width), rng.random() * 0.5)


def _text(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    picture = _bands(fmt, rng)
    picture[(rng.random(picture.shape) < 0.05)] = 0.9
    return picture


def _dithered(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    picture = _bands(fmt, rng)
    return picture + (rng.random(picture.shape) < 0.1) / 1024


def _dark_to_bright(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    steps = np.arange(fmt.width) // 16 * 16 / fmt.width
    return np.tile(steps, (fmt.height, 1))


PICTURES = {
    "bands": _bands,
    "noise": _noise,
    "flat": _flat,
    "text": _text,
    "dithered": _dithered,
    "dark to bright": _dark_to_bright,
}


def frame_of(fmt: FrameFormat, picture: Picture) -> Planes:
    top = (1 << fmt.bit_depth) - 1
    dtype: type[Any] = np.uint8 if fmt.bit_depth == 8 else np.uint16
    luma: Any = np.clip(np.round(picture * (top + 1)), 0, top).astype(dtype)
    chroma: Any = np.full(fmt.shapes[1], 1 << (fmt.bit_depth - 1), dtype)
    return luma, chroma, chroma


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(216, 420), st.integers(60, 300)),
    st.sampled_from([8, 10, 12, 16]),
    st.sampled_from(["420", "422", "444"]),
    st.sampled_from(["bt1886", "pq"]),
    st.randoms(use_true_random=False),
)
def test_equals_live_libvmaf(size: tuple[int, int], depth: int, chroma: Chroma, eotf: Eotf, random: Any) -> None:
    fmt = FrameFormat(*size, depth, chroma)
    rng = np.random.default_rng(random.randrange(1 << 30))
    frames = [frame_of(fmt, make(fmt, rng)) for make in PICTURES.values()]
    judged = libvmaf_scores(frames, frames, fmt, [f"cambi:eotf={eotf}"])
    (expected,) = judged.values()
    assert run(Cambi(fmt, eotf=eotf), frames, frames)[:, 0] == pytest.approx(expected, rel=0, abs=1e-6)
