"""The fused kernels give the sums of their torch twins: on odd sizes, the edges of a batch, every depth; and they compile for GPUs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from corekit.features.tensor.adm import Adm
from corekit.features.tensor.motion import Motion
from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat
from tests.features.generated_clips import generate
from tests.features.tensor.batches import DEVICE, batch

pytest.importorskip("triton")

_COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import triton
from corekit.features.tensor.kernels import adm, motion, vif

signs = {{"near": "i32", "centre": "i32", "mask_round": "i64"}}
blocks = {{"ROWS": 2, "COLUMNS": 128, "BLOCK": 256}}


def compiled(kernel, pointers, constants, **options):
    names = kernel.arg_names
    constants = {{n: v for n, v in {{**blocks, **constants}}.items() if n in names}}
    signature = {{n: "constexpr" if n in constants else pointers.get(n) or signs.get(n) or "i32" for n in names}}
    source = ASTSource(kernel, signature=signature, constexprs={{(names.index(n),): v for n, v in constants.items()}})
    assert triton.compile(source, target=GPUTarget("cuda", {capability}, 32), options=options).asm["cubin"]


for samples, wide in (("*u8", False), ("*i16", True), ("*i32", True)):
    frames = {{"reference": samples, "distorted": samples, "source": samples}}
    compiled(vif._down_columns, {{**frames, "pair_reference": "*i64", "pair_distorted": "*i64", "means": "*i16", "seconds": "*i32",
                                "taps": "*i32"}}, {{"RADIUS": 4, "WIDE": wide}})
    compiled(vif._halve, {{**frames, "target": "*i32", "taps": "*i32"}}, {{"RADIUS": 4}})
compiled(vif._along_rows, {{"means": "*i16", "seconds": "*i32", "table": "*i32", "taps": "*i32", "out": "*i64"}}, {{"RADIUS": 8}},
         enable_fp_fusion=False)
bands = {{"source": "*i32", "bands": "*i32", "frames": "*i64", "own": "*i32", "other": "*i32", "pair_own": "*i64", "parts": "*i32",
         "weights": "*i64", "figures": "*i64", "cosine": "*fp64", "out": "*i64"}}
for finest in (True, False):
    compiled(adm._transform, {{**bands, "source": "*i16" if finest else "*i32"}}, {{"FINEST": finest, "INDEXED": finest}})
    compiled(adm._split, bands, {{"FINEST": finest}}, enable_fp_fusion=False)
compiled(motion._sad, {{"luma": "*u8", "previous": "*i64", "out": "*i64"}}, {{"ROWS": 4}})
compiled(adm._pool, bands, {{"BLOCKS": 3}})
"""


@pytest.mark.parametrize(
    "fmt",
    [FrameFormat(67, 45, 8, "420"), FrameFormat(131, 34, 10, "420"), FrameFormat(33, 50, 12, "444")],
    ids=str,
)
@pytest.mark.parametrize("family", [Vif, Adm, Motion])
def test_the_kernels_have_the_sums_of_their_twin(
    family: type[Vif] | type[Adm] | type[Motion], fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corekit.features.tensor.kernels import adm, vif

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(vif, "_ROWS", 32)
        monkeypatch.setattr(vif, "_COLUMNS", 64)
        monkeypatch.setattr(adm, "_BLOCK", 128)
    reference, first = generate(fmt, "noise", "coarse", 2 if family is Motion else 1, seed=3)
    _, second = generate(fmt, "noise", "fade", len(reference), seed=4)
    given = batch(fmt, reference, [first, second])
    assert torch.equal(family(fmt, DEVICE, fused=True).sums(given), family(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("capability", [80, 90])
def test_the_kernels_compile_for_gpus(capability: int) -> None:
    code = f"import os; os.environ.pop('TRITON_INTERPRET', None)\n{_COMPILE.format(capability=capability)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
