"""The VMAF score equals libvmaf's, given the same features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.features.family import Values
from corekit.features.vmaf import INPUTS, vmaf
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, formats, generate
from tests.features.golden_clips import CLIP_PAIRS, GoldenPair, clip_pair, corpus_pairs
from tests.features.libvmaf_judge import libvmaf_scores
from tests.shared_data import needs_shared

PERFECT = {"adm2": 1.0, "motion2": 5.0, **{f"vif_scale{scale}": 1.0 for scale in range(4)}}


def score(*frames: dict[str, float]) -> Values:
    return vmaf(**{name: np.array([frame[name] for frame in frames]) for name in INPUTS})


def assert_golden(pair: GoldenPair) -> None:
    scores = vmaf(**{name: np.array(pair.features[name], float) for name in INPUTS})
    np.testing.assert_allclose(scores, np.array(pair.features["vmaf"], float), rtol=0, atol=1e-9)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_golden_clips(name: str) -> None:
    assert_golden(clip_pair(name, 1))


@needs_shared
@pytest.mark.parametrize("corpus", ["chug", "k150k", "netflix"])
def test_golden_corpora(corpus: str) -> None:
    for pair in corpus_pairs(corpus, 1):
        assert_golden(pair)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    fmt=formats(34, 160), content=st.sampled_from(CONTENTS), damage=st.sampled_from(DAMAGES), seed=st.integers(0, 99)
)
def test_live_libvmaf(fmt: FrameFormat, content: str, damage: str, seed: int) -> None:
    reference, distorted = generate(fmt, content, damage, 3, seed)
    judged = {
        name: np.array(values, float)
        for name, values in libvmaf_scores(reference, distorted, fmt, [], model=True).items()
        if name in (*INPUTS, "vmaf")
    }
    expected = judged.pop("vmaf")
    np.testing.assert_allclose(vmaf(**judged), expected, rtol=0, atol=5e-4)  # its inputs are rounded to 1e-6


def test_scores_are_cut_to_the_scale() -> None:
    best = PERFECT | {"motion2": 20.0}
    worst = dict.fromkeys(INPUTS, 0.1) | {"motion2": 0.0}
    assert score(best, worst).tolist() == [100.0, 0.0]


def test_a_missing_feature_has_no_score() -> None:
    scores = score(PERFECT, PERFECT | {"adm2": float("nan")})
    assert np.isnan(scores).tolist() == [False, True]


def test_no_frames() -> None:
    assert score().shape == (0,)
