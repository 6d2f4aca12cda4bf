"""PSNR-HVS over batches gives libvmaf's numbers to the bit, and its kernels the sums of their torch twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from corekit.features import psnr_hvs as numba_psnr_hvs
from corekit.features.tensor.psnr_hvs import PsnrHvs
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, generate
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch, values
from tests.features.tensor.compiled import compile_launches
from tests.shared_data import needs_shared

FORMATS = (
    FrameFormat(67, 45, 8, "420"),
    FrameFormat(16, 17, 8, "420"),
    FrameFormat(80, 61, 10, "422"),
    FrameFormat(45, 90, 12, "444"),
)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_the_goldens_to_the_bit(name: str) -> None:
    pair = clip_pair(name, 3)
    if "psnr_hvs" not in pair.features:
        pytest.skip("no golden")
    got = values(PsnrHvs(pair.fmt, DEVICE), pair.fmt, pair.reference, pair.distorted)[:, 0]
    expected = [np.inf if value is None else value for value in pair.features["psnr_hvs"][:3]]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_content_as_the_numba_family(fmt: FrameFormat) -> None:
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, distorted = generate(fmt, content, damage, 2, seed=5)
            expected = run(numba_psnr_hvs.PsnrHvs(fmt), reference, distorted)
            got = values(PsnrHvs(fmt, DEVICE), fmt, reference, distorted)
            np.testing.assert_array_equal(got, expected, err_msg=f"{content} {damage}")


def test_rungs_share_their_reference() -> None:
    fmt = FORMATS[2]
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[0], 2, seed=2)
    _, second = generate(fmt, CONTENTS[0], DAMAGES[1], 2, seed=3)
    family = PsnrHvs(fmt, DEVICE)
    together = family.sums(batch(fmt, reference, [first, reference, second]))
    assert torch.equal(
        together, torch.cat([family.sums(batch(fmt, reference, [x])) for x in (first, reference, second)])
    )
    assert np.isinf(family.scores(together.cpu().numpy())[2:4]).all()


@pytest.mark.parametrize("fmt", [FrameFormat(53, 38, 8, "420"), FrameFormat(30, 32, 12, "444")], ids=str)
def test_the_kernels_have_the_sums_of_their_twin(fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rungs that share a reference, one of them the reference itself; blocks in groups that are counted, and one by one."""
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import psnr_hvs

    if DEVICE.type == "cpu":  # the interpreter pays by the program, and reads its constants as they are now
        monkeypatch.setattr(psnr_hvs, "BLOCKS", 64)
        monkeypatch.setattr(psnr_hvs, "GROUP", 4)
        monkeypatch.setattr(psnr_hvs, "_GROUP", 4)
    reference, first = generate(fmt, CONTENTS[1], DAMAGES[1], 1, seed=7)
    given = batch(fmt, reference, [first, reference])
    assert torch.equal(PsnrHvs(fmt, DEVICE, fused=True).sums(given), PsnrHvs(fmt, DEVICE).sums(given))


@pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("fmt", [FrameFormat(1923, 1081, 8, "420"), FrameFormat(1280, 720, 12, "422")], ids=str)
def test_the_kernels_on_a_device(fmt: FrameFormat) -> None:
    pytest.importorskip("triton")
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, rung = generate(fmt, content, damage, 1, seed=7)
            given = batch(fmt, reference, [rung, reference])
            assert torch.equal(PsnrHvs(fmt, DEVICE, fused=True).sums(given), PsnrHvs(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("capability", ["86", "90"])
def test_the_kernels_compile_for_gpus(capability: str) -> None:
    pytest.importorskip("triton")
    done = compile_launches("PsnrHvs", capability)
    assert "_add_in_order" in {line.split()[0] for line in done.splitlines()}
