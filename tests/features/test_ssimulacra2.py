from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features import _recursive_gaussian as blur
from corekit.features._ssimulacra2_weights import WEIGHTS
from corekit.features.family import Planes
from corekit.features.registry import undefined
from corekit.features.ssimulacra2 import Ssimulacra2
from corekit.model import Chroma, FrameFormat
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, corpus_pairs, run
from tests.shared_data import needs_shared

Picture = npt.NDArray[np.float32]
F = np.float32


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_clips_equal_the_fork(name: str) -> None:
    pair = clip_pair(name)
    values = run(Ssimulacra2(pair.fmt), pair.reference, pair.distorted)[:, 0]
    assert values == pytest.approx(pair.features["ssimulacra2"][: len(values)], rel=0, abs=1e-9)


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_corpora_equal_the_fork(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        values = run(Ssimulacra2(pair.fmt), pair.reference, pair.distorted)[:, 0]
        assert values == pytest.approx(pair.features["ssimulacra2"][: len(values)], rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(8, 8, None), (7, 300, "needs at least 8x8 pixels, the clip has 7x300"), (1920, 8, None)],
)
def test_geometry(width: int, height: int, reason: str | None) -> None:
    assert undefined("ssimulacra2", FrameFormat(width, height, 8, "420")) == reason


@pytest.mark.parametrize("kind", ["noise", "flat", "dark", "bright"])
def test_identical_frames_score_100(kind: str) -> None:
    fmt = FrameFormat(67, 45, 10, "420")
    frame = frame_of(fmt, np.random.default_rng(1), kind)
    assert run(Ssimulacra2(fmt), [frame], [frame]) == 100.0


def test_rungs_and_frames_do_not_disturb_each_other() -> None:
    fmt = FrameFormat(150, 70, 8, "420")
    rng = np.random.default_rng(2)
    reference, *rungs = ([frame_of(fmt, rng, "text"), frame_of(fmt, rng, "gradient")] for _ in range(3))
    family = Ssimulacra2(fmt, rungs=2)
    values = np.zeros((2, 2, 1))
    for i, planes in enumerate(reference):
        family.reference(planes)
        for rung in (0, 1):
            family.compare(rung, rungs[rung][i], values[rung, i])
    for rung in (0, 1):
        apart = [run(Ssimulacra2(fmt), [a], [b])[0, 0] for a, b in zip(reference, rungs[rung], strict=True)]
        assert values[rung, :, 0].tolist() == apart


def test_channels_without_ssim_show_only_ringing_and_hardly_weigh() -> None:
    """What allows their map to be made in float32."""
    has_ssim = WEIGHTS[:, :, :, 0].any(axis=2)
    assert WEIGHTS[~has_ssim][:, :, [0, 2]].max() == 0
    assert WEIGHTS[~has_ssim].max() < 1e-3


def test_blur_is_nearly_gaussian() -> None:
    impulse = np.zeros((41, 41), np.float32)
    impulse[20, 20] = 1
    distance = np.hypot(*np.mgrid[-20:21, -20:21])
    gaussian = np.exp(-0.5 * (distance / 1.5) ** 2) / (2 * math.pi * 1.5**2)
    assert recursive_blur(impulse) == pytest.approx(gaussian, abs=1e-3)
    assert recursive_blur(impulse).sum() == pytest.approx(1, abs=1e-3)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(8, 150), st.integers(8, 60)),
    st.sampled_from([8, 10, 12, 16]),
    st.sampled_from(["420", "422", "444"]),
    st.sampled_from(["noise", "flat", "gradient", "text", "dark", "bright", "one pixel"]),
    st.integers(0, 1 << 20),
)
def test_equals_plain_numpy(size: tuple[int, int], depth: int, chroma: Chroma, kind: str, seed: int) -> None:
    fmt = FrameFormat(*size, depth, chroma)
    rng = np.random.default_rng(seed)
    reference, distorted = frame_of(fmt, rng, kind), frame_of(fmt, rng, kind)
    if kind == "one pixel":
        distorted = (reference[0].copy(), reference[1], reference[2])
        distorted[0][size[1] // 2, size[0] // 2] ^= 1
    value = run(Ssimulacra2(fmt), [reference], [distorted])[0, 0]
    assert value == pytest.approx(plain_score(fmt, reference, distorted), rel=0, abs=1e-6)


def frame_of(fmt: FrameFormat, rng: np.random.Generator, kind: str) -> Planes:
    dtype: type[Any] = np.uint8 if fmt.bit_depth == 8 else np.uint16
    top = (1 << fmt.bit_depth) - 1
    planes: list[Any] = [np.round(picture(kind, shape, rng) * top).astype(dtype) for shape in fmt.shapes]
    return planes[0], planes[1], planes[2]


def picture(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    pictures: dict[str, npt.NDArray[np.float64]] = {
        "noise": rng.random(shape),
        "flat": np.full(shape, rng.random()),
        "gradient": 0.5 + 0.4 * np.sin(x * rng.random() / 9 + y * rng.random() / 9),
        "text": np.where(rng.random(shape) < 0.2, 0.9, 0.4),
        "dark": rng.random(shape) * 0.02,
        "bright": 1 - rng.random(shape) * 0.02,
        "one pixel": np.full(shape, 0.6),
    }
    return pictures[kind]


def plain_score(fmt: FrameFormat, reference: Planes, distorted: Planes) -> float:
    """The definition once more, whole planes at a time: an independent check of bands, tiles and shortcuts."""
    sides = [linear_rgb(fmt, reference), linear_rgb(fmt, distorted)]
    distance = 0.0
    for scale in range(6):
        if scale:
            sides = [halve(side) for side in sides]
        if min(sides[0].shape[1:]) < 8:
            break
        first, second = xyb(sides[0]), xyb(sides[1])
        for channel in range(3):
            distance += float((WEIGHTS[channel, scale] * map_norms(first[channel], second[channel])).sum())
    distance *= 0.9562382616834844
    distance = 2.326765642916932 * distance - 0.020884521182843837 * distance**2 + 6.248496625763138e-05 * distance**3
    return 100 - 10 * distance**0.6276336467831387 if distance > 0 else 100.0


def map_norms(a: Picture, b: Picture) -> npt.NDArray[np.float64]:
    mu1, mu2, s11, s22, s12 = (recursive_blur(x) for x in (a, b, a * a, b * b, a * b))
    luminance = F(1) - (mu1 - mu2) * (mu1 - mu2)
    structure = F(2) * (s12 - mu1 * mu2) + F(0.0009)
    energy = (s11 - mu1 * mu1) + (s22 - mu2 * mu2) + F(0.0009)
    ssim = np.maximum(1 - luminance.astype(float) * structure.astype(float) / energy.astype(float), 0)
    edge1, edge2 = (np.abs(x.astype(float) - mu.astype(float)) for x, mu in ((a, mu1), (b, mu2)))
    change = (1 + edge2) / (1 + edge1) - 1
    maps = [ssim, np.maximum(change, 0), np.maximum(-change, 0)]
    return np.array([[m.mean() for m in maps], [(m**4).mean() ** 0.25 for m in maps]])


def recursive_blur(picture: Picture) -> Picture:
    return recursion(recursion(picture.T).T)


def recursion(x: Picture) -> Picture:
    """Blur down the columns."""
    n, zero = len(x), np.zeros(x.shape[1], np.float32)
    back = [zero] * 3
    before = [zero] * 3
    out = np.zeros_like(x)
    for i in range(1 - blur.RADIUS, n):
        low, high = i - blur.RADIUS - 1, i + blur.RADIUS - 1
        total = (x[low] if low >= 0 else zero) + (x[high] if high < n else zero)
        gains = zip((blur.IN1, blur.IN3, blur.IN5), (blur.BACK1, blur.BACK3, blur.BACK5), back, before, strict=True)
        new = [gain * total - feedback * a - b for gain, feedback, a, b in gains]
        before, back = back, new
        if i >= 0:
            out[i] = new[0] + new[1] + new[2]
    return out


def linear_rgb(fmt: FrameFormat, planes: Planes) -> Picture:
    scale = F(1) / F((1 << fmt.bit_depth) - 1)
    rows = np.arange(fmt.height) >> (fmt.chroma == "420")
    columns = np.arange(fmt.width) >> (fmt.chroma != "444")
    y = (planes[0].astype(np.float32) * scale - F(16) / F(255)) * (F(255) / F(219))
    cb, cr = (
        (plane[np.ix_(rows, columns)].astype(np.float32) * scale - F(0.5)) * (F(255) / F(224)) for plane in planes[1:]
    )
    kr, kg, kb = F(0.2126), F(0.7152), F(0.0722)
    two, one = F(2), F(1)
    red = y + two * (one - kr) * cr
    green = y + -(two * kb * (one - kb)) / kg * cb + -(two * kr * (one - kr)) / kg * cr
    blue = y + two * (one - kb) * cb
    return np.stack([eotf(channel) for channel in (red, green, blue)])


def eotf(signal: Picture) -> Picture:
    x = np.arange(1024) / 1023
    table = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)
    position = np.clip(signal, F(0), F(1)) * F(1023)
    i = np.minimum(position.astype(int), 1022)
    low: Picture = table[i]
    light: Picture = low + (table[i + 1] - low) * (position - i.astype(np.float32))
    return light


def xyb(rgb: Picture) -> Picture:
    r, g, b = rgb
    one, bias = F(1), F(0.0037930732552754493)
    m = [F(0.30), F(0.078), F(0.23), F(0.078), F(0.24342268924547819), F(0.20476744424496821)]
    long = m[0] * r + (one - m[0] - m[1]) * g + m[1] * b + bias
    medium = m[2] * r + (one - m[2] - m[3]) * g + m[3] * b + bias
    short = m[4] * r + m[5] * g + (one - m[4] - m[5]) * b + bias
    root = [cube_root(cone) - cube_root(np.full(1, bias)) for cone in (long, medium, short)]
    x, y = F(0.5) * (root[0] - root[1]), F(0.5) * (root[0] + root[1])
    return np.stack([x * F(14) + F(0.42), y + F(0.01), (root[2] - y) + F(0.55)])


def cube_root(x: Picture) -> Picture:
    root = (x.view(np.uint32) // np.uint32(3) + np.uint32(0x2A5137A0)).view(np.float32)
    for _ in range(2):
        root = (F(2) * root + x / (root * root)) * (F(1) / F(3))
    return root


def halve(rgb: Picture) -> Picture:
    padded = np.pad(rgb, ((0, 0), (0, rgb.shape[1] % 2), (0, rgb.shape[2] % 2)), "edge")
    a, b, c, d = (padded[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    return (((a + b) + c) + d) * F(0.25)
