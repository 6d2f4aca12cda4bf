"""`--identity floor`: what is known of a clip compared with itself without computing it, for parity with older tables."""

from __future__ import annotations

from corekit.backends.base import PairFeatures
from corekit.features.registry import identity_value
from corekit.model import FrameFormat
from corekit.schema import INFORMATIVE, VMAF

_MOTION = "motion2"
"""The one input of VMAF that is no constant there."""


def computed(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """What must be computed so that ``completed`` can give ``wanted``."""
    needed = {feature for feature in wanted if feature in INFORMATIVE} | ({_MOTION} if VMAF in wanted else set())
    return tuple(feature for feature in INFORMATIVE if feature in needed)


def completed(answer: PairFeatures, wanted: tuple[str, ...], fmt: FrameFormat) -> PairFeatures:
    """``answer`` with the constants of ``wanted`` at every frame, and the VMAF that follows from them and motion2."""
    import numpy as np

    from corekit.features.vmaf import INPUTS, vmaf

    def constant(feature: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.full(answer.n_frames, identity_value(feature, fmt))

    values = {feature: answer.values[feature] for feature in wanted if feature in answer.values}
    nulls = dict(answer.nulls)
    for feature in wanted:
        if feature not in (*INFORMATIVE, VMAF):
            values[feature] = constant(feature)
    if VMAF in wanted:
        if _MOTION in answer.values:
            inputs = {name: constant(name) for name in INPUTS if name != _MOTION}
            values[VMAF] = vmaf(motion2=answer.values[_MOTION], **inputs)
        else:
            nulls[VMAF] = f"needs {_MOTION}: {answer.nulls.get(_MOTION, 'the backend gave none')}"
    return PairFeatures(values, nulls, answer.n_frames)
