"""Finite impulse response filters over 16-bit samples, two taps at a time.

The inner step multiplies signed 16-bit samples and taps, adds neighbouring products and keeps 32-bit sums, which wrap
modulo 2**32. It is written as portable LLVM vector arithmetic: x86 has one instruction for it (``pmaddwd``), which
no loop over scalars ever reaches, and every other target gets the same sums from its own instructions.

Unsigned samples fit by flipping their top bit, which subtracts 2**15 from each; the sum is then short of
2**15 times the sum of the taps. For taps that add up to 2**16 that is 2**31: flipping the top bit of the result undoes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
"""Sums computed together; every filter reads and writes whole blocks, so buffers extend to the next multiple."""

_PAIR = ir.VectorType(ir.IntType(16), 2 * LANES)
_PRODUCT = ir.VectorType(ir.IntType(32), 2 * LANES)
_SUM = ir.VectorType(ir.IntType(32), LANES)
_EVEN = ir.Constant(_SUM, list(range(0, 2 * LANES, 2)))
_ODD = ir.Constant(_SUM, list(range(1, 2 * LANES, 2)))


def pair_fir(n_pairs: int) -> Callable[..., None]:
    """Filter of ``2 * n_pairs`` taps, to be called from kernels.

    The result, ``fir(out, o, count, source, s, step, taps, t)``, writes ``out[o + i]``, 32 bits, for i of ``[0, count)``,
    rounded up to whole blocks. Pair ``k`` of sample ``i`` is the two 16-bit halves that lie ``4 * i`` bytes after
    ``source[s + k * step]``, of any integer type; ``taps[t + k]``, 32 bits, holds its two taps, low half first.
    """

    @intrinsic
    def fir(context: Any, out: Any, o: Any, count: Any, source: Any, s: Any, step: Any, taps: Any, t: Any) -> Any:
        signature = types.void(out, types.intp, types.intp, source, types.intp, types.intp, taps, types.intp)
        return signature, _generate

    def _generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pointer(array: int, index: Any, vector: Any) -> Any:
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        _, o, count, _, s, step, _, t = args
        word = count.type
        coefficients = []
        for k in range(n_pairs):
            both = builder.load(pointer(6, builder.add(t, word(k)), ir.IntType(32)))
            coefficients.append(builder.sext(builder.bitcast(_splat(builder, both), _PAIR), _PRODUCT))
        with cgutils.for_range_slice(builder, word(0), count, word(LANES), word) as (i, _):
            sums = []
            for k in range(n_pairs):
                start = builder.add(s, builder.mul(step, word(k)))
                source_pointer = builder.bitcast(pointer(3, start, ir.IntType(32)), ir.IntType(32).as_pointer())
                samples = builder.load(builder.bitcast(builder.gep(source_pointer, [i]), _PAIR.as_pointer()), align=2)
                products = builder.mul(builder.sext(samples, _PRODUCT), coefficients[k])
                nothing = ir.Constant(_PRODUCT, ir.Undefined)
                even, odd = (builder.shuffle_vector(products, nothing, mask) for mask in (_EVEN, _ODD))
                sums.append(builder.add(even, odd))
            while len(sums) > 1:
                sums = [builder.add(*sums[k : k + 2]) if k + 1 < len(sums) else sums[k] for k in range(0, len(sums), 2)]
            builder.store(sums[0], pointer(0, builder.add(o, i), _SUM), align=4)
        return context.get_dummy_value()

    return fir


def _splat(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_SUM, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_SUM, [0] * LANES))
