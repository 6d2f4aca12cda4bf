"""The last step of ADM: cubes pooled over a scale become scores, in float32 as libvmaf rounds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corekit.features._adm_layout import ScaleLayout, visibility
from corekit.features._powf import cube_root

NOISE_WEIGHT = 0.03125


def noise_of(layouts: Sequence[ScaleLayout]) -> npt.NDArray[np.float32]:
    """What is added to the root of each band, by scale, shape ``(n_scales,)``."""
    return cube_root(np.array([layout.area * NOISE_WEIGHT for layout in layouts], np.float32))


def visibility_cubes(scale: int) -> npt.NDArray[np.float64]:
    """Cubed visibility of the three bands of a scale."""
    return np.array([float(visibility(scale, band)) ** 3 for band in range(3)])


def cubes(totals: npt.NDArray[np.int64], point: tuple[int, ...], scale: int) -> npt.NDArray[np.float32]:
    """Pooled cubes as numbers, shape ``(..., 3)`` as given; the coarser scales go through float32 before they are scaled."""
    units = np.array([2.0**places for places in point])
    scaled = totals / units if scale == 0 else totals.astype(np.float32) / units
    rounded: npt.NDArray[np.float32] = scaled.astype(np.float32)
    return rounded


def pool(cubed: npt.NDArray[np.float32], noise: np.float32) -> npt.NDArray[np.float32]:
    """Sum of the bands' cube roots, each with its noise; ``(..., 3)`` to ``(...)``."""
    roots = cube_root(cubed) + noise
    pooled: npt.NDArray[np.float32] = (roots[..., 0] + roots[..., 1]).astype(np.float32) + roots[..., 2]
    return pooled
