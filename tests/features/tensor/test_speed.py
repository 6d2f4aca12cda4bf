"""SpEED over batches gives the numba family's numbers to the bit, and so libvmaf's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from corekit.features import speed as numba_speed
from corekit.features.tensor.speed import Speed
from corekit.model import FrameFormat
from tests.features.generated_clips import CONTENTS, DAMAGES, generate
from tests.features.golden_clips import CLIP_PAIRS, clip_pair, run
from tests.features.tensor.batches import DEVICE, batch, values
from tests.features.tensor.compiled import compile_launches
from tests.shared_data import needs_shared

FORMATS = (
    FrameFormat(193, 171, 8, "420"),
    FrameFormat(97, 81, 10, "444"),
    FrameFormat(80, 79, 8, "444"),
    FrameFormat(160, 90, 12, "420"),
    FrameFormat(161, 82, 16, "422"),
    FrameFormat(400, 352, 10, "420"),
)


@needs_shared
@pytest.mark.parametrize("name", CLIP_PAIRS)
def test_the_goldens(name: str) -> None:
    pair = clip_pair(name, 4)
    got = values(Speed(pair.fmt, DEVICE), pair.fmt, pair.reference, pair.distorted)
    for column, feature in enumerate(Speed.names):
        if pair.features.get(feature) is not None:
            assert got[:, column] == pytest.approx(pair.features[feature][: len(got)], rel=0, abs=1e-4)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_content_as_the_numba_family(fmt: FrameFormat) -> None:
    for content in CONTENTS:
        for damage in DAMAGES:
            reference, distorted = generate(fmt, content, damage, 3, seed=5)
            expected = run(numba_speed.Speed(fmt), reference, distorted)
            got = values(Speed(fmt, DEVICE), fmt, reference, distorted)
            np.testing.assert_array_equal(got, expected, err_msg=f"{content} {damage}")


def test_rungs_and_contexts_change_nothing() -> None:
    fmt = FORMATS[0]
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[0], 3, seed=2)
    _, second = generate(fmt, CONTENTS[0], DAMAGES[1], 3, seed=3)
    family = Speed(fmt, DEVICE)
    together = family.sums(batch(fmt, reference, [first, second]))
    alone = [family.sums(batch(fmt, reference, [rung])) for rung in (first, second)]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("fmt", [FORMATS[0], FORMATS[1], FORMATS[4]], ids=str)
def test_the_kernel_has_the_samples_of_its_twin(fmt: FrameFormat) -> None:
    pytest.importorskip("triton")
    reference, first = generate(fmt, CONTENTS[0], DAMAGES[0], 2, seed=2)
    _, second = generate(fmt, CONTENTS[0], DAMAGES[1], 2, seed=3)
    given = batch(fmt, reference, [first, second])
    assert torch.equal(Speed(fmt, DEVICE, fused=True).sums(given), Speed(fmt, DEVICE).sums(given))


@pytest.mark.parametrize("capability", ["80", "90"])
def test_the_kernel_compiles_for_gpus(capability: str) -> None:
    pytest.importorskip("triton")
    assert "_decimate" in compile_launches("Speed", capability)
