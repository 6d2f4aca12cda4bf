"""CIEDE2000 over batches gives libvmaf's numbers, and its kernels those of their torch twin."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch

from corekit.features import ciede2000 as numba_ciede2000
from corekit.features.tensor.ciede2000 import Ciede2000
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, generate
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch, values
from tests.features.tensor.compiled import compile_launches
from tests.shared_data import needs_shared

FORMATS = (
    FrameFormat(67, 45, 8, "420"),
    FrameFormat(34, 33, 8, "444"),
    FrameFormat(80, 61, 10, "420"),
    FrameFormat(45, 90, 12, "444"),
    FrameFormat(30, 20, 16, "420"),
)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_the_goldens(name: str) -> None:
    pair = clip_pair(name, 3)
    if "ciede2000" not in pair.features:
        pytest.skip("no golden")
    got = values(Ciede2000(pair.fmt, DEVICE), pair.fmt, pair.reference, pair.distorted)[:, 0]
    expected = [np.inf if value is None else value for value in pair.features["ciede2000"][:3]]
    assert got == pytest.approx(expected, rel=0, abs=1e-7)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_content_as_the_numba_family(fmt: FrameFormat) -> None:
    """Which takes libvmaf's own steps as well, where it is asked for few pixels."""
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, distorted = generate(fmt, content, damage, 2, seed=5)
            expected = run(numba_ciede2000.Ciede2000(fmt), reference, distorted)
            got = values(Ciede2000(fmt, DEVICE), fmt, reference, distorted)
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7, err_msg=f"{content} {damage}")


def test_rungs_share_their_reference() -> None:
    fmt = FORMATS[2]
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[2], 2, seed=2)
    family = Ciede2000(fmt, DEVICE)
    together = family.sums(batch(fmt, reference, [first, reference]))
    assert torch.equal(together, torch.cat([family.sums(batch(fmt, reference, [one])) for one in (first, reference)]))
    assert np.isinf(family.scores(together.cpu().numpy())[2:]).all()


def _check_kernels(fmt: FrameFormat) -> None:
    for content in CONTENTS:
        reference, first = generate(fmt, content, DAMAGES[4], 1, seed=7)
        _, second = generate(fmt, content, DAMAGES[1], 1, seed=8)
        given = batch(fmt, reference, [first, reference, second])
        fused, plain = Ciede2000(fmt, DEVICE, fused=True), Ciede2000(fmt, DEVICE)
        got, expected = (family.scores(family.sums(given).cpu().numpy()) for family in (fused, plain))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7, err_msg=content)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_kernels_have_the_scores_of_their_twin(fmt: FrameFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rungs that share a reference, one of them the reference itself, in sizes that fill no block."""
    pytest.importorskip("triton")
    from corekit.features.tensor.kernels import ciede2000

    if DEVICE.type == "cpu":  # the interpreter pays by the program
        monkeypatch.setattr(ciede2000, "ROWS", 64)
        monkeypatch.setattr(ciede2000, "COLUMNS", 64)
    _check_kernels(fmt)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a GPU")
def test_the_kernels_on_a_device() -> None:
    pytest.importorskip("triton")
    _check_kernels(FrameFormat(1281, 721, 10, "420"))


@pytest.mark.parametrize("capability", ["86", "90"])
def test_the_kernels_compile_for_gpus(capability: str) -> None:
    pytest.importorskip("triton")
    done = compile_launches("Ciede2000", capability)
    assert {"_to_lab", "_sum_differences"} <= {line.split()[0] for line in done.splitlines()}


@pytest.mark.parametrize("fmt", [FrameFormat(302, 202, 8, "420"), FrameFormat(302, 202, 10, "420")], ids=str)
@pytest.mark.parametrize("damage", ["coarse", "fade", "faint"])
def test_the_numba_family_where_dark_noise_has_opposite_hues(fmt: FrameFormat, damage: str) -> None:
    """More pixels differ than it takes in libvmaf's own steps throughout."""
    for content in ("dark", "noise"):
        reference, distorted = generate(fmt, content, damage, 1, seed=5)
        expected = values(Ciede2000(fmt, DEVICE), fmt, reference, distorted)
        got = run(numba_ciede2000.Ciede2000(fmt), reference, distorted)
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6, err_msg=content)


@pytest.mark.parametrize("depth", [8, 16])
def test_single_colours_are_those_of_the_cpu_backend(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of one pixel, many of them saturated: nothing averages out. Both the torch code and the kernels."""
    fmt, n, rng = FrameFormat(1, 1, depth, "444"), 80, np.random.default_rng(8)
    top = (1 << depth) - 1
    dtype = np.uint8 if depth == 8 else np.uint16

    def colours() -> list[Any]:
        drawn = np.where(rng.random((n, 3)) < 0.5, rng.choice([0, top], (n, 3)), rng.integers(0, top + 1, (n, 3)))
        return [tuple(np.array([[value]], dtype) for value in colour) for colour in drawn]

    reference, distorted = colours(), colours()
    expected = run(numba_ciede2000.Ciede2000(fmt), reference, distorted)
    fused = []
    if importlib.util.find_spec("triton"):
        from corekit.features.tensor.kernels import ciede2000

        if DEVICE.type == "cpu":
            monkeypatch.setattr(ciede2000, "ROWS", 1)
            monkeypatch.setattr(ciede2000, "COLUMNS", 16)
        fused = [Ciede2000(fmt, DEVICE, fused=True)]
    for family in (Ciede2000(fmt, DEVICE), *fused):
        np.testing.assert_allclose(values(family, fmt, reference, distorted), expected, rtol=0, atol=3e-7)
