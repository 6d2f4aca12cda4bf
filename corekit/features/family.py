"""The contract of a feature family: planes in, per-frame numbers out; no files, no plugins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from corekit.model import FrameFormat
from corekit.planes import Planes, Values

__all__ = ["FeatureFamily", "Planes", "Values"]


class FeatureFamily(ABC):
    """Features that share their arithmetic, computed over one content group.

    One instance serves one reference and its ``rungs`` distorted clips, all of one ``FrameFormat``. For each
    frame the caller calls ``reference`` once and then ``compare`` once for each rung that still has a frame;
    after the last frame it calls ``finish`` once per rung. Whatever depends on the reference alone is computed in
    ``reference``. All buffers are allocated in ``__init__``: nothing is allocated per frame. The planes
    belong to the caller and may be overwritten after the call returns.
    """

    names: ClassVar[tuple[str, ...]]
    """Names of the features yielded, in the order of the values."""

    @abstractmethod
    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None: ...

    @abstractmethod
    def reference(self, planes: Planes) -> None:
        """Take the next frame of the reference."""

    @abstractmethod
    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        """Write the values of the current frame of distorted clip ``rung`` to ``out``, shape ``(len(names),)``.

        ``inf`` stands for an infinite value and NaN for one that this frame does not have.
        """

    def finish(self, rung: int, frames: Values) -> None:
        """Complete, in place, values that needed later frames. ``frames`` has shape ``(n_frames, len(names))``."""
