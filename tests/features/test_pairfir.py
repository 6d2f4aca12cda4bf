"""pair_fir filters as a plain sum does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from corekit.features._jit import kernel
from corekit.features._pairfir import pair_fir

_fir2, _fir3 = pair_fir(2), pair_fir(3)


@kernel()
def down(out: Any, pairs: Any, taps: Any, n: int, step: int) -> None:
    _fir2(out, 0, n, pairs, 0, step, taps, 0)


@kernel()
def across(out: Any, line: Any, taps: Any, n: int) -> None:
    _fir3(out, 16, n, line, 1, 2, taps, 1)


def halves(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    return words.view("<i2").astype(np.int64)


@pytest.mark.parametrize("n", [1, 16, 40])
def test_pairs_of_rows(n: int) -> None:
    rng = np.random.default_rng(n)
    pairs, taps = (rng.integers(0, 2**32, size, dtype=np.uint32) for size in (2 * 48, 2))
    out = np.zeros(48, np.uint32)
    down(out, pairs, taps, n, 48)
    rows, weights = halves(pairs).reshape(2, 48, 2), halves(taps).reshape(2, 1, 2)
    expected = (rows * weights).sum(axis=(0, 2)).astype(np.uint32)
    assert out[:n].tolist() == expected[:n].tolist()


def test_pairs_along_a_line() -> None:
    rng = np.random.default_rng(0)
    line, taps = rng.integers(0, 2**16, 80).astype(np.uint16), rng.integers(0, 2**32, 4, dtype=np.uint32)
    out = np.zeros(48, np.uint32)
    across(out, line, taps, 32)
    samples, weights = line.view(np.int16).astype(np.int64), halves(taps)[2:]
    expected = [(samples[1 + 2 * i : 7 + 2 * i] * weights).sum() % 2**32 for i in range(32)]
    assert out[16:].tolist() == expected and not out[:16].any()
