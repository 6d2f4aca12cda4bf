"""The ``cpu`` backend: corekit's own kernels, compiled by numba, in this process; exact, no external program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from corekit.backends.base import BackendInfo, Extractor, Group, GroupSession, Pair, PairFeatures
from corekit.errors import BackendError, ClipError
from corekit.features.registry import undefined
from corekit.markers import hookimpl
from corekit.model import Clip, FrameFormat, Label
from corekit.schema import VMAF

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from corekit.features.family import FeatureFamily
    from corekit.planes import Planes

COREKIT_API = 1
COMPILING = "compiling the feature kernels, about a minute; numba keeps them for the next time"
_FIRST_FRAMES = 64
_TRIAL_FORMAT = FrameFormat(256, 256, 8, "420")


class CpuOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of the backend."""

    motion: Literal["3.2", "3.1"] = "3.2"
    """Which libvmaf's definition of motion: 3.2 and newer, or 3.1 and older."""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(
        name="cpu",
        title="corekit's own exact kernels on the CPU",
        numeric_class="corekit",
        options=CpuOptions,
    )


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: CpuOptions) -> Extractor:
    if device not in ("auto", "cpu"):
        raise BackendError(f"--device {device}: the cpu backend runs on the CPU; leave --device out")
    try:
        return CpuExtractor(options)
    except Exception as error:
        raise BackendError(
            f"numba cannot compile kernels here ({_one_line(error)}); repair it (pip install --force-reinstall numba), or "
            "use --backend libvmaf"
        ) from error


class CpuExtractor(Extractor):
    """Kernels in this process, one thread."""

    def __init__(self, options: CpuOptions) -> None:
        import numba

        self._options = options
        self.versions = {"numba": numba.__version__}
        self.identity = {"class": "corekit", "motion": options.motion}
        self._stop_listening = _on_compile(lambda: self.notify(COMPILING))
        self._try_out(_TRIAL_FORMAT, ("psnr_y",))

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        return undefined(feature, fmt)

    def open_group(self, group: Group) -> GroupSession:
        return CpuSession(group, self._options)

    def prepare(self, fmt: FrameFormat, features: tuple[str, ...]) -> None:
        small = FrameFormat(_TRIAL_FORMAT.width, _TRIAL_FORMAT.height, fmt.bit_depth, fmt.chroma)
        self._try_out(small, tuple(name for name in features if not undefined(name, small)))

    def close(self) -> None:
        self._stop_listening()

    def _try_out(self, fmt: FrameFormat, features: tuple[str, ...]) -> None:
        """Run two small frames through the kernels, which compiles them or loads them from numba's cache."""
        import numpy as np

        clip = Clip(name="trial", path="trial", content="trial", label=Label(kind="none"))
        dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
        planes: Any = tuple(np.zeros(shape, dtype) for shape in fmt.shapes)
        for options in ({"cambi_eotf": "bt1886"}, {"cambi_eotf": "pq"}) if "cambi" in features else ({},):
            pair = Pair(clip=clip, features=features, options=options)
            session = self.open_group(Group(content="trial", fmt=fmt, framerate="25/1", pairs=(pair,)))
            for _ in range(2):
                session.push(planes, [planes])
            session.finish()


def _on_compile(tell: Callable[[], None]) -> Callable[[], None]:
    """Call ``tell`` whenever numba begins to compile; returns what ends that."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: object) -> None:
            tell()

        def on_end(self, event: object) -> None:
            """Nothing is told."""

    listener = Listener()
    listening = [listener]
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]

    def stop() -> None:
        if listening:
            event.unregister("numba:compile", listening.pop())  # type: ignore[no-untyped-call]

    return stop


class _Track:
    """One feature family at work for some pairs of a group, and the values it has given.

    A family whose kernel cannot be compiled here is given up with its reason in ``broken``; the others go on.
    """

    def __init__(self, make: Callable[[FrameFormat, int], FeatureFamily], fmt: FrameFormat, pairs: list[int]) -> None:
        import numpy as np

        self._family = make(fmt, len(pairs))
        self._rung = {pair: rung for rung, pair in enumerate(pairs)}
        self._values = [np.empty((_FIRST_FRAMES, len(self._family.names))) for _ in pairs]
        self._counts = [0] * len(pairs)
        self.pairs = pairs
        self.broken = ""

    @property
    def names(self) -> tuple[str, ...]:
        return self._family.names

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        """Take frame ``i`` of the reference and of the pairs that have one."""
        from numba.core.errors import NumbaError

        if self.broken:
            return
        try:
            self._family.reference(reference)
            for pair, rung in self._rung.items():
                planes = distorted[pair]
                if planes is not None:
                    self._family.compare(rung, planes, self._next_row(rung))
        except NumbaError as error:
            self.broken = f"its kernel could not be compiled here ({_one_line(error)})"

    def finish(self, pair: int) -> dict[str, npt.NDArray[np.float64]]:
        """The values of a pair by feature, shape ``(n_frames,)`` each."""
        rung = self._rung[pair]
        values = self._values[rung][: self._counts[rung]]
        self._family.finish(rung, values)
        return {name: values[:, column] for column, name in enumerate(self._family.names)}

    def _next_row(self, rung: int) -> npt.NDArray[np.float64]:
        import numpy as np

        count, rows = self._counts[rung], self._values[rung]
        if count == len(rows):
            self._values[rung] = rows = np.concatenate([rows, np.empty_like(rows)])
        self._counts[rung] = count + 1
        row: npt.NDArray[np.float64] = rows[count]
        return row


class CpuSession(GroupSession):
    """One content group: each family once for the reference, once for every distorted clip that wants it."""

    def __init__(self, group: Group, options: CpuOptions) -> None:
        self._group = group
        self._counts = [0] * len(group.pairs)
        self._tracks = [_Track(make, group.fmt, pairs) for make, pairs in _families(group, options)]

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        for index, planes in enumerate(distorted):
            self._counts[index] += planes is not None
        for track in self._tracks:
            if any(distorted[pair] is not None for pair in track.pairs):
                track.push(reference, distorted)

    def finish(self) -> list[PairFeatures | ClipError]:
        return [self._result(index) for index in range(len(self._group.pairs))]

    def close(self) -> None:
        self._tracks.clear()

    def _result(self, index: int) -> PairFeatures:
        from corekit.features import vmaf

        wanted = self._group.pairs[index].features
        values: dict[str, npt.NDArray[np.float64]] = {}
        broken: dict[str, str] = {}
        for track in self._tracks:
            if index not in track.pairs:
                continue
            if track.broken:
                broken |= dict.fromkeys(track.names, track.broken)
            else:
                values |= track.finish(index)
        if VMAF in wanted:
            if lost := [name for name in vmaf.INPUTS if name in broken]:
                broken[VMAF] = f"{lost[0]}: {broken[lost[0]]}"
            else:
                values[VMAF] = vmaf.vmaf(**{name: values[name] for name in vmaf.INPUTS})
        return PairFeatures(
            {name: values[name] for name in wanted if name in values},
            {name: broken[name] for name in wanted if name in broken},
            self._counts[index],
        )


def _families(group: Group, options: CpuOptions) -> list[tuple[Callable[[FrameFormat, int], FeatureFamily], list[int]]]:
    """The families that a group needs, each with the pairs that need it."""
    from corekit.features.adm import Adm
    from corekit.features.cambi import Cambi
    from corekit.features.ciede2000 import Ciede2000
    from corekit.features.motion import Motion
    from corekit.features.psnr import Psnr
    from corekit.features.psnr_hvs import PsnrHvs
    from corekit.features.speed import Speed
    from corekit.features.ssim import FloatMsSsim, FloatSsim
    from corekit.features.ssimulacra2 import Ssimulacra2
    from corekit.features.vif import Vif
    from corekit.features.vmaf import INPUTS

    wanted = [set(pair.features) | (set(INPUTS) if VMAF in pair.features else set()) for pair in group.pairs]
    needed: list[tuple[Callable[[FrameFormat, int], FeatureFamily], list[int]]] = []
    for family in (Adm, Vif, Psnr, FloatSsim, FloatMsSsim, Ciede2000, PsnrHvs, Ssimulacra2, Speed):
        needed.append((family, [i for i, names in enumerate(wanted) if names & set(family.names)]))
    needed.append(
        (
            lambda fmt, rungs: Motion(fmt, rungs, definition=options.motion),
            [i for i, names in enumerate(wanted) if names & set(Motion.names)],
        )
    )
    for eotf in ("bt1886", "pq"):
        pairs = [
            i for i, names in enumerate(wanted)
            if "cambi" in names and group.pairs[i].options.get("cambi_eotf", "bt1886") == eotf
        ]  # fmt: skip
        needed.append((lambda fmt, rungs, eotf=eotf: Cambi(fmt, rungs, eotf=eotf), pairs))  # type: ignore[misc]
    return [(make, pairs) for make, pairs in needed if pairs]


def _one_line(error: Exception) -> str:
    lines = str(error).split("\n")
    return f"{type(error).__name__}: {lines[0][:200]}".strip()
