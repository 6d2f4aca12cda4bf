"""A program that compiles for a GPU, without one, the kernels that a family launches, as specialised as its launcher asks for.

``python -m tests.features.tensor.compile_launches FAMILY CAPABILITY WIDTH HEIGHT DEPTH CHROMA`` (``Scaler`` is none, but does too) prints each kernel's name and what
its assembly takes; the launches themselves do nothing.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import triton
from av import VideoFrame
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from corekit.features.tensor.adm import Adm
from corekit.features.tensor.cambi import Cambi
from corekit.features.tensor.ciede2000 import Ciede2000
from corekit.features.tensor.family import Batch, TensorFamily
from corekit.features.tensor.motion import Motion
from corekit.features.tensor.psnr import Psnr
from corekit.features.tensor.psnr_hvs import PsnrHvs
from corekit.features.tensor.scaling import FrameScaler
from corekit.features.tensor.speed import Speed
from corekit.features.tensor.ssim import FloatMsSsim, FloatSsim
from corekit.features.tensor.ssimulacra2 import Ssimulacra2
from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat
from corekit.video.scaling import measure
from tests.features.tensor.batches import batch

FAMILIES: dict[str, Any] = {
    family.__name__: family
    for family in (Adm, Cambi, Ciede2000, FloatMsSsim, FloatSsim, Motion, Psnr, PsnrHvs, Speed, Ssimulacra2, Vif)
}
_DIVISIBLE = [["tt.divisibility", 16]]


class _Compiler:
    """Stands in for ``JITFunction.run``."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)
        self._done: set[str] = set()

    def launch(self, kernel: Any, *args: Any, grid: object, warmup: bool, **kwargs: Any) -> None:
        names = kernel.arg_names
        given = dict(zip(names, args, strict=False)) | {
            name: kwargs.pop(name) for name in list(kwargs) if name in names
        }
        signature: dict[str, str] = {}
        constants: dict[tuple[int], Any] = {}
        attributes: dict[tuple[int], list[list[Any]]] = {}
        for index, (name, parameter) in enumerate(zip(names, kernel.params, strict=True)):
            value = given[name]
            free = isinstance(value, int) and not parameter.do_not_specialize
            if parameter.is_constexpr or (free and value == 1):
                signature[name], constants[index,] = "constexpr", value
                continue
            signature[name] = _type_of(value)
            if not parameter.do_not_specialize and _is_divisible(value):
                attributes[index,] = _DIVISIBLE
        key = f"{kernel.__name__} {signature} {constants} {attributes}"
        if key not in self._done:
            self._done.add(key)
            source = ASTSource(kernel, signature=signature, constexprs=constants, attrs=attributes)
            compiled = triton.compile(source, target=self._target, options=kwargs)
            print(kernel.__name__, len(compiled.asm["cubin"]), "bytes,", compiled.metadata.shared, "shared")


def _is_divisible(value: Any) -> bool:
    if isinstance(value, float):
        return False
    return bool((value if isinstance(value, int) else value.data_ptr()) % 16 == 0)


def _type_of(value: Any) -> str:
    if isinstance(value, float):
        return "fp32"
    if isinstance(value, int):
        return "i32" if abs(value) < 1 << 31 else "i64"
    name = str(value.dtype).removeprefix("torch.")
    return "*" + {"uint8": "u8", "float32": "fp32", "float64": "fp64"}.get(name, name.replace("int", "i"))


def main(name: str, capability: str, width: str, height: str, depth: str, chroma: Any) -> None:
    fmt = FrameFormat(int(width), int(height), int(depth), chroma)
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    y, cb, cr = (np.zeros(shape, dtype) for shape in fmt.shapes)
    given = batch(fmt, [(y, cb, cr)] * 2, [[(y, cb, cr)] * 2])
    compiler = _Compiler(int(capability))
    JITFunction.run = lambda kernel, *args, **kwargs: compiler.launch(kernel, *args, **kwargs)
    if name == "Scaler":
        _scale(given)
    else:
        family: TensorFamily = FAMILIES[name](fmt, given.pair_reference.device, fused=True)
        family.sums(given)


def _scale(given: Batch) -> None:
    """Two frames of half the size, to that of the batch."""
    fmt = given.fmt
    half = FrameFormat(fmt.width // 2, fmt.height // 2, fmt.bit_depth, fmt.chroma)
    scaling = measure(VideoFrame(64, 64, fmt.pix_fmt), half, fmt)
    assert scaling is not None
    scaler = FrameScaler(scaling, given.pair_reference.device, fused=True, coarse=fmt.bit_depth == 8)
    scaler.scale(given.distorted, given.pair_distorted)


if __name__ == "__main__":
    main(*sys.argv[1:])
