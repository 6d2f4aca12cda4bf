"""PSNR-HVS over batches gives libvmaf's numbers to the bit, and its kernels the sums of their torch twin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
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
        monkeypatch.setattr(psnr_hvs, "BLOCKS", 16)
        monkeypatch.setattr(psnr_hvs, "ABREAST", 4)
    reference, first = generate(fmt, CONTENTS[1], DAMAGES[1], 1, seed=7)
    given = batch(fmt, reference, [first, reference])
    assert torch.equal(PsnrHvs(fmt, DEVICE, fused=True).sums(given), PsnrHvs(fmt, DEVICE).sums(given))


def _contents(n: int, rng: np.random.Generator) -> dict[str, npt.NDArray[np.float32]]:
    """Squares of ``n`` blocks, ``(n, 64)``, that put an ordered sum by counts to the test."""
    noise = rng.exponential(size=(n, 64))
    lost = rng.random((n, 64))
    lost[0] = 2.0**20 - 32  # with what is lost behind it the total would cross a power of two
    late = np.full((n, 64), 9.0)
    late[0] = 2.0**20 - 1200  # here it crosses later, for each square counts 8
    rare = np.where(rng.random((n, 64)) < 0.002, noise, 0.0)
    steps = np.repeat([1e-30, 1e-8, 1.0, 1e9], -(-n // 4))[:n, None] * noise
    return {
        "noise": noise,
        "heavy tails": noise**9,
        "lost": lost,
        "late": late,
        "ties": rng.integers(0, 4, (n, 64)) / 2.0 + 2.0**18 * (np.arange(64) == 9),
        "whole": np.ones((n, 64)),
        "powers": 2.0 ** rng.integers(-30, 6, (n, 64)),
        "nothing": np.zeros((n, 64)),
        "nothing at first": np.where(np.arange(n)[:, None] < n // 2, 0.0, noise),
        "rare": rare,
        "tiny": np.full((n, 64), 2.0**-70 + 2.0**-84),
        "too small": noise * 2.0**-145,
        "huge": noise * 2.0**97,
        "steps": steps,
        "steps down": steps[::-1],
    }  # fmt: skip


def test_the_ordered_sum_of_any_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import psnr_hvs

    rows, columns = 12, 23
    if DEVICE.type == "cpu":
        monkeypatch.setattr(psnr_hvs, "BLOCKS", 16)
        monkeypatch.setattr(psnr_hvs, "ABREAST", 32)
    else:
        rows, columns = 154, 274
    side, n_blocks = psnr_hvs.BLOCKS, rows * columns
    shape = (7 * rows + 1, 7 * columns + 1)
    fused = psnr_hvs.FusedPsnrHvs([shape] * 3, [torch.ones(64, device=DEVICE)] * 3, [torch.ones(64, device=DEVICE)] * 3)
    contents = _contents(n_blocks, np.random.default_rng(3))
    planes = np.stack(list(contents.values())).astype(np.float32).reshape(-1, 3, n_blocks, 64)
    padded = np.zeros((len(planes), 3, -(-n_blocks // side) * side, 64), np.float32)
    padded[:, :, :n_blocks] = planes
    squares = torch.from_numpy(padded.reshape(len(planes), -1, side, 64).swapaxes(2, 3).copy()).to(DEVICE)
    sums = squares.sum(2)
    got = fused.ordered(squares, sums, sums.sum(2)).to(torch.int32).view(torch.float32).cpu().numpy()
    expected = np.add.accumulate(planes.reshape(-1, n_blocks * 64), axis=-1, dtype=np.float32)[:, -1]
    for name, one, other in zip(contents, got.reshape(-1), expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


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
