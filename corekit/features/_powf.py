"""The cube root as C's ``powf(x, 1.0f / 3.0f)`` rounds it.

libvmaf pools ADM with ``powf``. The one of glibc (since 2.28) and musl, from Arm's Optimized Routines (MIT), is off the nearest
float32 once in about 1500 arguments, which is 6e-8 in a score. This evaluates the same tables and
polynomials in float64, so that a score depends neither on the machine's C library nor on the backend.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

EXPONENT = float(np.float32(1) / np.float32(3))

_FIRST = 0x3F330000
"""Bits of the float32 at which the sixteen intervals of the logarithm start."""


def _figures(*hexadecimal: str) -> npt.NDArray[np.float64]:
    return np.array([float.fromhex(text) for text in hexadecimal])


# centres of the intervals, inverted, and their logarithms (base 2)
_INVERSES = _figures(
    "0x1.661ec79f8f3bep+0", "0x1.571ed4aaf883dp+0", "0x1.49539f0f010bp+0", "0x1.3c995b0b80385p+0",
    "0x1.30d190c8864a5p+0", "0x1.25e227b0b8eap+0", "0x1.1bb4a4a1a343fp+0", "0x1.12358f08ae5bap+0",
    "0x1.0953f419900a7p+0", "0x1p+0", "0x1.e608cfd9a47acp-1", "0x1.ca4b31f026aap-1",
    "0x1.b2036576afce6p-1", "0x1.9c2d163a1aa2dp-1", "0x1.886e6037841edp-1", "0x1.767dcf5534862p-1",
)  # fmt: skip
_LOGARITHMS = _figures(
    "-0x1.efec65b963019p-2", "-0x1.b0b6832d4fca4p-2", "-0x1.7418b0a1fb77bp-2", "-0x1.39de91a6dcf7bp-2",
    "-0x1.01d9bf3f2b631p-2", "-0x1.97c1d1b3b7afp-3", "-0x1.2f9e393af3c9fp-3", "-0x1.960cbbf788d5cp-4",
    "-0x1.a6f9db6475fcep-5", "0x0p+0", "0x1.338ca9f24f53dp-4", "0x1.476a9543891bap-3",
    "0x1.e840b4ac4e4d2p-3", "0x1.40645f0c6651cp-2", "0x1.88e9c2c1b9ff8p-2", "0x1.ce0a44eb17bccp-2",
)  # fmt: skip
_LOG2 = _figures(
    "0x1.27616c9496e0bp-2", "-0x1.71969a075c67ap-2", "0x1.ec70a6ca7baddp-2", "-0x1.7154748bef6c8p-1",
    "0x1.71547652ab82bp+0",
)  # fmt: skip
_EXP2 = _figures(
    "0x1.c6af84b912394p-5", "0x1.ebfce50fac4f3p-3", "0x1.62e42ff0c52d6p-1",
)  # fmt: skip


def cube_root(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``powf(x, 1.0f / 3.0f)`` of finite float32 values of any shape; negative ones, which have no root, give 0."""
    safe = np.where(values > 0, values, np.float32(1))
    tiny = safe < np.finfo(np.float32).tiny
    bits = (safe * np.where(tiny, np.float32(2.0**23), np.float32(1))).view(np.int32)
    offset = bits - np.int32(_FIRST)
    interval = offset >> 19 & 15
    whole = offset >> 23
    mantissa = (bits - (whole << 23)).view(np.float32).astype(np.float64)
    r = mantissa * _INVERSES[interval] - 1.0
    log2 = _LOG2[4] * r + (_LOGARITHMS[interval] + (whole - np.where(tiny, 23, 0)))
    log2 = (_LOG2[2] * r + _LOG2[3]) * (r * r) + log2
    log2 = (_LOG2[0] * r + _LOG2[1]) * (r * r * (r * r)) + log2
    power = EXPONENT * log2
    near = np.rint(power * 32.0) / 32.0
    r = power - near
    root = (_EXP2[0] * r + _EXP2[1]) * (r * r) + (_EXP2[2] * r + 1.0)
    roots: npt.NDArray[np.float32] = np.where(values > 0, root * np.exp2(near), 0.0).astype(np.float32)
    return roots
