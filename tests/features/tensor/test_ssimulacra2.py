"""SSIMULACRA 2 over batches gives the fork's numbers, and its kernels those of its torch twin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from corekit.features import ssimulacra2 as numba_ssimulacra2
from corekit.features.family import Planes
from corekit.features.tensor.ssimulacra2 import Ssimulacra2
from corekit.model import FrameFormat
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch
from tests.features.tensor.compiled import compile_launches
from tests.features.test_ssimulacra2 import frame_of
from tests.shared_data import needs_shared

KINDS = ("noise", "flat", "gradient", "text", "dark", "bright")
FORMATS = (FrameFormat(43, 33, 8, "420"), FrameFormat(8, 9, 10, "422"), FrameFormat(50, 17, 12, "444"))


def scores(
    family: Ssimulacra2, fmt: FrameFormat, reference: list[Planes], distorted: list[Planes]
) -> npt.NDArray[np.float64]:
    sums = family.sums(batch(fmt, reference, [distorted]))
    assert sums.dtype == torch.int64
    return family.scores(sums.cpu().numpy())[:, 0]


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_clips_equal_the_fork(name: str) -> None:
    pair = clip_pair(name, 2)
    values = scores(Ssimulacra2(pair.fmt, DEVICE), pair.fmt, pair.reference, pair.distorted)
    assert values == pytest.approx(pair.features["ssimulacra2"][:2], rel=0, abs=1e-9)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_picture_as_the_numba_family(fmt: FrameFormat) -> None:
    rng = np.random.default_rng(3)
    reference, distorted = ([frame_of(fmt, rng, kind) for kind in KINDS] for _ in range(2))
    expected = run(numba_ssimulacra2.Ssimulacra2(fmt), reference, distorted)[:, 0]
    assert scores(Ssimulacra2(fmt, DEVICE), fmt, reference, distorted) == pytest.approx(expected, rel=0, abs=1e-9)


def test_rungs_share_their_reference() -> None:
    fmt = FORMATS[2]
    rng = np.random.default_rng(4)
    reference, *rungs = ([frame_of(fmt, rng, kind) for kind in ("text", "gradient")] for _ in range(3))
    family = Ssimulacra2(fmt, DEVICE)
    together = family.sums(batch(fmt, reference, rungs))
    assert torch.equal(together, torch.cat([family.sums(batch(fmt, reference, [rung])) for rung in rungs]))


def _check_kernels(fmt: FrameFormat, kinds: tuple[str, ...]) -> None:
    rng = np.random.default_rng(5)
    reference, first, second = ([frame_of(fmt, rng, kind) for kind in kinds] for _ in range(3))
    given = batch(fmt, reference, [first, reference, second])
    plain, fused = Ssimulacra2(fmt, DEVICE), Ssimulacra2(fmt, DEVICE, fused=True)
    found, expected = fused.sums(given).cpu().numpy(), plain.sums(given).cpu().numpy()
    np.testing.assert_allclose(found.view(np.float64), expected.view(np.float64), rtol=1e-11)
    assert fused.scores(found) == pytest.approx(plain.scores(expected), rel=0, abs=1e-9)
    assert (fused.scores(found)[len(kinds) : 2 * len(kinds)] == 100.0).all()


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_kernels_have_the_sums_of_their_twin(fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rungs, one of them the reference itself, in sizes that fill no block."""
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import ssimulacra2

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(ssimulacra2, "ROWS", 16)
        monkeypatch.setattr(ssimulacra2, "LINES", 64)
    _check_kernels(fmt, ("dark",))


@pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a GPU")
def test_the_kernels_on_a_device() -> None:
    pytest.importorskip("triton")
    _check_kernels(FrameFormat(963, 541, 10, "420"), KINDS)


@pytest.mark.parametrize("capability", ["86", "90"])
def test_the_kernels_compile_for_gpus(capability: str) -> None:
    pytest.importorskip("triton")
    done = compile_launches("Ssimulacra2", capability)
    assert "_compare_columns" in {line.split()[0] for line in done.splitlines()}
