"""The tensor families give libvmaf's numbers: the goldens to the bit, and those of the numba families on frames of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from corekit.features import adm as numba_adm
from corekit.features import motion as numba_motion
from corekit.features import psnr as numba_psnr
from corekit.features import vif as numba_vif
from corekit.features.tensor.adm import Adm
from corekit.features.tensor.motion import Motion
from corekit.features.tensor.psnr import Psnr
from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, generate
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch, values
from tests.shared_data import needs_shared

FAMILIES: dict[str, tuple[Any, Any]] = {
    "vif": (Vif, numba_vif.Vif),
    "adm": (Adm, numba_adm.Adm),
    "motion": (Motion, numba_motion.Motion),
    "psnr": (Psnr, numba_psnr.Psnr),
}
FORMATS = (
    FrameFormat(67, 45, 8, "420"),
    FrameFormat(34, 33, 8, "420"),
    FrameFormat(80, 61, 10, "422"),
    FrameFormat(45, 90, 12, "444"),
    FrameFormat(40, 50, 16, "420"),
)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_the_goldens_to_the_bit(name: str) -> None:
    pair = clip_pair(name, 6)
    for tensor, _ in FAMILIES.values():
        family = tensor(pair.fmt, DEVICE)
        got = values(family, pair.fmt, pair.reference, pair.distorted)
        for column, feature in enumerate(family.names):
            frames = slice(0, len(got) - 1 if feature in ("motion2", "motion3") else len(got))
            expected = [np.inf if v is None else v for v in pair.features[feature][: len(got)]]
            np.testing.assert_array_equal(got[frames, column], expected[frames], err_msg=feature)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_content_as_the_numba_family(name: str, fmt: FrameFormat) -> None:
    tensor, numba = FAMILIES[name]
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, distorted = generate(fmt, content, damage, 3, seed=5)
            expected = run(numba(fmt), reference, distorted)
            got = values(tensor(fmt, DEVICE), fmt, reference, distorted)
            np.testing.assert_array_equal(got, expected, err_msg=f"{content} {damage}")


def test_the_older_motion() -> None:
    fmt = FORMATS[0]
    reference, distorted = generate(fmt, CONTENTS[0], DAMAGES[0], 4, seed=1)
    expected = run(numba_motion.Motion(fmt, definition="3.1"), reference, distorted)
    got = values(Motion(fmt, DEVICE, definition="3.1"), fmt, reference, distorted)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_rungs_and_contexts_change_nothing(name: str) -> None:
    """A reference frame shared by rungs, and one that is there as a predecessor alone."""
    fmt, (tensor, _) = FORMATS[2], FAMILIES[name]
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[0], 4, seed=2)
    _, second = generate(fmt, CONTENTS[0], DAMAGES[1], 4, seed=3)
    family = tensor(fmt, DEVICE)
    together = family.sums(batch(fmt, reference, [first, second]))
    alone = [family.sums(batch(fmt, reference, [rung])) for rung in (first, second)]
    assert torch.equal(together, torch.cat(alone))
    whole = batch(fmt, reference, [first])
    tail = type(whole)(
        fmt=fmt,
        reference=whole.reference,
        distorted=whole.distorted,
        pair_reference=whole.pair_reference[2:],
        pair_distorted=whole.pair_distorted[2:],
        reference_previous=whole.reference_previous,
        distorted_previous=whole.distorted_previous,
    )
    assert torch.equal(family.sums(tail), alone[0][2:])
    assert family.pair_bytes() > fmt.width * fmt.height


def test_sixteen_bits_of_psnr_do_not_overflow() -> None:
    fmt = FrameFormat(48, 40, 16, "420")
    black, white = (tuple(np.full(shape, value, np.uint16) for shape in fmt.shapes) for value in (0, 65535))
    got = values(Psnr(fmt, DEVICE), fmt, [black], [white])  # type: ignore[list-item]
    assert np.abs(got).max() < 1e-12
