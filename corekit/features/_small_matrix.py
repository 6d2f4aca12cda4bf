"""Eigenvalues and linear systems of one symmetric 25x25 matrix in float32, in the order of operations of libvmaf's ``speed.c``.

SpEED's covariance matrices are badly conditioned: a library's routines, which add in another order, give other scores.
libvmaf (BSD-2-Clause-Patent) took the eigenvalues after the GNU Scientific Library, the solver from textbook Householder QR.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corekit.features._jit import kernel

N = 25
EPSILON = 1e-6  # of eigenvalues, subdiagonals and pivots; compared in float64
MAX_QR_STEPS = 500
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


@kernel()
def find_eigenvalues(matrix: Any, work: Any, eigenvalues: Any, vectors: Any) -> None:
    """Eigenvalues of a symmetric matrix, unsorted: Householder tridiagonalisation, then implicit QR steps."""
    work[:] = matrix
    below = vectors[2]
    _tridiagonalise(work, vectors[0], vectors[1])
    for i in range(N):
        eigenvalues[i] = work[i, i]
        below[i] = work[i + 1, i] if i + 1 < N else ZERO
    _chop(eigenvalues, below, 0, N - 1)
    end, steps = N - 1, 0
    while end > 0 and steps < MAX_QR_STEPS:
        if below[end - 1] == 0:
            end -= 1
            continue
        start = end - 1
        while start > 0 and below[start - 1] != 0:
            start -= 1
        _qr_step(eigenvalues, below, start, end)
        _chop(eigenvalues, below, start, end)
        steps += 1


@kernel()
def _tridiagonalise(a: Any, v: Any, x: Any) -> None:
    """Reduce a symmetric matrix to its diagonal and subdiagonal by rank-two updates ``A -= x v' + v x'``."""
    for k in range(N - 2):
        tau = _reflect_column(a, k)
        for j in range(k + 1, N):
            v[j] = a[j, k]
        if tau == 0:
            continue
        v[k + 1] = ONE
        for i in range(k + 1, N):
            x[i] = ZERO
            for j in range(k + 1, N):
                x[i] += tau * a[i, j] * v[j]
        dot = ZERO
        for i in range(k + 1, N):
            dot += x[i] * v[i]
        alpha = np.float32(-0.5 * np.float64(tau) * np.float64(dot))
        for i in range(k + 1, N):
            x[i] += alpha * v[i]
        for i in range(k + 1, N):
            for j in range(k + 1, N):
                a[i, j] -= x[i] * v[j] + v[i] * x[j]


@kernel()
def _reflect_column(a: Any, k: int) -> Any:
    """Turn column ``k`` below the diagonal into its Householder vector, its first entry into the new subdiagonal."""
    total = ZERO
    for i in range(k + 2, N):
        total += a[i, k] * a[i, k]
    norm = np.sqrt(total)
    if norm == 0:
        return ZERO
    alpha = a[k + 1, k]
    length = _hypotenuse(alpha, norm)
    beta = -length if alpha >= 0 else length
    if alpha - beta != 0:
        for i in range(k + 1, N):
            a[i, k] /= alpha - beta
        a[k + 1, k] = beta
    return (beta - alpha) / beta


@kernel(inline=True)
def _hypotenuse(x: Any, y: Any) -> Any:
    return np.sqrt(x * x + y * y)


@kernel()
def _chop(diagonal: Any, below: Any, start: int, end: int) -> None:
    """Set to 0 the subdiagonals that are negligible beside their neighbours."""
    for i in range(start, end):
        if np.float64(abs(below[i])) < EPSILON * np.float64(abs(diagonal[i]) + abs(diagonal[i + 1])):
            below[i] = ZERO


@kernel()
def _qr_step(diagonal: Any, below: Any, start: int, end: int) -> None:
    """One implicit QR step with Wilkinson's shift on rows ``start..end`` of a tridiagonal matrix."""
    shift = _wilkinson_shift(diagonal[end - 1], diagonal[end], below[end - 1])
    if EPSILON * np.float64(abs(shift)) > np.float64(abs(diagonal[start]) + abs(below[start])):
        shift = ZERO
    x, z = diagonal[start] - shift, below[start]
    for k in range(start, end):
        c, s = _rotation(x, z)
        if k > start:
            below[k - 1] = c * x - s * z
        p, b, q = diagonal[k], below[k], diagonal[k + 1]
        diagonal[k] = c * (c * p - s * b) + s * (s * q - c * b)
        diagonal[k + 1] = s * (s * p + c * b) + c * (s * b + c * q)
        x = c * (s * p + c * b) - s * (s * b + c * q)
        below[k] = x
        if k + 1 < end:
            z = -s * below[k + 1]
            below[k + 1] = c * below[k + 1]


@kernel()
def _wilkinson_shift(a: Any, b: Any, off: Any) -> Any:
    """The eigenvalue of ``[[a, off], [off, b]]`` nearer to ``b``."""
    half = (a - b) / TWO
    if half > 0:
        return b - off * (off / (half + _hypotenuse(half, off)))
    if half == 0:
        return b - abs(off)
    return b + off * (off / (-half + _hypotenuse(half, off)))


@kernel()
def _rotation(a: Any, b: Any) -> Any:
    """Cosine and sine of the Givens rotation that annihilates ``b``."""
    if b == 0:
        return ONE, ZERO
    if abs(b) > abs(a):
        t = -a / b
        s = np.float32(1.0 / math.sqrt(np.float64(ONE + t * t)))
        return s * t, s
    t = -b / a
    c = np.float32(1.0 / math.sqrt(np.float64(ONE + t * t)))
    return c, c * t


@kernel()
def solve(matrix: Any, work: Any, v: Any, right: Any, rotated: Any, solution: Any) -> bool:
    """Solve ``matrix @ solution = right`` by QR; False where a pivot vanishes."""
    q, triangle = work[0], work[1]
    _orthogonalise(matrix, q, work[2], work[3], v)
    _multiply(q, matrix, triangle)
    _multiply(q, right, rotated)
    for i in range(N - 1, -1, -1):
        pivot = triangle[i, i]
        if np.float64(abs(pivot)) < EPSILON:
            return False
        own = solution[i]
        own[:] = rotated[i]
        for k in range(i + 1, N):
            weight, known = triangle[i, k], solution[k]
            for j in range(len(own)):
                own[j] -= known[j] * weight
        for j in range(len(own)):
            own[j] /= pivot
    return True


@kernel()
def _orthogonalise(matrix: Any, q: Any, rest: Any, work: Any, v: Any) -> None:
    """Householder QR: write to ``q`` the product of reflections that makes ``matrix`` upper triangular."""
    rest[:] = matrix
    q[:] = 0
    for k in range(N):
        q[k, k] = ONE
    for k in range(N - 1):
        if k > 0:
            for i in range(k, N):
                rest[i, k - 1] = ZERO
                rest[k - 1, i] = ZERO
        for i in range(k, N):
            v[i] = rest[i, k]
        length = _norm(v, k)
        v[k] += length if matrix[k, k] >= 0 else -length
        length = _norm(v, k)
        for i in range(k, N):
            v[i] /= length
        _reflect(rest, v, work, k)
        _reflect(q, v, work, k)


@kernel()
def _norm(v: Any, start: int) -> Any:
    total = ZERO
    for i in range(start, N):
        total += v[i] * v[i]
    return np.sqrt(total)


@kernel()
def _reflect(matrix: Any, v: Any, work: Any, start: int) -> None:
    """Multiply rows ``start..`` of ``matrix`` by ``I - 2 v v'`` from the left, each sum in the order of its terms."""
    for i in range(start, N):
        out = work[i]
        out[:] = 0
        for k in range(start, N):
            weight = -TWO * v[i] * v[k]
            if i == k:
                weight += ONE
            source = matrix[k]
            for j in range(N):
                out[j] += weight * source[j]
    for i in range(start, N):
        matrix[i] = work[i]


@kernel()
def _multiply(left: Any, right: Any, out: Any) -> None:
    out[:] = 0
    for i in range(N):
        row = out[i]
        for k in range(N):
            weight, source = left[i, k], right[k]
            for j in range(len(row)):
                row[j] += weight * source[j]
