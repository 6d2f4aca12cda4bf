"""A backend under examination: its description, its extractor, and pictures to give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from corekit.backends.base import BackendInfo, Extractor, Group, Pair, PairFeatures
from corekit.errors import ClipError
from corekit.model import Clip, FrameFormat, Label
from corekit.planes import Planes
from corekit.plugins.composition import Composition, parse_options
from corekit.testing.subject import PluginSubject

LARGE = FrameFormat(240, 192, 8, "420")
"""Large enough for every feature."""
FORMATS = (LARGE, FrameFormat(240, 192, 10, "420"), FrameFormat(34, 26, 12, "422"), FrameFormat(10, 8, 8, "444"))
FRAMES = 5


class BackendSubject(PluginSubject):
    """A backend with its options; ``features`` are those that it is examined for."""

    kind = "backend"

    def __init__(
        self, name: str, work: Path, *, features: tuple[str, ...], device: str = "auto", settings: Mapping[str, str]
    ) -> None:
        super().__init__(name, work)
        self.features = features
        self.device = device
        self._settings = settings

    @cached_property
    def composition(self) -> Composition:
        """Core's defaults and this backend alone."""
        composition = Composition()
        composition.add_backend(self.name)
        return composition

    @cached_property
    def info(self) -> BackendInfo:
        info = self.composition.backend
        assert info is not None
        return info

    def open(self) -> Extractor:
        """Open the backend once more."""
        options = parse_options(self.info.options, self._settings, self.name)
        return self.composition.extractor(self.features, device=self.device, options=options)

    @cached_property
    def extractor(self) -> Extractor:
        """The backend, open for the whole examination."""
        return self.open()

    def offered(self, fmt: FrameFormat) -> tuple[str, ...]:
        """The examined features that the backend does not lack for frames of ``fmt``."""
        return tuple(name for name in self.features if self.extractor.lacks(name, fmt) is None)

    @cached_property
    def ordinary(self) -> list[PairFeatures]:
        """What the backend gives for two distortions of one reference."""
        reference, mild, strong = pictures(LARGE, 0), pictures(LARGE, 4), pictures(LARGE, 20)
        return self.measure(LARGE, reference, [mild, strong])

    def measure(
        self, fmt: FrameFormat, reference: Sequence[Planes], rungs: Sequence[Sequence[Planes]], *, spoil: bool = False
    ) -> list[PairFeatures]:
        """Give a group to the backend; a rung may be shorter. ``spoil`` overwrites the frames after every push.

        Raises
        ------
        ClipError
            The backend failed on a rung.
        """
        session = self.extractor.open_group(self.group(fmt, len(rungs)))
        try:
            for index, frame in enumerate(reference):
                distorted = [rung[index] if index < len(rung) else None for rung in rungs]
                if spoil:
                    frame, distorted = _copy(frame), [_copy(planes) if planes else None for planes in distorted]
                session.push(frame, distorted)
                if spoil:
                    for planes in (frame, *distorted):
                        _wipe(planes)
            answers = session.finish()
        finally:
            session.close()
        for answer in answers:
            if isinstance(answer, ClipError):
                raise answer
        return [answer for answer in answers if isinstance(answer, PairFeatures)]

    def group(self, fmt: FrameFormat, rungs: int) -> Group:
        """A group of so many rungs that wants every feature that the backend offers."""
        wanted = self.offered(fmt)
        pairs = tuple(
            Pair(
                clip=Clip(name=f"rung{rung}.y4m", path=f"rung{rung}.y4m", content="scene", label=Label(kind="none")),
                features=wanted,
                options={"cambi_eotf": "bt1886"} if "cambi" in wanted else {},
            )
            for rung in range(rungs)
        )
        return Group(content="scene", fmt=fmt, framerate="25/1", pairs=pairs)


def pictures(fmt: FrameFormat, noise: int, frames: int = FRAMES) -> list[Planes]:
    """A moving texture, disturbed by so many 8-bit code values of noise; the same ones every time."""
    still, moving = np.random.default_rng(1), np.random.default_rng([2, noise])
    scale = 1 << (fmt.bit_depth - 8)
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    bases = [still.integers(60, 180, shape) for shape in fmt.shapes]
    made = []
    for index in range(frames):
        planes = [np.roll(base, index, axis=1) + moving.integers(-noise, noise + 1, base.shape) for base in bases]
        made.append(tuple(np.ascontiguousarray(plane * scale, dtype=dtype) for plane in planes))
    return made  # type: ignore[return-value]


def _copy(planes: Planes) -> Any:
    return tuple(plane.copy() for plane in planes)


def _wipe(planes: Planes | None) -> None:
    for plane in planes or ():
        plane[...] = 0
