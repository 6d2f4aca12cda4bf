from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features._small_matrix import N, find_eigenvalues, solve
from corekit.features._speed_model import ANTIALIAS
from corekit.features.family import Planes
from corekit.features.registry import undefined
from corekit.features.speed import LOCAL_MEAN, Speed
from corekit.model import Chroma, FrameFormat
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores
from tests.shared_data import needs_shared

TOO_SMALL = "needs chroma planes of at least 80x80 samples, the clip's have {}"


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_clips_equal_scalar_libvmaf(name: str) -> None:
    check(clip_pair(name))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_corpora_equal_scalar_libvmaf(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        check(pair)


def check(pair: GoldenPair) -> None:
    values = run(Speed(pair.fmt), pair.reference, pair.distorted)
    for name, column in zip(Speed.names, values.T, strict=True):
        assert (undefined(name, pair.fmt) is None) == (name in pair.features)
        if name in pair.features:
            assert column == pytest.approx(pair.features[name][: len(column)], rel=0, abs=1e-9)
        else:
            assert np.isnan(column).all()


@pytest.mark.parametrize(
    ("fmt", "temporal", "chroma"),
    [
        (FrameFormat(80, 80, 8, "444"), None, None),
        (FrameFormat(159, 159, 8, "420"), None, None),
        (FrameFormat(158, 200, 8, "420"), None, TOO_SMALL.format("79x100")),
        (FrameFormat(160, 80, 8, "422"), None, None),
        (
            FrameFormat(100, 79, 10, "444"),
            "needs at least 80x80 pixels, the clip has 100x79",
            TOO_SMALL.format("100x79"),
        ),
    ],
)
def test_geometry(fmt: FrameFormat, temporal: str | None, chroma: str | None) -> None:
    assert [undefined(name, fmt) for name in Speed.names] == [temporal, chroma, chroma, chroma]
    frames = moving_pictures(fmt, 2, seed=1)
    values = run(Speed(fmt), frames, frames)
    assert np.isnan(values[1]).tolist() == [temporal is not None] + 3 * [chroma is not None]


def test_identical_frames_score_0() -> None:
    fmt = FrameFormat(400, 320, 10, "420")
    frames = moving_pictures(fmt, 3, seed=5)
    assert (run(Speed(fmt), frames, frames) == 0).all()


def test_flat_channel_takes_no_part_in_the_mean() -> None:
    fmt = FrameFormat(320, 320, 8, "444")
    reference = moving_pictures(fmt, 1, seed=2)
    distorted = moving_pictures(fmt, 1, seed=3)
    flat = np.full((320, 320), 128, np.uint8)
    planes, other = (reference[0][0], reference[0][1], flat), (distorted[0][0], distorted[0][1], flat)
    _, u, v, uv = run(Speed(fmt), [planes], [other])[0]
    assert u > 0 and v == 0 and uv == u


def test_rungs_do_not_disturb_each_other() -> None:
    fmt = FrameFormat(330, 322, 8, "420")
    reference = moving_pictures(fmt, 3, seed=1)
    rungs = [moving_pictures(fmt, 3, seed=seed) for seed in (2, 3)]
    family = Speed(fmt, rungs=2)
    values = np.zeros((2, 3, len(Speed.names)))
    for i, planes in enumerate(reference):
        family.reference(planes)
        for rung in (0, 1):
            family.compare(rung, rungs[rung][i], values[rung, i])
    for rung in (0, 1):
        assert values[rung].tolist() == run(Speed(fmt), reference, rungs[rung]).tolist()


def test_filters_are_normalised() -> None:
    assert ANTIALIAS.sum() == pytest.approx(1, abs=1e-6) and (ANTIALIAS[::-1] == ANTIALIAS).all()
    assert LOCAL_MEAN.sum() == pytest.approx(1, abs=1e-6) and LOCAL_MEAN.tolist() == LOCAL_MEAN[::-1].tolist()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 30))
def test_small_matrix_against_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample = rng.normal(size=(N, 200))
    matrix = (sample @ sample.T / 200).astype(np.float32)
    right = rng.normal(size=(N, 7)).astype(np.float32)
    work, vectors = np.zeros((4, N, N), np.float32), np.zeros((3, N), np.float32)
    eigenvalues, rotated, solution = np.zeros(N, np.float32), np.zeros_like(right), np.zeros_like(right)
    find_eigenvalues(matrix, work[0], eigenvalues, vectors)
    assert np.sort(eigenvalues) == pytest.approx(np.linalg.eigvalsh(matrix.astype(np.float64)), rel=1e-3, abs=1e-5)
    assert solve(matrix, work, vectors[0], right, rotated, solution)
    assert solution == pytest.approx(np.linalg.solve(matrix.astype(np.float64), right), rel=1e-2, abs=1e-3)


def test_vanishing_pivot_is_reported() -> None:
    matrix, right = np.zeros((N, N), np.float32), np.zeros((N, 2), np.float32)
    matrix[np.arange(N - 1), np.arange(N - 1)] = 1
    work, vectors = np.zeros((4, N, N), np.float32), np.zeros((3, N), np.float32)
    assert not solve(matrix, work, vectors[0], right, right.copy(), right.copy())


def moving_pictures(fmt: FrameFormat, n_frames: int, seed: int) -> list[Planes]:
    """Smooth textures that move, with a little noise: what SpEED's model is made for."""
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    top = (1 << fmt.bit_depth) - 1
    waves = rng.uniform(0.01, 0.3, (3, 12, 2)) * rng.choice([-1, 1], (3, 12, 2))
    frames = []
    for i in range(n_frames):
        planes: list[Any] = []
        for shape, own in zip(fmt.shapes, waves, strict=True):
            y, x = np.mgrid[: shape[0], : shape[1]]
            picture = sum(np.sin(a * x + b * y + (k + 1) * i) for k, (a, b) in enumerate(own)) / 12
            picture = 0.5 + 0.4 * picture + rng.normal(0, 0.03, shape)
            planes.append(np.clip(np.round(picture * top), 0, top).astype(dtype))
        frames.append((planes[0], planes[1], planes[2]))
    return frames


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    st.integers(200, 260).map(lambda n: 2 * n),
    st.integers(200, 240).map(lambda n: 2 * n),
    st.sampled_from([8, 10, 12]),
    st.sampled_from(["420", "422", "444"]),
    st.integers(0, 1 << 20),
)
def test_equals_live_libvmaf(width: int, height: int, depth: int, chroma: Chroma, seed: int) -> None:
    fmt = FrameFormat(width, height, depth, chroma)
    reference, distorted = moving_pictures(fmt, 3, seed), moving_pictures(fmt, 3, seed + 1)
    judged = libvmaf_scores(reference, distorted, fmt, ["speed_temporal", "speed_chroma"])
    values = run(Speed(fmt), reference, distorted)
    for name, column in zip(Speed.names, values.T, strict=True):
        assert not any(math.isnan(value) for value in column)
        assert column == pytest.approx(libvmaf_names(judged)[name], rel=1e-4, abs=1e-4)


def libvmaf_names(judged: dict[str, list[float | None]]) -> dict[str, list[float | None]]:
    prefixes = ("Speed_temporal_feature_", "Speed_chroma_feature_")
    return {name.removeprefix(prefixes[0]).removeprefix(prefixes[1]): values for name, values in judged.items()}
