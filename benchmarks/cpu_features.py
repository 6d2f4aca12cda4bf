"""Milliseconds per frame and core of every feature family and set: corekit's cpu backend, libvmaf and vmaf-torch.

All see the same frames in the same run and take turns. A figure is CPU time per frame, the first frames left out, the
least of the repeats. Run from the repository root: ``python -m benchmarks.cpu_features``.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from benchmarks import machine
from benchmarks.content import Clips, clips_of_files, generated_clips
from benchmarks.peers import PAIR, WARM_UP, Libvmaf, vmaf_torch
from corekit.backends.base import Group
from corekit.backends.cpu import CpuExtractor, CpuOptions
from corekit.features.adm import Adm
from corekit.features.cambi import Cambi
from corekit.features.ciede2000 import Ciede2000
from corekit.features.family import FeatureFamily
from corekit.features.motion import Motion
from corekit.features.psnr import Psnr
from corekit.features.psnr_hvs import PsnrHvs
from corekit.features.speed import Speed
from corekit.features.ssim import FloatMsSsim, FloatSsim
from corekit.features.ssimulacra2 import Ssimulacra2
from corekit.features.vif import Vif
from corekit.model import FrameFormat
from corekit.schema import CANONICAL, FEATURES, INFORMATIVE, VMAF

FAMILIES: dict[str, Callable[[FrameFormat, int], FeatureFamily]] = {
    "vif": Vif,
    "adm": Adm,
    "motion": Motion,
    "psnr": Psnr,
    "float_ssim": FloatSsim,
    "float_ms_ssim": FloatMsSsim,
    "cambi": Cambi,
    "ciede2000": Ciede2000,
    "psnr_hvs": PsnrHvs,
    "speed": Speed,
    "ssimulacra2": Ssimulacra2,
}
LIBVMAF_LACKS = frozenset({"ssimulacra2"})
SETS: dict[str, tuple[str, ...]] = {
    "canonical + vmaf": (*CANONICAL, VMAF),
    "full without ssimulacra2": tuple(name for name in FEATURES if name != "ssimulacra2"),
    "full": FEATURES,
    "informative": INFORMATIVE,
}
RUNGS = 6
FORMATS = {
    FrameFormat(576, 324, 8, "420"): 60,
    FrameFormat(960, 540, 8, "420"): 24,
    FrameFormat(1920, 1080, 8, "420"): 12,
    FrameFormat(1920, 1080, 10, "420"): 12,
}
"""What is measured, and on how many frames, the warm-up among them."""
QUICK_FORMATS = {FrameFormat(576, 324, 8, "420"): 20, FrameFormat(1920, 1080, 8, "420"): 5}


def main() -> None:
    """Measure, print tables, and write JSON where it is asked for."""
    arguments = _arguments()
    repeats = arguments.repeats or (1 if arguments.quick else 3)
    report: dict[str, Any] = {"benchmark": "cpu_features", **machine.describe(), "repeats": repeats}
    report["vmaf_torch"] = machine.installed("vmaf-torch") or "not installed"
    print(f"{report['processor']}, least of {repeats}, vmaf-torch {report['vmaf_torch']}")
    print("milliseconds of CPU time per frame on one core; ratio: libvmaf / corekit")
    report["formats"] = {}
    if arguments.clips:
        reference, distorted = arguments.clips
        measure_into(report["formats"], clips_of_files(reference, distorted, arguments.frames or 12), repeats)
    else:
        for fmt, frames in (QUICK_FORMATS if arguments.quick else FORMATS).items():
            measure_into(report["formats"], generated_clips(fmt, arguments.frames or frames), repeats)
    report["load_average_after"] = machine.load_average()
    if arguments.json:
        machine.write_json(arguments.json, report)


def measure_into(formats: dict[str, Any], clips: Clips, repeats: int) -> None:
    formats[clips.title] = result = measure(clips, repeats)
    print(f"\n## {clips.title}\n\n{_family_table(result['families'])}\n\n{_set_table(result['sets'])}", flush=True)


def measure(clips: Clips, repeats: int) -> dict[str, Any]:
    """Figures of every family and set on one pair of clips, in CPU milliseconds per frame."""
    libvmaf, torch = Libvmaf(clips), vmaf_torch(clips)
    families: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES}
    sets: dict[str, dict[str, Any]] = {name: {} for name in SETS}
    for _ in range(repeats):
        for name, figures in families.items():
            _keep_least(figures, dict(zip(("reference", "rung"), time_family(FAMILIES[name], clips), strict=True)))
            figures["corekit"] = figures["reference"] + figures["rung"]
        for name, figures in sets.items():
            _keep_least(figures, {"corekit": time_set(SETS[name], clips)})
        for name, figures in (*families.items(), *sets.items()):
            features = SETS.get(name) or _names(name)
            if LIBVMAF_LACKS.isdisjoint(features):
                figures["libvmaf"] = libvmaf.milliseconds(features)
                figures["ratio"] = figures["libvmaf"] / figures["corekit"]
            if torch and name in torch.FAMILIES:
                _keep_least(figures, {"vmaf_torch": torch.milliseconds(name)})
    for name, figures in families.items():
        together = figures["reference"] + RUNGS * figures["rung"]
        figures["gain_of_6_rungs"] = RUNGS * figures["corekit"] / together
        figures["bytes_per_pixel"] = memory_per_pixel(FAMILIES[name], clips.fmt)
    return {
        "frames": len(clips.reference),
        "families": {name: _rounded(figures) for name, figures in families.items()},
        "sets": {name: _rounded(figures) for name, figures in sets.items()},
    }


def time_family(make: Callable[[FrameFormat, int], FeatureFamily], clips: Clips) -> tuple[float, float]:
    """CPU milliseconds per frame of a family's ``reference`` and of its ``compare``, after the warm-up."""
    family = make(clips.fmt, 1)
    values = np.zeros((len(clips.reference), len(family.names)))
    reference_s, rung_s = [], []
    for row, reference, distorted in zip(values, clips.reference, clips.distorted, strict=True):
        begun = time.thread_time()
        family.reference(reference)
        between = time.thread_time()
        family.compare(0, distorted, row)
        ended = time.thread_time()
        reference_s.append(between - begun)
        rung_s.append(ended - between)
    return tuple(1000 * float(np.mean(seconds[WARM_UP:])) for seconds in (reference_s, rung_s))  # type: ignore[return-value]


def time_set(features: tuple[str, ...], clips: Clips) -> float:
    """CPU milliseconds per frame of the cpu backend for one pair, from the warm-up to the end of ``finish``."""
    extractor = CpuExtractor(CpuOptions())
    pair = replace(PAIR, features=tuple(name for name in features if not extractor.lacks(name, clips.fmt)))
    session = extractor.open_group(Group(content="clip", fmt=clips.fmt, framerate="30/1", pairs=(pair,)))
    for index, (reference, distorted) in enumerate(zip(clips.reference, clips.distorted, strict=True)):
        if index == WARM_UP:
            begun = time.thread_time()
        session.push(reference, [distorted])
    session.finish()
    seconds = time.thread_time() - begun
    session.close()
    extractor.close()
    return 1000 * seconds / (len(clips.reference) - WARM_UP)


def memory_per_pixel(make: Callable[[FrameFormat, int], FeatureFamily], fmt: FrameFormat) -> list[float]:
    """Bytes that a family holds per luma pixel, for one rung and for six."""
    held = []
    for rungs in (1, RUNGS):
        tracemalloc.start()
        family = make(fmt, rungs)
        held.append(tracemalloc.get_traced_memory()[0] / (fmt.width * fmt.height))
        tracemalloc.stop()
        del family
    return held


def _names(family: str) -> tuple[str, ...]:
    names: tuple[str, ...] = FAMILIES[family].names  # type: ignore[attr-defined]
    return names


def _keep_least(figures: dict[str, Any], measured: dict[str, float]) -> None:
    for name, value in measured.items():
        figures[name] = min(value, figures.get(name, value))


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: [round(v, 2) for v in value] if isinstance(value, list) else round(value, 3)
            for name, value in figures.items()}  # fmt: skip


def _family_table(families: dict[str, Any]) -> str:
    head = ("family", "reference", "rung", "corekit", "libvmaf", "vmaf-torch", "ratio", "6 rungs", "bytes/pixel")
    rows = []
    for name, figures in families.items():
        cells = [_ms(figures.get(key)) for key in ("reference", "rung", "corekit", "libvmaf", "vmaf_torch", "ratio")]
        rows.append((name, *cells, f"{figures['gain_of_6_rungs']:.2f}x", f"{figures['bytes_per_pixel'][0]:.1f}"))
    return machine.table(head, rows)


def _set_table(sets: dict[str, Any]) -> str:
    head = ("set", "corekit", "libvmaf", "vmaf-torch", "ratio", "corekit frames/s")
    rows = []
    for name, figures in sets.items():
        cells = [_ms(figures.get(key)) for key in ("corekit", "libvmaf", "vmaf_torch", "ratio")]
        rows.append((name, *cells, f"{1000 / figures['corekit']:.1f}"))
    return machine.table(head, rows)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_features", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: two formats, few frames, once")
    parser.add_argument("--frames", type=int, help="frames of each clip, at least 3")
    parser.add_argument("--repeats", type=int, help="turns of every program; the least counts")
    parser.add_argument("--clips", type=Path, nargs=2, metavar=("REF", "DIS"), help="measure on these files instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
