"""A stranger's backend for the tests of the run: quick numbers from numpy, a journal of its work, trouble on demand.

``--set journal=FILE`` gets a line for every clip that is measured. ``--set trouble=FILE`` holds lines ``CLIP KIND``; a clip
named there makes the backend misbehave in that way. ``--set devices="toy:0 toy:1"`` gives it devices, each with one worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from corekit import (
    BackendError,
    BackendInfo,
    ClipError,
    DeviceLost,
    Extractor,
    FrameFormat,
    Group,
    GroupSession,
    PairFeatures,
    hookimpl,
)

COREKIT_API = 1
OFFERED = ("psnr_y", "motion2", "cambi")


class ToyOptions(Struct, frozen=True, forbid_unknown_fields=True):
    journal: str = ""
    trouble: str = ""
    devices: str = ""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(name="toy", title="toy numbers", numeric_class="toy", options=ToyOptions)


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: ToyOptions) -> Extractor:
    start = _troubles(options).get("*")
    if start == "never":
        raise BackendError("there is no toy shop; build one")
    module = sys.modules["__main__"].__spec__
    in_worker = module is not None and module.name == "corekit.driver.worker"
    if start == "unusable" and in_worker:
        raise BackendError("the toy has no batteries; buy some")
    if start == "stillborn" and in_worker:
        print("no spark", file=sys.stderr, flush=True)
        os._exit(9)
    return ToyExtractor(options, device)


class ToyExtractor(Extractor):
    def __init__(self, options: ToyOptions, device: str) -> None:
        self._options = options
        self.devices = tuple(options.devices.split())
        self.versions = {"toy": "1", "device": device}
        self.identity = {"class": "toy", "toy": "1"}

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        return None if feature in OFFERED else f"a toy has no {feature}"

    def open_group(self, group: Group) -> GroupSession:
        return ToySession(self._options, group, self.versions["device"])


class ToySession(GroupSession):
    def __init__(self, options: ToyOptions, group: Group, device: str) -> None:
        self._options = options
        self._device = device
        self._group = group
        self._troubles = _troubles(options)
        self._values: list[dict[str, list[float]]] = [{name: [] for name in OFFERED} for _ in group.pairs]
        self._before: Any = None

    def push(self, reference: Any, distorted: Sequence[Any]) -> None:
        luma = reference[0].astype(np.float64)
        motion = 0.0 if self._before is None else float(np.abs(luma - self._before).mean())
        self._before = luma
        for pair, planes, values in zip(self._group.pairs, distorted, self._values, strict=True):
            if planes is None:
                continue
            kind, _, argument = self._troubles.get(pair.clip.name, "").partition(" ")
            if kind == "pid":  # slowly, so that every thread gets some
                time.sleep(0.1)
                with Path(f"{self._options.trouble}.pids").open("a", encoding="utf-8") as pids:
                    pids.write(f"{os.getpid()} {threading.get_ident()} {self._device}\n")
            _misbehave(kind, argument)
            error = float(((planes[0].astype(np.float64) - luma) ** 2).mean())
            values["psnr_y"].append(60.0 if error == 0 else 10 * float(np.log10(255**2 / error)))
            values["motion2"].append(motion)
            values["cambi"].append(float(planes[0].mean()))

    def finish(self) -> list[PairFeatures | ClipError]:
        return [self._finished(index) for index in range(len(self._group.pairs))]

    def close(self) -> None:
        """Nothing is held."""

    def _finished(self, index: int) -> PairFeatures | ClipError:
        pair = self._group.pairs[index]
        kind = self._troubles.get(pair.clip.name, "")
        if self._options.journal:
            with Path(self._options.journal).open("a", encoding="utf-8") as journal:
                journal.write(f"{pair.clip.name}\n")
        if kind == "error":
            return ClipError("compare", "the toy dislikes it; wind it up")
        values = {name: np.array(self._values[index][name]) for name in pair.features}
        if kind == "nan":
            values = {name: np.full_like(array, np.nan) for name, array in values.items()}
        if kind == "inf":
            values = {name: np.where(np.arange(array.size) == 0, np.inf, array) for name, array in values.items()}
        if kind == "short":
            values = {name: array[:-1] for name, array in values.items()}
        if kind == "text":
            values = {name: np.array(["a"] * array.size) for name, array in values.items()}
        if kind == "nothing":
            values = {}
        return PairFeatures(values, {}, len(self._values[index]["psnr_y"]))


def _troubles(options: ToyOptions) -> dict[str, str]:
    if not options.trouble or not Path(options.trouble).exists():
        return {}
    lines = Path(options.trouble).read_text(encoding="utf-8").splitlines()
    return {clip: kind for clip, _, kind in (line.partition(" ") for line in lines)}


def _misbehave(kind: str, argument: str) -> None:
    if kind == "abort":
        print("toy assertion failed", file=sys.stderr, flush=True)
        os.abort()
    elif kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "realtime-signal":
        os.kill(os.getpid(), signal.SIGRTMIN + 3)
    elif kind == "exit":
        os._exit(7)
    elif kind == "hang":
        if argument:
            Path(argument).touch()
        time.sleep(3600)
    elif kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif kind == "touch":
        os.utime(argument)
    elif kind == "slow":
        time.sleep(0.15)
    elif kind == "lost":
        raise DeviceLost("the toy fell off the table")
    elif kind == "raise":
        raise RuntimeError("a spring broke")
    elif kind == "clip-error":
        raise ClipError("compare", "the toy stalled; wind it up")
    elif kind == "leak":
        subprocess.Popen(["sleep", "600"])
    elif kind == "pipe":
        raise BrokenPipeError("a pipe")
    elif kind == "full-disk":
        raise OSError(28, "No space left on device", "/scratch")
