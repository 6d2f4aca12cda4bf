"""The recursive Gaussian of libjxl, as SSIMULACRA 2 uses it: three undamped oscillators whose sum is a truncated cosine.

Each output is the sum of three states ``c = in * (x[n - RADIUS - 1] + x[n + RADIUS - 1]) - back * a - b`` where ``a`` and ``b``
are that state one and two steps before; outside the picture ``x`` is 0. The oscillators never forget a rounding error, so
every step is float32, in order, without fused multiply-add. A picture passes in bands of ``BAND`` rows: along the rows
with the band's rows abreast (they are transposed first), then down the columns of one ``TILE`` after another.

Source: libjxl ``lib/jxl/gauss_blur.cc`` (BSD-3-Clause) as ported in ``ssimulacra2.c`` of lusoris/vmaf; D. Charalampidis,
"Recursive Implementation of the Gaussian Filter Using Truncated Cosine Functions", IEEE TSP 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corekit.features._jit import kernel
from corekit.features._recursive_gaussian import BACK1, BACK3, BACK5, IN1, IN3, IN5, RADIUS

F = np.float32
ZERO = F(0)

BAND = 8  # rows blurred at once, their pixels of one column side by side: few, so that all fits the second-level cache
STEPS = 8  # steps of the recursion between two stores of its state
TILE = 128  # columns of the vertical blur whose state and rows stay in the first-level cache


REACH = RADIUS - 1  # rows after the current one that the blur reads
SPAN = 2 * RADIUS  # distance of the two rows, or columns, that enter a step
LEAD = STEPS + RADIUS + 1  # columns of 0 before a picture, so that whole groups of steps start at its first column
LANES = 3 * BAND  # a column holds up to three fields: the distorted picture, its square, its product with the reference
RING_TILE = (BAND + SPAN) * TILE  # samples of one field in one tile: a band and the rows before it that are still read


@kernel()
def transpose(rows: Any, n_rows: int, width: int, columns: Any, lane: int) -> None:
    """Write ``rows[i, j]`` to lane ``lane + i`` of column ``LEAD + j``, and 0 for rows and columns that the picture lacks."""
    for i in range(BAND):
        at = np.uint64(lane + i)
        for _ in range(LEAD):
            columns[at] = ZERO
            at += np.uint64(LANES)
        at = np.uint64((LEAD + width) * LANES + lane + i)
        for _ in range(LEAD + width, _n_columns(width)):
            columns[at] = ZERO
            at += np.uint64(LANES)
    for start in range(0, width, BAND):
        stop = min(start + BAND, width)
        for i in range(BAND):
            at = np.uint64((LEAD + start) * LANES + lane + i)
            if i < n_rows:
                row = rows[i]
                for j in range(start, stop):
                    columns[at] = row[j]
                    at += np.uint64(LANES)
            else:
                for _ in range(start, stop):
                    columns[at] = ZERO
                    at += np.uint64(LANES)


@kernel(inline=True)
def _n_columns(width: int) -> int:
    """Columns that the recursion along a row reads: those of all groups of ``STEPS``, the first before the picture."""
    return (1 + (width + STEPS - 1) // STEPS) * STEPS + SPAN


@kernel()
def multiply_columns(columns: Any, width: int, lane: int, out: int) -> None:
    """Multiply the lanes of the picture by those from ``lane``; write to those from ``out``."""
    for j in range(np.uint64(0), np.uint64(_n_columns(width) * LANES), np.uint64(LANES)):
        for i in range(np.uint64(BAND)):
            columns[j + np.uint64(out) + i] = columns[j + i] * columns[j + np.uint64(lane) + i]


@kernel()
def blur_rows(columns: Any, n_fields: int, width: int, state: Any, out: Any, ring: Any, slot: int) -> None:
    """Blur along the rows, all lanes abreast, and append the band to the rows in ``ring``."""
    state[:] = 0
    lanes = np.uint64(n_fields * BAND)
    for group in range((width + STEPS - 1) // STEPS + 1):
        base = np.uint64(group * STEPS * LANES)
        for lane in range(lanes):
            a1, a3, a5 = state[lane], state[np.uint64(LANES) + lane], state[np.uint64(2 * LANES) + lane]
            b1, b3, b5 = (
                state[np.uint64(3 * LANES) + lane],
                state[np.uint64(4 * LANES) + lane],
                state[np.uint64(5 * LANES) + lane],
            )
            for step in range(np.uint64(STEPS)):
                at = base + step * np.uint64(LANES) + lane
                total = columns[at] + columns[at + np.uint64(SPAN * LANES)]
                c1 = IN1 * total - BACK1 * a1 - b1
                c3 = IN3 * total - BACK3 * a3 - b3
                c5 = IN5 * total - BACK5 * a5 - b5
                b1, b3, b5, a1, a3, a5 = a1, a3, a5, c1, c3, c5
                out[step * np.uint64(LANES) + lane] = c1 + c3 + c5
            state[lane], state[np.uint64(LANES) + lane], state[np.uint64(2 * LANES) + lane] = a1, a3, a5
            (
                state[np.uint64(3 * LANES) + lane],
                state[np.uint64(4 * LANES) + lane],
                state[np.uint64(5 * LANES) + lane],
            ) = b1, b3, b5
        if group > 0:
            start = (group - 1) * STEPS
            for field in range(n_fields):
                tile = 9 * (start // TILE) + slot + field
                at = np.uint64(tile * RING_TILE + SPAN * TILE + start % TILE)
                _transpose_back(out, np.uint64(field * BAND), ring, at)


@kernel()
def _transpose_back(out: Any, lane: np.uint64, ring: Any, at: np.uint64) -> None:
    for i in range(np.uint64(BAND)):
        for step in range(np.uint64(STEPS)):
            ring[at + i * np.uint64(TILE) + step] = out[step * np.uint64(LANES) + lane + i]


@kernel()
def blur_columns(ring: Any, state: Any, slot: int, width: int, tile: Any, field: int) -> None:
    """Blur the rows of one tile down its columns into ``tile`` and keep the last rows for the next band."""
    rows, states = np.uint64(slot * RING_TILE), np.uint64(slot * 6 * TILE)
    for start in range(0, BAND, STEPS):
        first = np.uint64(start * TILE)
        to = np.uint64(field * BAND * TILE) + first
        for x in range(np.uint64(width)):
            own = states + x
            a1, a3, a5 = state[own], state[own + np.uint64(TILE)], state[own + np.uint64(2 * TILE)]
            b1, b3, b5 = (
                state[own + np.uint64(3 * TILE)],
                state[own + np.uint64(4 * TILE)],
                state[own + np.uint64(5 * TILE)],
            )
            for step in range(np.uint64(STEPS)):
                at = rows + first + step * np.uint64(TILE) + x
                total = ring[at] + ring[at + np.uint64(SPAN * TILE)]
                c1 = IN1 * total - BACK1 * a1 - b1
                c3 = IN3 * total - BACK3 * a3 - b3
                c5 = IN5 * total - BACK5 * a5 - b5
                b1, b3, b5, a1, a3, a5 = a1, a3, a5, c1, c3, c5
                tile[to + step * np.uint64(TILE) + x] = c1 + c3 + c5
            state[own], state[own + np.uint64(TILE)], state[own + np.uint64(2 * TILE)] = a1, a3, a5
            state[own + np.uint64(3 * TILE)], state[own + np.uint64(4 * TILE)] = b1, b3
            state[own + np.uint64(5 * TILE)] = b5
    for x in range(np.uint64(SPAN * TILE)):
        ring[rows + x] = ring[rows + np.uint64(BAND * TILE) + x]
