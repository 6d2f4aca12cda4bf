"""The fused kernels give the sums of their torch twins: on odd sizes, the edges of a batch, every depth; and they compile for GPUs."""

from __future__ import annotations

import pytest
import torch

from corekit.features.tensor.adm import Adm
from corekit.features.tensor.motion import Motion
from corekit.features.tensor.psnr import Psnr
from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat
from tests.features.generated_clips import generate
from tests.features.tensor.batches import DEVICE, batch
from tests.features.tensor.compiled import compile_launches

pytest.importorskip("triton")

FULL_HD = FrameFormat(1920, 1080, 8, "420")


@pytest.mark.parametrize(
    "fmt",
    [FrameFormat(67, 45, 8, "420"), FrameFormat(131, 34, 10, "420"), FrameFormat(33, 50, 12, "444")],
    ids=str,
)
@pytest.mark.parametrize("family", [Vif, Adm, Motion, Psnr])
def test_the_kernels_have_the_sums_of_their_twin(
    family: type[Vif] | type[Adm] | type[Motion] | type[Psnr], fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corekit.features.tensor.kernels import adm, motion, psnr, vif

    if DEVICE.type == "cpu":  # the interpreter pays by the program and by the lane
        for module, name, value in (
            (vif, "_COLUMNS", 128), (vif, "_QUADS", 32), (vif, "_ROWS", 32), (vif, "_PICTURE_COLUMNS", 128), (adm, "_BLOCK", 128),
            (motion, "_COLUMNS", 64), (psnr, "_BLOCK", 256), (psnr, "_STEPS", 2),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, value)
    reference, first = generate(fmt, "noise", "coarse", 2 if family is Motion else 1, seed=3)
    _, second = generate(fmt, "noise", "fade", len(reference), seed=4)
    given = batch(fmt, reference, [first, second])
    assert torch.equal(family(fmt, DEVICE, fused=True).sums(given), family(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("family", ["Vif", "Adm", "Motion", "Psnr"])
@pytest.mark.parametrize(
    ("capability", "fmt"), [("80", FULL_HD), ("90", FrameFormat(1366, 768, 10, "444"))], ids=["80", "90"]
)
def test_the_kernels_compile_for_gpus(family: str, capability: str, fmt: FrameFormat) -> None:
    assert compile_launches(family, capability, fmt)
