"""ciede2000 is libvmaf's within 2e-6 dB."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features import ciede2000
from corekit.features.ciede2000 import Ciede2000
from corekit.features.family import Planes
from corekit.features.registry import undefined
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs, run
from tests.features.libvmaf_judge import libvmaf_scores, numbers
from tests.shared_data import needs_shared


def published_difference(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """CIEDE2000 after Sharma et al., equations 2 to 22, in degrees and float64; lightness weight 0.65, hue weight 4."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    seventh = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - math.sqrt(seventh / (seventh + 25**7)))
    c1, c2 = math.hypot((1 + g) * a1, b1), math.hypot((1 + g) * a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, (1 + g) * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dh_length = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh) / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = (h1 + h2) / 2 if abs(h1 - h2) <= 180 else (h1 + h2 + 360) / 2

    def cosine(degrees: float) -> float:
        return math.cos(math.radians(degrees))

    t = 1 - 0.17 * cosine(mean_h - 30) + 0.24 * cosine(2 * mean_h)
    t += 0.32 * cosine(3 * mean_h + 6) - 0.20 * cosine(4 * mean_h - 63)
    turn = 30 * math.exp(-(((mean_h - 275) / 25) ** 2))
    rotation = -math.sin(math.radians(2 * turn)) * 2 * math.sqrt(mean_c**7 / (mean_c**7 + 25**7))
    off = (mean_l - 50) ** 2
    lightness = (l2 - l1) / (0.65 * (1 + 0.015 * off / math.sqrt(20 + off)))
    chroma = (c2 - c1) / (1 + 0.045 * mean_c)
    hue = dh_length / (4 * (1 + 0.015 * mean_c * t))
    return math.sqrt(lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue)


def assert_golden(pair: GoldenPair) -> None:
    if "ciede2000" in pair.features:
        values = run(Ciede2000(pair.fmt), pair.reference, pair.distorted)
        golden = numbers(pair.features["ciede2000"][: len(values)])
        np.testing.assert_allclose(values[:, 0], golden, rtol=0, atol=2e-6)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus):
        assert_golden(pair)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    fmt=formats(16, 200, chromas=["420", "444"]),
    content=st.sampled_from(CONTENTS),
    damage=st.sampled_from(DAMAGES),
    seed=st.integers(0, 99),
)
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 2, seed)
    values = run(Ciede2000(fmt), reference, distorted)
    judged = libvmaf_scores(reference, distorted, fmt, ["ciede"])
    np.testing.assert_allclose(values[:, 0], numbers(judged["ciede2000"]), rtol=0, atol=2.5e-6)


def colours(seed: int, near: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """500 random colours and a neighbour of each, shape (3, 500)."""
    rng = np.random.default_rng(seed)
    first = rng.uniform([[0], [-90], [-90]], [[100], [90], [90]], (3, 500))
    return first.astype(np.float32), (first + rng.normal(0, near, first.shape)).astype(np.float32)


@pytest.mark.parametrize("near", [0.3, 3.0, 60.0])
def test_both_ways_of_the_formula_are_the_published_one(near: float) -> None:
    first, second = colours(1, near)
    expected = [
        published_difference(tuple(map(float, a)), tuple(map(float, b))) for a, b in zip(first.T, second.T, strict=True)
    ]
    fast = [ciede2000._difference(*a, *b) for a, b in zip(first.T, second.T, strict=True)]
    stepwise = [ciede2000._stepwise_difference(*a, *b) for a, b in zip(first.T, second.T, strict=True)]
    np.testing.assert_allclose(fast, expected, rtol=1e-4)
    np.testing.assert_allclose(stepwise, expected, rtol=1e-4)
    assert np.mean(fast) == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((50.0, 0.0, 0.0), (50.0, 0.0, 0.0)),
        ((50.0, 0.0, 0.0), (55.0, 0.0, 0.0)),
        ((50.0, 0.0, 0.0), (50.0, 3.0, -1.0)),
        ((50.0, 20.0, 1.0), (51.0, 20.0, -1.0)),
        ((50.0, -20.0, 1.0), (51.0, -20.0, -1.0)),
        ((50.0, 3.0, 0.1), (50.0, -3.0, 0.1)),
        ((30.0, 5.0, -70.0), (31.0, -5.0, -75.0)),
    ],
)
def test_grey_and_hues_around_the_circle(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    arguments = [np.float32(value) for value in first + second]
    expected = published_difference(first, second)
    assert ciede2000._difference(*arguments) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert ciede2000._stepwise_difference(*arguments) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_few_and_many_differing_pixels_agree(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fmt = FrameFormat(100, 60, depth, "420")
    reference, distorted = generate(fmt, "gradient", "coarse", 1, seed=0)
    stepwise = run(Ciede2000(fmt), reference, distorted)[0, 0]
    monkeypatch.setattr(ciede2000, "_FEW", 0)
    assert run(Ciede2000(fmt), reference, distorted)[0, 0] == pytest.approx(stepwise, abs=2e-6)


def test_identical_frames_are_infinite() -> None:
    fmt = FrameFormat(33, 17, 10, "420")
    reference, distorted = generate(fmt, "noise", "none", 1, seed=0)
    assert run(Ciede2000(fmt), reference, distorted)[0, 0] == np.inf


def test_chroma_of_odd_frames_covers_the_last_row_and_column() -> None:
    """An odd frame of 4:2:0 scores as the same frame does with its chroma repeated to 4:4:4."""
    odd = FrameFormat(31, 17, 8, "420")
    reference, distorted = generate(odd, "noise", "coarse", 1, seed=0)
    full = FrameFormat(31, 17, 8, "444")

    def repeated(planes: Planes) -> Planes:
        chroma: list[Any] = [plane.repeat(2, 0).repeat(2, 1)[:17, :31].copy() for plane in planes[1:]]
        return planes[0], chroma[0], chroma[1]

    expected = run(Ciede2000(full), [repeated(reference[0])], [repeated(distorted[0])])[0, 0]
    assert run(Ciede2000(odd), reference, distorted)[0, 0] == expected


def test_rungs_share_the_reference_which_may_be_overwritten() -> None:
    fmt = FrameFormat(64, 48, 8, "420")
    reference, distorted = generate(fmt, "text", "coarse", 1, seed=4)
    alone = run(Ciede2000(fmt), reference, distorted)[0, 0]
    family, out = Ciede2000(fmt, rungs=2), np.zeros(1)
    family.reference(reference[0])
    for plane in reference[0]:
        plane[:] = 0
    for rung in range(2):
        family.compare(rung, distorted[0], out)
        assert out[0] == alone


def test_unavailable() -> None:
    assert undefined("ciede2000", FrameFormat(64, 48, 8, "420")) is None
    refused = "is not defined for 4:2:2 (libvmaf reads past its chroma rows)"
    assert undefined("ciede2000", FrameFormat(64, 48, 8, "422")) == refused
