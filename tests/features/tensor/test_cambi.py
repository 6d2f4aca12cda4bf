"""CAMBI over batches gives libvmaf's numbers, and its kernels the very sums of its torch twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from corekit.features import cambi as numba_cambi
from corekit.features._cambi_model import Eotf
from corekit.features.family import Planes
from corekit.features.tensor.cambi import Cambi, sum_of_greatest
from corekit.model import FrameFormat
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, corpus_pairs, run
from tests.features.tensor.batches import DEVICE, batch
from tests.features.tensor.compiled import compile_launches
from tests.features.test_cambi import PICTURES, Picture, frame_of
from tests.shared_data import needs_shared

LARGE_ENOUGH = [name for name in CLIP_PAIRS if "176x144" not in name and "160x90" not in name]


def scores(family: Cambi, fmt: FrameFormat, frames: list[Planes]) -> list[float]:
    sums = family.sums(batch(fmt, frames, [frames]))
    return list(family.scores(sums.cpu().numpy())[:, 0])


@needs_shared
@pytest.mark.parametrize("name", LARGE_ENOUGH)
def test_clips_equal_scalar_libvmaf(name: str) -> None:
    pair = clip_pair(name, 2)
    values = scores(Cambi(pair.fmt, DEVICE), pair.fmt, pair.distorted)
    assert values == pytest.approx(pair.features["cambi"][:2], rel=0, abs=1e-12)


@needs_shared
def test_hdr_clips_equal_scalar_libvmaf_with_pq() -> None:
    for pair in corpus_pairs("chug")[:2]:
        values = scores(Cambi(pair.fmt, DEVICE, eotf="pq"), pair.fmt, pair.distorted[:2])
        assert values == pytest.approx(pair.features_hdr["cambi"][:2], rel=0, abs=1e-12)


@pytest.mark.parametrize("eotf", ["bt1886", "pq"])
@pytest.mark.parametrize(
    "fmt",
    [
        FrameFormat(217, 67, 8, "420"),
        FrameFormat(231, 45, 10, "422"),
        FrameFormat(3, 250, 12, "444"),
        FrameFormat(217, 1, 8, "420"),
        FrameFormat(300, 31, 9, "420"),
    ],
    ids=str,
)
def test_every_picture_as_the_numba_family(fmt: FrameFormat, eotf: Eotf) -> None:
    rng = np.random.default_rng(7)
    frames = [frame_of(fmt, make(fmt, rng)) for make in PICTURES.values()]
    expected = run(numba_cambi.Cambi(fmt, eotf=eotf), frames, frames)[:, 0]
    assert scores(Cambi(fmt, DEVICE, eotf=eotf), fmt, frames) == pytest.approx(expected, rel=0, abs=1e-12)


def test_each_distorted_frame_is_read_for_its_pair() -> None:
    fmt = FrameFormat(220, 60, 10, "420")
    rng = np.random.default_rng(8)
    frames = [frame_of(fmt, PICTURES[kind](fmt, rng)) for kind in ("bands", "flat", "dithered")]
    family = Cambi(fmt, DEVICE)
    whole = batch(fmt, frames, [frames])
    order = torch.tensor([2, 0], device=DEVICE)
    part = type(whole)(
        fmt=fmt,
        reference=whole.reference,
        distorted=whole.distorted,
        pair_reference=whole.pair_reference[order],
        pair_distorted=whole.pair_distorted[order],
        reference_previous=whole.reference_previous,
        distorted_previous=whole.distorted_previous,
    )
    assert torch.equal(family.sums(part), family.sums(whole)[order])


def test_sum_of_greatest() -> None:
    values = torch.tensor([[0.5, 3.5, 0.0, 8449.5, 3.5, 3.5], [0.0, 0.0, 0.0, 0.0, 1.25, 0.0]], device=DEVICE)
    assert (sum_of_greatest(values, 3).cpu() * 2.0**-24).tolist() == [8449.5 + 7.0, 1.25]


def _steps(fmt: FrameFormat, rng: np.random.Generator) -> Picture:
    """A few wide steps of one level at 10 bits."""
    return np.tile(np.arange(fmt.width) // 500 + 100, (fmt.height, 1)) / 1024


@pytest.mark.parametrize(
    ("fmt", "make", "eotf"),
    [
        (FrameFormat(217, 40, 8, "420"), PICTURES["bands"], "bt1886"),
        (FrameFormat(216, 33, 10, "422"), PICTURES["dithered"], "pq"),
        (FrameFormat(216, 1, 12, "444"), PICTURES["bands"], "bt1886"),
        (FrameFormat(3140, 9, 10, "420"), _steps, "bt1886"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_kernels_have_the_sums_of_their_twin(
    fmt: FrameFormat, make: Callable[..., Picture], eotf: Eotf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of either tile; pictures with more values than are kept, and with few; one without any beside them."""
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import cambi

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(cambi, "ROWS", 64)
        monkeypatch.setattr(cambi, "COLUMNS", 512)
    rng = np.random.default_rng(9)
    frames = [frame_of(fmt, kind(fmt, rng)) for kind in (PICTURES["noise"], make)]
    given = batch(fmt, frames, [frames])
    plain, fused = (Cambi(fmt, DEVICE, fused=fused, eotf=eotf).sums(given) for fused in (False, True))
    assert torch.equal(fused, plain)
    assert plain[1].any() or fmt.height == 1


@pytest.mark.parametrize(
    ("capability", "fmt"),
    [("86", FrameFormat(1920, 1080, 8, "420")), ("90", FrameFormat(3840, 2160, 10, "420"))],
    ids=str,
)
def test_the_kernels_compile_for_gpus(capability: str, fmt: FrameFormat) -> None:
    pytest.importorskip("triton")
    done = compile_launches("Cambi", capability, fmt)
    assert {"_contrast_values", "_sum_of_greatest"} <= {line.split()[0] for line in done.splitlines()}
