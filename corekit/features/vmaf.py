"""VMAF v0.6.1: one score out of six features of a frame.

Netflix's Video Multi-Method Assessment Fusion (Li, Aaron, Katsavounidis, Moorthy and Manohara, 2016) scales ADM, motion and
the four scales of VIF, and feeds them to a support vector regressor trained on subjective scores of 1080p video at three
picture heights. 20 is bad and 100 excellent.

Follows ``predict.c`` and ``svm.cpp`` of libvmaf, with the numbers of its ``vmaf_v0.6.1.json`` (both Netflix,
BSD-2-Clause-Patent): equal to libvmaf's score within 1e-9 given equal features. The model file also holds a transform for
phone screens; libvmaf leaves it out unless asked, and so does this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from corekit.features.family import Values

INPUTS = ("adm2", "motion2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")


def vmaf(
    *, adm2: Values, motion2: Values, vif_scale0: Values, vif_scale1: Values, vif_scale2: Values, vif_scale3: Values
) -> Values:
    """Scores of frames in [0, 100], from their features; all arrays have shape ``(n_frames,)``.

    A frame with a feature that is NaN scores NaN.
    """
    model = _model()
    features = np.stack([adm2, motion2, vif_scale0, vif_scale1, vif_scale2, vif_scale3])
    scaled = model.slopes[1:, None] * features + model.intercepts[1:, None]
    total = np.zeros(features.shape[1])
    for coefficient, vector in zip(model.coefficients, model.support_vectors, strict=True):
        distance = np.zeros_like(total)
        for feature, centre in zip(scaled, vector, strict=True):
            distance += (feature - centre) ** 2
        total += coefficient * np.exp(-model.gamma * distance)
    score = (total - model.rho - model.intercepts[0]) / model.slopes[0]
    clipped: Values = np.clip(score, *model.score_clip)
    return clipped


@dataclass(frozen=True)
class _Model:
    """A nu-SVR; index 0 of slopes and intercepts scales the score, the others the inputs."""

    slopes: Values
    intercepts: Values
    score_clip: tuple[float, float]
    gamma: float
    rho: float
    coefficients: Values
    support_vectors: Values
    """Shape ``(n_vectors, 6)``."""


@cache
def _model() -> _Model:
    text = resources.files("corekit.features").joinpath("vmaf_v0_6_1.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    arrays = {name: np.array(stored[name]) for name in ("slopes", "intercepts", "coefficients", "support_vectors")}
    return _Model(score_clip=tuple(stored["score_clip"]), gamma=stored["gamma"], rho=stored["rho"], **arrays)
