"""Views of a float64 as bits, for kernels: a way to logarithms and powers of two that vectorises."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic


def _high_word(context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], context.get_value_type(types.int64))
        return builder.trunc(builder.lshr(bits, bits.type(32)), context.get_value_type(types.int32))

    return types.int32(types.float64), generate


def _from_high_word(context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.zext(args[0], context.get_value_type(types.int64))
        return builder.bitcast(builder.shl(bits, bits.type(32)), context.get_value_type(types.float64))

    return types.float64(types.int32), generate


high_word: Any = intrinsic(_high_word)
"""Sign, exponent (biased by 1023) and the top 20 bits of the fraction of a float64, as int32."""

from_high_word: Any = intrinsic(_from_high_word)
"""The float64 with this int32 as its high word and zeros below."""
