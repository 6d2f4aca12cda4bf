"""motion, motion2, motion3 over batches: the arithmetic of ``corekit.features.motion`` on whole frames.

Source: libvmaf/src/feature/integer_motion.c (Netflix, BSD-2-Clause-Patent); the two definitions as there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from corekit.features._vif_figures import FILTERS
from corekit.features.tensor._filters import filtered, frame_sum, rounded_shift
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

_GAUSSIAN = FILTERS[2]
"""integer_motion.h has the same five taps."""
_FIRST = -1
"""Sum of a frame that has none before it: no sum of absolute values is negative."""
_PEAK_BYTES = 5 * 8
_FUSED_BYTES = 5


class Motion(TensorFamily):
    """Motion of the reference, the same for all its pairs."""

    names = ("motion", "motion2", "motion3")

    def __init__(
        self, fmt: FrameFormat, device: torch.device, *, definition: Literal["3.2", "3.1"] = "3.2", fused: bool = False
    ) -> None:
        """``fused`` takes the Triton kernel, which gives the same sums; the older definition and 16 bits have none."""
        self._fmt = fmt
        self._integer = torch.int32 if fmt.bit_depth < 16 else torch.int64
        """A column's weighted sum needs one bit more than samples and weights of 16 bits."""
        self._fused = fused and definition == "3.2" and fmt.bit_depth < 16
        self._definition = definition

    def sums(self, batch: Batch) -> torch.Tensor:
        luma, previous = batch.reference[0], batch.reference_previous.clamp_min(0)
        if self._fused:
            from corekit.features.tensor.kernels.motion import fused_sad

            return self._of_pairs(batch, fused_sad(luma, previous, self._fmt.bit_depth))
        if self._definition == "3.2":
            change = self._blurred(luma.index_select(0, previous).to(self._integer) - luma.to(self._integer))
        else:
            blurred = self._blurred(luma.to(self._integer))
            change = blurred.index_select(0, previous) - blurred
        return self._of_pairs(batch, frame_sum(change.abs()))

    def _of_pairs(self, batch: Batch, sad: torch.Tensor) -> torch.Tensor:
        marked = torch.where(batch.reference_previous < 0, _FIRST, sad)
        return marked.index_select(0, batch.pair_reference)[:, None]

    def scores(self, sums: Integers) -> Values:
        sad = np.where(sums[:, 0] == _FIRST, 0, sums[:, 0])
        pixels = self._fmt.width * self._fmt.height
        if self._definition == "3.2":
            motion = sad / 256.0 / pixels
        else:
            motion = ((sad / 256.0).astype(np.float32) / np.float32(pixels)).astype(np.float64)
        motion2 = motion.copy()
        np.minimum(motion[:-1], motion[1:], out=motion2[:-1])
        motion3 = motion2.copy()
        motion3[:1] = motion[1:2] if len(motion) > 1 else 0.0
        return np.stack([motion, motion2, motion3], axis=1)

    def pair_bytes(self) -> int:
        return self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused else _PEAK_BYTES)

    def _blurred(self, x: torch.Tensor) -> torch.Tensor:
        """To 1/256 of an 8-bit code value; a row of sums needs 33 bits."""
        down = rounded_shift(filtered(x, _GAUSSIAN, -2), self._fmt.bit_depth)
        return rounded_shift(filtered(down.to(torch.int64), _GAUSSIAN, -1), 16)
