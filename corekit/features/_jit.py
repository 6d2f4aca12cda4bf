"""How every kernel is compiled: one decorator over numba, with a cache that may also be read-only or absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(*, contract: bool = False, inline: bool = False) -> Callable[[F], F]:
    """Compile a function with numba: nogil, no bounds checks, IEEE order of operations.

    ``contract`` allows fused multiply-add, where bits are not promised. ``inline`` marks a small helper that is
    always inlined into its caller by LLVM.
    """

    def decorate(function: F) -> F:
        options: dict[str, Any] = {
            "nogil": True,
            "error_model": "numpy",
            "fastmath": {"contract"} if contract else False,
        }
        if inline:
            options["forceinline"] = True
        try:
            return cast(F, numba.njit(cache=True, **options)(function))
        except RuntimeError:  # no folder can hold the cache: compile in memory
            return cast(F, numba.njit(**options)(function))

    return decorate
