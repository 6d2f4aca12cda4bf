"""cube_root rounds as the C library does."""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import numpy.typing as npt
import pytest

from corekit.features._powf import cube_root

Floats = npt.NDArray[np.float32]


@pytest.fixture
def values() -> Floats:
    rng = np.random.default_rng(0)
    logarithms = np.concatenate([rng.uniform(-90, 88, 10_000), rng.uniform(-5, 18, 40_000)])
    drawn: Floats = np.exp(logarithms).astype(np.float32)
    return drawn


def test_within_one_step_of_the_root(values: Floats) -> None:
    roots = cube_root(values).astype(np.float64)
    exact = values.astype(np.float64) ** float(np.float32(1) / np.float32(3))
    assert (np.abs(roots - exact) <= 0.51 * np.spacing(exact.astype(np.float32))).all()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc and musl round like this")
def test_equals_powf(values: Floats) -> None:
    powf = ctypes.CDLL("libm.so.6").powf
    powf.restype, powf.argtypes = ctypes.c_float, [ctypes.c_float, ctypes.c_float]
    third = float(np.float32(1) / np.float32(3))
    assert cube_root(values).tolist() == [powf(value, third) for value in values.tolist()]


def test_edges() -> None:
    assert cube_root(np.array([0.0, 1.0, 8.0], np.float32)).tolist() == [0.0, 1.0, 2.0]
    extremes = np.array([2.0**-149, 2.0**127], np.float32)
    np.testing.assert_allclose(cube_root(extremes), [2.0 ** (-149 / 3), 2.0 ** (127 / 3)], rtol=3e-6)
