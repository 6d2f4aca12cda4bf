"""The contract of a backend: an extractor, open for a whole run, that turns frames into per-frame features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from corekit.errors import ClipError
from corekit.model import Clip, FrameFormat, NoOptions, Value

if TYPE_CHECKING:
    from corekit.planes import Planes, Values
    from corekit.video.scaling import Scaling


class BackendInfo(Struct, frozen=True, kw_only=True):
    """What core must know of a backend without starting it."""

    name: str
    title: str
    numeric_class: str
    """Backends of one class give the same numbers; part of a task's identity."""
    options: type[Struct] = NoOptions
    """Struct type of ``--set key=value``; every field has a default."""


class Pair(Struct, frozen=True, kw_only=True):
    """One distorted clip of a group, and what is wanted of it."""

    clip: Clip
    features: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    """Options that follow from the clip: ``cambi_eotf`` is ``bt1886`` or ``pq``."""


class Group(Struct, frozen=True, kw_only=True):
    """One reference and its distorted clips, all brought to one frame format."""

    content: str
    fmt: FrameFormat
    framerate: str
    pairs: tuple[Pair, ...]


class DeviceLost(SystemExit):
    """The device does not answer any more: this process cannot go on, another one may."""


class PairFeatures:
    """Per-frame values of one pair: feature name to float64 array of shape ``(n_frames,)``; NaN or inf where undefined."""

    def __init__(self, values: Mapping[str, Values], nulls: Mapping[str, str], n_frames: int) -> None:
        self.values = values
        self.nulls = nulls
        self.n_frames = n_frames


class GroupSession(ABC):
    """One content group on its way through a backend."""

    @abstractmethod
    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        """Take frame ``i`` of the reference and of every pair that still has one (None for the others).

        The planes may be overwritten after the call returns.
        """

    @abstractmethod
    def finish(self) -> list[PairFeatures | ClipError]:
        """Results in the order of the pairs; a pair that failed alone is its error."""

    @abstractmethod
    def close(self) -> None:
        """Free what the session holds; safe at any time and more than once."""


class DeviceReport(Struct, frozen=True, kw_only=True):
    """A device that a backend can use."""

    name: str
    """As ``--device`` takes it."""
    title: str
    memory_bytes: int
    free_bytes: int
    compute_capability: str


class FeatureReport(Struct, frozen=True, kw_only=True):
    """How a backend computes a feature here, in a word, and why so."""

    feature: str
    how: str
    why: str = ""


class Extractor(ABC):
    """A backend at work in one process."""

    versions: Mapping[str, str]
    """Libraries that touch a value, with their versions."""
    identity: Mapping[str, str]
    """What of the backend changes values: its numeric class, library versions, options."""
    reads_video: bool = True
    """False for a backend that needs no decoded frames; ``push`` is then never called."""
    devices: tuple[str, ...] = ()
    """Values of ``--device`` that get one worker process each, in which threads measure groups side by side with one extractor.

    Its sessions are then opened and fed from several threads. Empty: every worker is a process with an extractor of its own.
    """

    frames_on: str = ""
    """Torch device on which ``push`` takes planes as tensors too; empty where it takes arrays alone."""

    scales_frames: bool = False
    """Whether it may scale frames of distorted clips itself."""

    def scales(self, scaling: Scaling) -> bool:
        """Whether it scales such frames itself, its sample to the last bit; asked where ``scales_frames``. ``push`` then gets them ``Unscaled``."""
        return False

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        """Why this backend has no value of ``feature`` for frames of ``fmt`` (one clause), or None where it has."""
        return None

    def side_inputs(self, clip: Clip) -> tuple[Path, ...]:
        """Further files that a clip's values come from, hashed into its identity."""
        return ()

    @abstractmethod
    def open_group(self, group: Group) -> GroupSession:
        """Begin a content group."""

    def prepare(self, fmt: FrameFormat, features: tuple[str, ...]) -> None:
        """Make ready for frames of ``fmt`` before the workers start, such as compile what they will all use."""

    def device_reports(self) -> list[DeviceReport]:
        """The devices that it can use; none where it has no choice."""
        return []

    def feature_reports(self, *, check: bool = False) -> list[FeatureReport]:
        """How each feature is computed; with ``check`` it is tried out. None where there is but one way."""
        return []

    def is_lost(self) -> bool:
        """Whether the device has stopped to answer: asked where a clip failed, before it is blamed."""
        return False

    def notify(self, text: str) -> None:
        """Say that something takes long; the run replaces this method to hear it."""

    def close(self) -> None:
        """End the run; safe more than once."""
