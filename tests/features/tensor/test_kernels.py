"""The fused kernels give the sums of their torch twins: on odd sizes, the edges of a batch, every depth; and they compile for GPUs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat
from tests.features.generated_clips import generate
from tests.features.tensor.batches import DEVICE, batch

pytest.importorskip("triton")

_COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import triton
from corekit.features.tensor.kernels import vif

i32 = dict.fromkeys(("height", "width", "mean_shift", "square_shift", "shift", "out_columns"), "i32")
blocks = {{"ROWS": 2, "COLUMNS": 128}}


def compiled(kernel, pointers, constants, **options):
    names = kernel.arg_names
    constants = {{**blocks, **constants}}
    signature = {{n: "constexpr" if n in constants else pointers.get(n) or i32[n] for n in names}}
    source = ASTSource(kernel, signature=signature, constexprs={{(names.index(n),): v for n, v in constants.items()}})
    assert triton.compile(source, target=GPUTarget("cuda", {capability}, 32), options=options).asm["cubin"]


for samples, wide in (("*u8", False), ("*i16", True), ("*i32", True)):
    frames = {{"reference": samples, "distorted": samples, "source": samples}}
    compiled(vif._down_columns, {{**frames, "pair_reference": "*i64", "pair_distorted": "*i64", "means": "*i16", "seconds": "*i32",
                                "taps": "*i32"}}, {{"RADIUS": 4, "WIDE": wide}})
    compiled(vif._halve, {{**frames, "target": "*i32", "taps": "*i32"}}, {{"RADIUS": 4}})
compiled(vif._along_rows, {{"means": "*i16", "seconds": "*i32", "table": "*i32", "taps": "*i32", "out": "*i64"}}, {{"RADIUS": 8}},
         enable_fp_fusion=False)
"""


@pytest.mark.parametrize(
    "fmt",
    [FrameFormat(67, 45, 8, "420"), FrameFormat(131, 34, 10, "420"), FrameFormat(33, 50, 12, "444")],
    ids=str,
)
def test_fused_vif_has_the_sums_of_its_twin(fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.features.tensor.kernels import vif

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(vif, "_ROWS", 32)
        monkeypatch.setattr(vif, "_COLUMNS", 64)
    reference, first = generate(fmt, "noise", "coarse", 1, seed=3)
    _, second = generate(fmt, "noise", "fade", 1, seed=4)
    given = batch(fmt, reference, [first, second])
    assert torch.equal(Vif(fmt, DEVICE, fused=True).sums(given), Vif(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("capability", [80, 90])
def test_the_kernels_compile_for_gpus(capability: int) -> None:
    code = f"import os; os.environ.pop('TRITON_INTERPRET', None)\n{_COMPILE.format(capability=capability)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
