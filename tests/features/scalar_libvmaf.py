"""Values of scalar libvmaf 3.2.0 (Netflix/vmaf f85a8536, no SIMD) for frames drawn by a formula.

They hold what no other judge has: every digit, odd sizes, 16 bits, and contrast at which ADM's 16-bit
arithmetic wraps around. There libvmaf's SIMD paths give other values, and also at 8 bits
where the width is one more than a multiple of 32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from corekit.features.family import Planes
from corekit.model import FrameFormat


class ScalarCase(NamedTuple):
    fmt: FrameFormat
    binary: bool
    adm: tuple[float, ...]
    """adm2, adm_scale0 to 3, adm3."""
    vif: tuple[float, ...]

    @property
    def planes(self) -> tuple[Planes, Planes]:
        """Reference and distorted frame."""
        return _pattern(self.fmt, 0, self.binary), _pattern(self.fmt, 1, self.binary)


def _pattern(fmt: FrameFormat, side: int, binary: bool) -> Planes:
    y, x = np.mgrid[: fmt.height, : fmt.width]
    value = (x * x * 7 + y * y * 13 + x * y * 5 + side * (x // 3)) % 251
    if binary:
        value = (value > 125) * 255
    elif side:
        value = (value * 7 + np.roll(value, 1, 1) * 2) // 10
    dtype: Any = np.uint8 if fmt.bit_depth == 8 else np.uint16
    luma = (value * ((1 << fmt.bit_depth) - 1) // 255).astype(dtype)
    cb, cr = (np.zeros(shape, dtype) for shape in fmt.shapes[1:])
    return luma, cb, cr


SCALAR_CASES = (
    ScalarCase(
        FrameFormat(33, 33, 8, "420"), False,
        (0.6532485167983219, 0.7206112710047966, 0.7530226182859875, 0.7106941698525886, 0.37223410428945664,
         0.6999755532386815),
        (0.19379527866840363, 0.3952328562736511, 0.4125102460384369, 0.45861491560935974),
    ),
    ScalarCase(
        FrameFormat(65, 49, 8, "420"), False,
        (0.6590546179689777, 0.675294122612224, 0.6847088616175002, 0.6502541835621043, 0.6147845817629987,
         0.7094671454655845),
        (0.12464297562837601, 0.2701552212238312, 0.2917158007621765, 0.3349863886833191),
    ),
    ScalarCase(
        FrameFormat(64, 64, 8, "420"), True,
        (0.7986259827703207, 0.8522069534412458, 0.8121705472820463, 0.75420854193487, 0.7585690133613127,
         0.7792114685417335),
        (0.18546727299690247, 0.2748848795890808, 0.34344905614852905, 0.4431726336479187),
    ),
    ScalarCase(
        FrameFormat(97, 50, 10, "420"), False,
        (0.6196494243734466, 0.639019089640779, 0.6401002659284281, 0.5812258061864448, 0.6253522034943796,
         0.6555720156022944),
        (0.08936064690351486, 0.19846709072589874, 0.23124320805072784, 0.29741770029067993),
    ),
    ScalarCase(
        FrameFormat(121, 75, 12, "420"), True,
        (0.6940338771169049, 0.7666612258931441, 0.7103780912349312, 0.6610459221876891, 0.6195990247680788,
         0.6461943630364935),
        (0.11128681898117065, 0.18403077125549316, 0.236930713057518, 0.31777042150497437),
    ),
    ScalarCase(
        FrameFormat(40, 200, 16, "420"), False,
        (0.7524702503955096, 0.7131919685944613, 0.7679785406657901, 0.761957391438853, 0.7672876940782446,
         0.8000695136487699),
        (0.177694633603096, 0.3952336609363556, 0.48301929235458374, 0.5685592889785767),
    ),
)  # fmt: skip
