"""The peers beside which corekit is measured: libvmaf inside the FFmpeg of imageio-ffmpeg, and vmaf-torch."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import imageio_ffmpeg
from msgspec.structs import replace

from benchmarks.content import Clips
from benchmarks.machine import installed
from corekit.backends.base import Pair
from corekit.backends.libvmaf import ffmpeg_command
from corekit.backends.vmaf_process import WINDOW, VmafProcess, pump
from corekit.model import Clip, Label

PAIR = Pair(clip=Clip(name="clip", path="clip", content="clip", label=Label(kind="none")), features=())
WARM_UP = 2
"""First frames of a clip that are in no figure: they pay for starting and for the first touch of memory."""


class Libvmaf:
    """libvmaf on frames that come through two pipes, one thread.

    A figure is the difference of two runs, over all frames and over the first ``WARM_UP`` of them, less the same difference
    of the program without libvmaf: what starting, allocating and reading cost is not in it.
    """

    def __init__(self, clips: Clips) -> None:
        self._fmt = clips.fmt
        self._path = str(imageio_ffmpeg.get_ffmpeg_exe())
        self._reference = [_packed(planes) for planes in clips.reference]
        self._distorted = [_packed(planes) for planes in clips.distorted]
        self._least: dict[tuple[tuple[str, ...], int], float] = {}

    def milliseconds(self, features: tuple[str, ...]) -> float:
        """CPU milliseconds per frame for these features, from the least of this and all earlier calls."""
        seconds = self._seconds_after_warm_up(features) - self._seconds_after_warm_up(())
        return 1000 * seconds / (len(self._reference) - WARM_UP)

    def _seconds_after_warm_up(self, features: tuple[str, ...]) -> float:
        least = []
        for count in (WARM_UP, len(self._reference)):
            seconds = self._cpu_s(self._command(features), count)
            least.append(min(seconds, self._least.get((features, count), seconds)))
            self._least[features, count] = least[-1]
        return least[1] - least[0]

    def _command(self, features: tuple[str, ...]) -> Callable[[int, int], list[str]]:
        """The program with libvmaf; without features one that reads the same pipes and throws the frames away."""
        pair = replace(PAIR, features=features)

        def command(reference: int, distorted: int) -> list[str]:
            words = ffmpeg_command(self._path, self._fmt, pair, reference, distorted)
            if not features:
                words = [*words[: words.index("-filter_complex")], "-map", "0:v", "-map", "1:v", "-f", "null", "-"]
            return _single_threaded(words)

        return command

    def _cpu_s(self, command: Callable[[int, int], list[str]], count: int) -> float:
        before = _children_cpu_s()
        process = VmafProcess(command)
        try:
            for reference, distorted in zip(self._reference[:count], self._distorted[:count], strict=True):
                process.feed(reference, distorted)
                pump([process], until=lambda: process.waiting < WINDOW)
            process.end_input()
            pump([process], until=lambda: process.ended)
            process.result()
        finally:
            process.close()
        return _children_cpu_s() - before


class VmafTorch:
    """vmaf-torch on one torch thread; it has the features of VMAF alone, on floats."""

    FAMILIES = ("adm", "vif", "motion", "canonical + vmaf")

    def __init__(self, clips: Clips) -> None:
        self._torch: Any = import_module("torch")
        self._torch.set_num_threads(1)
        self._vmaf: Any = import_module("vmaf_torch").VMAF()
        self._reference, self._distorted = (
            self._tensor(side, clips.fmt.bit_depth) for side in (clips.reference, clips.distorted)
        )
        for family in self.FAMILIES:
            self._measure(family, slice(0, WARM_UP))

    def milliseconds(self, family: str) -> float:
        """CPU milliseconds per frame for one of ``FAMILIES``; frames go through one by one, motion all together."""
        started = time.process_time()
        self._measure(family, slice(WARM_UP, None))
        return 1000 * (time.process_time() - started) / (len(self._reference) - WARM_UP)

    def _tensor(self, side: list[Any], bit_depth: int) -> Any:
        luma = [self._torch.from_numpy(planes[0].astype("float32")) for planes in side]
        return self._torch.stack(luma)[:, None] / (1 << bit_depth - 8)

    def _measure(self, family: str, frames: slice) -> None:
        reference, distorted = self._reference[frames], self._distorted[frames]
        with self._torch.inference_mode():
            if family in ("motion", "canonical + vmaf"):
                motion = self._vmaf.compute_motion2(reference)
            if family == "motion":
                return
            for index in range(len(reference)):
                score = motion[index, None] if family == "canonical + vmaf" else None
                self._frame(family, reference[index, None], distorted[index, None], score)

    def _frame(self, family: str, reference: Any, distorted: Any, motion: Any) -> None:
        if family == "adm":
            self._vmaf.compute_adm_features_and_score(reference, distorted)
        elif family == "vif":
            self._vmaf.compute_vif_features(reference, distorted)
        else:
            adm = self._vmaf.compute_adm_score(reference, distorted)
            vif = self._vmaf.compute_vif_features(reference, distorted)
            self._vmaf.predict(adm, motion, vif)


def vmaf_torch(clips: Clips) -> VmafTorch | None:
    """vmaf-torch, where it is installed."""
    return VmafTorch(clips) if installed("vmaf-torch") else None


def _single_threaded(command: list[str]) -> list[str]:
    words: list[str] = []
    for word in command:
        words += ["-threads", "1", word] if word == "-i" else [word]
    return words


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _packed(planes: Any) -> bytes:
    return b"".join(plane.tobytes() for plane in planes)
