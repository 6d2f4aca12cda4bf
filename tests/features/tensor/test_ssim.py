"""SSIM and MS-SSIM over batches give libvmaf's numbers, and their kernels the integers of their torch twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from corekit.features import ssim as numba_ssim
from corekit.features._ssim_model import averaged_shape
from corekit.features.tensor.ssim import FloatMsSsim, FloatSsim, fixed_bits
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, generate
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch, values
from tests.features.tensor.compiled import compile_launches
from tests.shared_data import needs_shared

FAMILIES: dict[str, tuple[Any, Any]] = {
    "float_ssim": (FloatSsim, numba_ssim.FloatSsim),
    "float_ms_ssim": (FloatMsSsim, numba_ssim.FloatMsSsim),
}
FORMATS = (
    FrameFormat(181, 177, 8, "420"),
    FrameFormat(176, 190, 10, "422"),
    FrameFormat(199, 176, 12, "444"),
    FrameFormat(176, 176, 16, "420"),
)
AVERAGED = (FrameFormat(391, 385, 8, "420"), FrameFormat(700, 641, 10, "420"), FrameFormat(642, 896, 8, "420"))


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
@pytest.mark.parametrize("feature", FAMILIES)
def test_the_goldens(name: str, feature: str) -> None:
    pair = clip_pair(name, 3)
    if pair.features.get(feature) is None:
        pytest.skip("too small")
    got = values(FAMILIES[feature][0](pair.fmt, DEVICE), pair.fmt, pair.reference, pair.distorted)[:, 0]
    assert got == pytest.approx(pair.features[feature][:3], rel=0, abs=1e-12)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("feature", FAMILIES)
def test_every_content_as_the_numba_family(feature: str, fmt: FrameFormat) -> None:
    tensor, numba = FAMILIES[feature]
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, distorted = generate(fmt, content, damage, 2, seed=5)
            expected = run(numba(fmt), reference, distorted)
            got = values(tensor(fmt, DEVICE), fmt, reference, distorted)
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12, err_msg=f"{content} {damage}")


@pytest.mark.parametrize("fmt", AVERAGED, ids=str)
def test_large_frames_are_averaged_down_as_in_the_numba_family(fmt: FrameFormat) -> None:
    reference, distorted = generate(fmt, CONTENTS[0], DAMAGES[0], 1, seed=6)
    expected = run(numba_ssim.FloatSsim(fmt), reference, distorted)
    np.testing.assert_array_equal(values(FloatSsim(fmt, DEVICE), fmt, reference, distorted), expected)


@pytest.mark.parametrize("feature", FAMILIES)
def test_identical_frames_are_one_and_rungs_share_their_reference(feature: str) -> None:
    fmt, family = FORMATS[1], FAMILIES[feature][0](FORMATS[1], DEVICE)
    reference, rung = generate(fmt, CONTENTS[0], DAMAGES[0], 2, seed=2)
    together = family.sums(batch(fmt, reference, [rung, reference]))
    assert torch.equal(together, torch.cat([family.sums(batch(fmt, reference, [one])) for one in (rung, reference)]))
    assert (family.scores(together.cpu().numpy())[2:] == 1.0).all()


def test_the_largest_frames_sums_fit() -> None:
    for fmt in (FrameFormat(16384, 16384, 8, "420"), FrameFormat(3840, 2160, 8, "420"), FORMATS[0]):
        for shape in ((fmt.height, fmt.width), averaged_shape(fmt)):
            assert 2 * shape[0] * shape[1] << fixed_bits(shape) < 1 << 63
    assert fixed_bits((2160, 3840)) >= 37


@pytest.mark.parametrize(
    ("feature", "fmt"),
    [
        *(("float_ms_ssim", fmt) for fmt in FORMATS[:2]),
        *(("float_ssim", fmt) for fmt in (FORMATS[2], *AVERAGED[:2])),
    ],
    ids=str,
)
def test_the_kernels_have_the_integers_of_their_twin(
    feature: str, fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rungs that share a reference, one of them the reference itself, in sizes that fill no block."""
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import ssim

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(ssim, "ROWS", 64)
        monkeypatch.setattr(ssim, "COLUMNS", 128)
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[0], 1, seed=7)
    _, second = generate(fmt, CONTENTS[1], DAMAGES[1], 1, seed=8)
    given = batch(fmt, reference, [first, reference, second])
    family = FAMILIES[feature][0]
    assert torch.equal(family(fmt, DEVICE, fused=True).sums(given), family(fmt, DEVICE).sums(given))


@pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("feature", FAMILIES)
def test_the_kernels_on_a_device(feature: str) -> None:
    pytest.importorskip("triton")
    fmt = FrameFormat(1923, 1081, 10, "420")
    reference, rung = generate(fmt, CONTENTS[0], DAMAGES[0], 2, seed=7)
    given = batch(fmt, reference, [rung, reference])
    family = FAMILIES[feature][0]
    assert torch.equal(family(fmt, DEVICE, fused=True).sums(given), family(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("capability", ["86", "90"])
@pytest.mark.parametrize(("family", "kernel"), [("FloatMsSsim", "_halve"), ("FloatSsim", "_average")])
def test_the_kernels_compile_for_gpus(family: str, kernel: str, capability: str) -> None:
    pytest.importorskip("triton")
    done = compile_launches(family, capability)
    assert {kernel, "_across", "_compare"} <= {line.split()[0] for line in done.splitlines()}
