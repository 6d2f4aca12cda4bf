"""A stage's frames as a batch: its rows, what indices they have, and parts of it that take less memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from corekit.backends.cuda_stages import to_device
from corekit.features.tensor.family import Batch, TensorPlanes

if TYPE_CHECKING:
    from corekit.backends.cuda_lanes import Lane
    from corekit.backends.cuda_stages import Stage
    from corekit.model import FrameFormat


class Places(NamedTuple):
    """The indices of a batch on the host, as ``Batch`` has them on the device."""

    of_reference: list[int]
    of_distorted: list[int]
    reference_before: list[int]
    distorted_before: list[int]


def batch_of(stage: Stage, device: torch.device) -> tuple[Batch, list[tuple[Lane, int]], Places]:
    """The stage as a batch, lane and pair of each of its rows, and its indices."""
    members = list(stage.members.values())
    itself = {slot for member in members for slot in member.itself}
    everything = {slot for member in members for _, _, slot in member.pairs}
    with_itself = everything == itself
    reference_before = [-1] * stage.front
    distorted_before = [-1] * (stage.capacity - stage.back)
    rows: list[tuple[Lane, int]] = []
    of_reference, of_distorted = [], []
    for member in members:
        before = -1 if member.context is None else member.context
        for slot in member.references:
            reference_before[slot] = before
            before = slot
        last = {pair: slot - stage.back for pair, slot in member.distorted_context.items()}
        for pair, reference, slot in member.pairs:
            rows.append((member.lane, pair))
            of_reference.append(reference)
            if with_itself:
                of_distorted.append(reference)
                continue
            if slot in member.itself:
                for plane in stage.planes:
                    plane[slot].copy_(plane[reference])
            index = slot - stage.back
            of_distorted.append(index)
            distorted_before[index] = last.get(pair, -1)
            last[pair] = index
    references = [plane[: stage.front] for plane in stage.planes]
    distorted = [plane[stage.back :] for plane in stage.planes]
    # Neighbours in the batch are neighbours in memory, so that some of its rows need some of its frames.
    order = sorted(range(len(rows)), key=of_reference.__getitem__)
    places = Places(
        [of_reference[row] for row in order],
        [of_distorted[row] for row in order],
        reference_before,
        reference_before if with_itself else distorted_before,
    )
    tensors = to_device(places, device)
    samples = _as_samples(references, stage.fmt)
    batch = Batch(
        fmt=stage.fmt,
        reference=samples,
        distorted=samples if with_itself else _as_samples(distorted, stage.fmt),
        pair_reference=tensors[0],
        pair_distorted=tensors[1],
        reference_previous=tensors[2],
        distorted_previous=tensors[3],
    )
    return batch, [rows[row] for row in order], places


def part_of(batch: Batch, places: Places, rows: Sequence[int], *, whole: bool, device: torch.device) -> Batch:
    """Some rows of a batch: where they are all that a family wants with every frame, else with those frames alone that they need."""
    if len(rows) == batch.n_pairs:
        return batch
    if whole:
        chosen = to_device([list(rows)], device)[0]
        return replace(batch, pair_reference=batch.pair_reference[chosen], pair_distorted=batch.pair_distorted[chosen])
    reference, r = _needed([places.of_reference[row] for row in rows], places.reference_before)
    distorted, d = _needed([places.of_distorted[row] for row in rows], places.distorted_before)
    tensors = to_device([r.own, d.own, r.before, d.before], device)
    y, cb, cr = (plane[reference] for plane in batch.reference)
    part = replace(
        batch, reference=(y, cb, cr), pair_reference=tensors[0], pair_distorted=tensors[1], reference_previous=tensors[2],
        distorted_previous=tensors[3],
    )  # fmt: skip
    if batch.distorted is batch.reference:
        return replace(part, distorted=part.reference)
    y, cb, cr = (plane[distorted] for plane in batch.distorted)
    return replace(part, distorted=(y, cb, cr))


def _as_samples(planes: Sequence[torch.Tensor], fmt: FrameFormat) -> TensorPlanes:
    """Planes as the families take them: samples of 16 bits do not fit a signed type of as many."""
    if fmt.bit_depth > 15:
        planes = [plane.to(torch.int32) & 0xFFFF for plane in planes]
    y, cb, cr = planes
    return y, cb, cr


class _Side(NamedTuple):
    """Indices of one side's frames among those that are needed."""

    own: list[int]
    before: list[int]


def _needed(own: Sequence[int], before: Sequence[int]) -> tuple[slice, _Side]:
    """The range of frames that holds ``own`` and the frames before them, and the indices within it."""
    used = {*own, *(before[index] for index in own)} - {-1}
    first, end = min(used), max(used) + 1
    inside = [index - first if first <= index < end else -1 for index in before[first:end]]
    return slice(first, end), _Side([index - first for index in own], inside)
