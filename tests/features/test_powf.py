"""cube_root rounds as the C library does."""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from corekit.features._powf import cube_root


@pytest.fixture
def values() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rng = np.random.default_rng(0)
    return np.exp(np.concatenate([rng.uniform(-90, 88, 10_000), rng.uniform(-5, 18, 40_000)])).astype(np.float32)


def test_within_one_step_of_the_root(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    roots = cube_root(values).astype(np.float64)
    exact = values.astype(np.float64) ** float(np.float32(1) / np.float32(3))
    assert (np.abs(roots - exact) <= 0.51 * np.spacing(exact.astype(np.float32))).all()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc and musl round like this")
def test_equals_powf(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    powf = ctypes.CDLL("libm.so.6").powf
    powf.restype, powf.argtypes = ctypes.c_float, [ctypes.c_float, ctypes.c_float]
    third = float(np.float32(1) / np.float32(3))
    assert cube_root(values).tolist() == [powf(value, third) for value in values.tolist()]


def test_edges() -> None:
    edges = np.array([0.0, 1.0, 8.0, 1e-45, 3.4028235e38], np.float32)
    assert cube_root(edges).tolist() == np.float32([0, 1, 2, 1.1190347e-15, 6.981461e12]).tolist()
