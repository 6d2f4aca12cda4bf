"""The cuda backend's families on a device: frame pairs a second at three sizes and two depths, against the bytes that must move.

    python -m benchmarks.device_features [--device cuda] [--pairs 16] [--seconds 120] [--no-eager] [--json FILE]

Pairs have a reference each, as of unrelated clips; parity with the cpu backend's kernels is printed beside each time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import machine
from benchmarks.content import generated_clips
from corekit.backends.cuda import open_device
from corekit.features import adm, cambi, ciede2000, motion, psnr, psnr_hvs, speed, ssim, ssimulacra2, vif
from corekit.features.tensor.adm import Adm
from corekit.features.tensor.cambi import Cambi
from corekit.features.tensor.ciede2000 import Ciede2000
from corekit.features.tensor.family import Batch, TensorFamily, TensorPlanes
from corekit.features.tensor.motion import Motion
from corekit.features.tensor.psnr import Psnr
from corekit.features.tensor.psnr_hvs import PsnrHvs
from corekit.features.tensor.speed import Speed
from corekit.features.tensor.ssim import FloatMsSsim, FloatSsim
from corekit.features.tensor.ssimulacra2 import Ssimulacra2
from corekit.features.tensor.vif import Vif
from corekit.model import FrameFormat

SIZES = {"540p": (960, 540), "1080p": (1920, 1080), "2160p": (3840, 2160)}
FAMILIES: dict[str, tuple[Any, Any]] = {
    "vif": (Vif, vif.Vif),
    "adm": (Adm, adm.Adm),
    "motion": (Motion, motion.Motion),
    "psnr": (Psnr, psnr.Psnr),
    "cambi": (Cambi, cambi.Cambi),
    "float_ssim": (FloatSsim, ssim.FloatSsim),
    "float_ms_ssim": (FloatMsSsim, ssim.FloatMsSsim),
    "ciede2000": (Ciede2000, ciede2000.Ciede2000),
    "psnr_hvs": (PsnrHvs, psnr_hvs.PsnrHvs),
    "speed": (Speed, speed.Speed),
    "ssimulacra2": (Ssimulacra2, ssimulacra2.Ssimulacra2),
}
_WITHOUT_KERNELS = ("psnr", "speed")
CANONICAL = ("vif", "adm", "motion")
_CHECKED = 2
"""Pairs that are compared with the cpu backend."""
_REPEATS = 5


def main() -> None:
    """Time every family and the canonical set at every size and depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=120.0, help="begin no further measurement after so long")
    parser.add_argument("--no-eager", action="store_true", help="leave out torch where there are kernels")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    device = open_device(arguments.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"{name}, torch {torch.__version__}")
    print(f"{'size':<6} {'bits':>4} {'family':<17} {'pairs/batch':>11} {'pairs/s':>10} {'GB/s':>7} {'differs':>9}")
    rows: list[dict[str, Any]] = []
    begun = time.monotonic()
    for size, (width, height) in SIZES.items():
        for depth in (8, 10):
            fmt = FrameFormat(width, height, depth, "420")
            clips = generated_clips(fmt, _CHECKED + 1)
            for row in measure(fmt, clips, device, arguments.pairs, eager=not arguments.no_eager):
                rows.append({"size": size, "depth": depth, **row})
                print(
                    f"{size:<6} {depth:>4} {row['family']:<17} {row['pairs']:>11} {row['pairs_per_s']:>10.1f} {row['gb_per_s']:>7.1f} "
                    f"{row['differs']:>9}",
                    flush=True,
                )
                if arguments.json:
                    machine.write_json(arguments.json, {"machine": machine.describe(), "device": name, "rows": rows})
            if time.monotonic() - begun > arguments.seconds:
                return


def measure(fmt: FrameFormat, clips: Any, device: torch.device, pairs: int, *, eager: bool) -> list[dict[str, Any]]:
    """A row for each family in torch and in Triton, one for the canonical set and one for all families, on frames of their own."""
    reference, distorted = clips.reference, clips.distorted
    fused = device.type == "cuda"
    made = {
        name: tensor(fmt, device)
        for name, (tensor, _) in FAMILIES.items()
        if eager or name in _WITHOUT_KERNELS or not fused
    }
    if fused:
        made |= {
            f"{name} fused": tensor(fmt, device, fused=True)
            for name, (tensor, _) in FAMILIES.items()
            if name not in _WITHOUT_KERNELS
        }
    pairs = max(1, min(pairs, 16 * 1920 * 1080 // (fmt.width * fmt.height)))
    batch = _batch(fmt, reference, distorted, device, pairs)
    rows = []
    for name, family in made.items():
        seconds = _time(lambda family=family: family.sums(batch), device)  # type: ignore[misc]
        rows.append(
            _row(
                fmt,
                name,
                pairs,
                seconds,
                _differs(name.removesuffix(" fused"), family, fmt, reference, distorted, device),
            )
        )

    for title, names in (("canonical", CANONICAL), ("all", tuple(FAMILIES))):
        fastest = [made.get(f"{name} fused") or made[name] for name in names]
        seconds = _time(lambda fastest=fastest: [family.sums(batch) for family in fastest], device)  # type: ignore[misc]
        rows.append(_row(fmt, title, pairs, seconds, ""))
    return rows


def _row(fmt: FrameFormat, name: str, pairs: int, seconds: float, differs: str) -> dict[str, Any]:
    """Bytes are the least that must move: both frames read once."""
    moved = (
        2
        * pairs
        * (
            fmt.frame_bytes
            if name.startswith(("psnr", "ssimulacra2", "ciede2000", "all"))
            else fmt.width * fmt.height * fmt.bytes_per_sample
        )
    )
    return {
        "family": name, "pairs": pairs, "pairs_per_s": pairs / seconds, "gb_per_s": moved / seconds / 1e9, "differs": differs,
    }  # fmt: skip


def _time(work: Callable[[], Any], device: torch.device) -> float:
    """Median seconds of a few runs after one to warm up."""
    times = []
    for repeat in range(_REPEATS + 1):
        _wait(device)
        begun = time.perf_counter()
        work()
        _wait(device)
        if repeat:
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _batch(fmt: FrameFormat, reference: Any, distorted: Any, device: torch.device, pairs: int) -> Batch:
    index = torch.arange(pairs, device=device)
    return Batch(
        fmt=fmt,
        reference=_repeated(reference, pairs, device),
        distorted=_repeated(distorted, pairs, device),
        pair_reference=index,
        pair_distorted=index,
        reference_previous=index - 1,
        distorted_previous=index - 1,
    )


def _repeated(frames: Any, count: int, device: torch.device) -> TensorPlanes:
    planes = []
    for plane in range(3):
        stacked = torch.from_numpy(np.stack([frames[i % len(frames)][plane] for i in range(count)]))
        planes.append((stacked.view(torch.int16) if stacked.dtype == torch.uint16 else stacked).to(device))
    return planes[0], planes[1], planes[2]


def _differs(
    name: str, family: TensorFamily, fmt: FrameFormat, reference: Any, distorted: Any, device: torch.device
) -> str:
    """Largest difference to the cpu backend's kernels on a few frames; ``0`` where every bit is the same."""
    numba = FAMILIES[name][1](fmt, 1)
    expected = np.full((_CHECKED, len(family.names)), np.nan)
    for i in range(_CHECKED):
        numba.reference(reference[i])
        numba.compare(0, distorted[i], expected[i])
    numba.finish(0, expected)
    expected[np.isinf(expected)] = np.nan
    got = family.scores(
        family.sums(_batch(fmt, reference[:_CHECKED], distorted[:_CHECKED], device, _CHECKED)).cpu().numpy()
    )
    return f"{np.nanmax(np.abs(got - expected)):.2g}"


if __name__ == "__main__":
    main()
