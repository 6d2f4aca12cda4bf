"""The cuda backend's families on a device: frame pairs a second at three sizes and two depths, against what must move and be computed.

    python -m benchmarks.device_features [--device cuda] [--pairs 64] [--seconds 120] [--no-eager] [--json FILE]

Pairs have a reference each, as of unrelated clips; parity with the cpu backend's kernels is printed beside each time. The floor is
the longer of two times: that of reading both frames once, at the rate of a copy on this device, and that of the definition's
multiplications with additions, at 64 a clock and multiprocessor (what NVIDIA's GPUs have for integers of 32 bits). ``host`` is what the last steps of the
scores take on one core of the host. The canonical set is also timed with few pairs in a batch.
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
from av import VideoFrame

from benchmarks import machine
from benchmarks.content import generated_clips
from corekit.backends.cuda import open_device
from corekit.backends.cuda_batches import most_pairs
from corekit.backends.cuda_scaling import scaler_for
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
from corekit.video.scaling import scaling_of

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
MULTIPLICATIONS = {"vif": 215, "adm": 60, "motion": 10, "psnr": 1.5, "float_ms_ssim": 200}
"""With an addition each, a luma pixel of a pair, as the definition has them: taps of separable filters, products, lifting steps."""
CANONICAL = ("vif", "adm", "motion")
_EAGER = 16
"""Pairs in a batch of torch alone, which keeps many tensors."""
_CHECKED = 2
"""Pairs that are compared with the cpu backend."""
_REPEATS = 5
_FEW = (1, 4, 16, 32)
"""Smaller batches of the canonical set."""


def main() -> None:
    """Time every family and the canonical set at every size and depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--pairs", type=int, default=64, help="pairs of 1080p in a batch; as many pixels of other sizes"
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="begin no further measurement after so long")
    parser.add_argument("--no-eager", action="store_true", help="leave out torch where there are kernels")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    device = open_device(arguments.device)
    limits = Limits(device)
    print(f"{limits.name}, torch {torch.__version__}, copies {limits.bytes_per_s / 1e9:.0f} GB/s")
    print(
        f"{'size':<6} {'bits':>4} {'family':<20} {'pairs':>5} {'pairs/s':>9} {'GB/s':>6} {'of floor':>8} {'host us':>8} {'differs':>8}"
    )
    rows: list[dict[str, Any]] = []
    begun = time.monotonic()
    for size, (width, height) in SIZES.items():
        for depth in (8, 10):
            fmt = FrameFormat(width, height, depth, "420")
            for row in measure(fmt, device, limits, arguments.pairs, eager=not arguments.no_eager):
                rows.append({"size": size, "depth": depth, **row})
                shown = {key: "" if value is None else value for key, value in row.items()}
                print(
                    f"{size:<6} {depth:>4} {row['family']:<20} {row['pairs']:>5} {row['pairs_per_s']:>9.1f} {row['gb_per_s']:>6.1f} "
                    f"{shown['of_floor']:>8.3} {shown['host_us']:>8.4} {shown['differs']:>8.2}",
                    flush=True,
                )
                if arguments.json:
                    report = {
                        "machine": machine.describe(),
                        "device": limits.name,
                        "copy_bytes_per_s": limits.bytes_per_s,
                    }
                    machine.write_json(arguments.json, {**report, "rows": rows})
            if time.monotonic() - begun > arguments.seconds:
                return


class Limits:
    """What a device can do at most: bytes a second, by a copy of a gigabyte, and multiplications a second, by its clock."""

    def __init__(self, device: torch.device) -> None:
        self.name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        n_bytes = (1 << 30) if device.type == "cuda" else (1 << 26)
        source, target = (torch.ones(n_bytes, dtype=torch.uint8, device=device) for _ in range(2))
        self.bytes_per_s = 2 * n_bytes / _time(lambda: target.copy_(source), device)
        self.multiplications_per_s: float | None = None
        if device.type == "cuda":
            properties = torch.cuda.get_device_properties(device)
            if clock := getattr(properties, "clock_rate", 0):
                self.multiplications_per_s = 64.0 * properties.multi_processor_count * clock * 1e3

    def floor(self, n_bytes: int, multiplications: float | None) -> float | None:
        """Seconds that so much takes at least; None where nobody has counted."""
        if multiplications is None or self.multiplications_per_s is None:
            return None
        return max(n_bytes / self.bytes_per_s, multiplications / self.multiplications_per_s)


def measure(fmt: FrameFormat, device: torch.device, limits: Limits, pairs: int, *, eager: bool) -> list[dict[str, Any]]:
    """A row for each family in torch and in Triton, one for the canonical set and one for all families, on frames of their own."""
    clips = generated_clips(fmt, _CHECKED + 1)
    reference, distorted = clips.reference, clips.distorted
    fused = device.type == "cuda"
    made = {name: tensor(fmt, device) for name, (tensor, _) in FAMILIES.items() if eager or not fused}
    if fused:
        made |= {f"{name} fused": tensor(fmt, device, fused=True) for name, (tensor, _) in FAMILIES.items()}
    pairs = most_pairs(fmt, pairs)
    batch = _batch(fmt, reference, distorted, device, pairs)
    rows = []
    for title, family in made.items():
        name = title.removesuffix(" fused")
        given = batch if title != name or not fused else _batch(fmt, reference, distorted, device, min(pairs, _EAGER))
        seconds = _time(lambda family=family, given=given: family.sums(given), device)  # type: ignore[misc]
        differs = _differs(name, family, fmt, reference, distorted, device)
        sums = family.sums(given).cpu().numpy()
        family.scores(sums[:1])
        begun = time.perf_counter()
        family.scores(sums)
        host = (time.perf_counter() - begun) / given.n_pairs * 1e6
        row = _row(fmt, title, (name,), given.n_pairs, seconds, limits)
        rows.append({**row, "host_us": host, "differs": differs})
    rows += _scaling(fmt, device, pairs)
    for title, names in (("canonical", CANONICAL), ("all", tuple(FAMILIES))):
        for suffix in ("", " fused"):
            together = [made[name + suffix] for name in names if name + suffix in made]
            if len(together) < len(names):
                continue
            counts = [pairs] if suffix or not fused else [min(pairs, _EAGER)]
            if title == "canonical" and suffix:
                counts = [few for few in _FEW if few < pairs] + counts
            for count in counts:
                seconds = _time(_all_of(together, _batch(fmt, reference, distorted, device, count)), device)
                row = _row(fmt, title + suffix, names, count, seconds, limits)
                rows.append({**row, "host_us": None, "differs": None})
    return rows


def _scaling(fmt: FrameFormat, device: torch.device, pairs: int) -> list[dict[str, Any]]:
    """Frames of two thirds of the size brought to ``fmt``, read and written once; no row where the device may not."""
    source = FrameFormat(fmt.width * 2 // 3, fmt.height * 2 // 3, fmt.bit_depth, fmt.chroma)
    scaling = scaling_of(VideoFrame(64, 64, source.pix_fmt), source, fmt)
    scaler = scaler_for(scaling, device) if scaling else None
    if scaler is None:
        return []
    dtype = torch.uint8 if fmt.bit_depth == 8 else torch.int16
    y, cb, cr = (torch.zeros((pairs, *shape), dtype=dtype, device=device) for shape in fmt.shapes)
    slots = torch.arange(pairs, device=device)
    seconds = _time(lambda: scaler.scale((y, cb, cr), slots), device)
    moved = pairs * (source.frame_bytes + fmt.frame_bytes)
    return [
        {
            "family": "scaling", "pairs": pairs, "pairs_per_s": pairs / seconds, "gb_per_s": moved / seconds / 1e9,
            "of_floor": None, "host_us": None, "differs": 0.0,
        }
    ]  # fmt: skip


def _all_of(families: list[TensorFamily], batch: Batch) -> Callable[[], Any]:
    return lambda: [family.sums(batch) for family in families]


def _row(
    fmt: FrameFormat, title: str, names: tuple[str, ...], pairs: int, seconds: float, limits: Limits
) -> dict[str, Any]:
    """Bytes are the least that must move: both frames read once."""
    samples = sum(rows * columns for rows, columns in fmt.shapes) if _reads_chroma(names) else fmt.width * fmt.height
    moved = 2 * pairs * samples * fmt.bytes_per_sample
    counts = [MULTIPLICATIONS.get(name) for name in names]
    work = None if None in counts else sum(filter(None, counts)) * pairs * fmt.width * fmt.height
    floor = limits.floor(moved, work)
    return {
        "family": title, "pairs": pairs, "pairs_per_s": pairs / seconds, "gb_per_s": moved / seconds / 1e9,
        "of_floor": None if floor is None else floor / seconds,
    }  # fmt: skip


def _reads_chroma(names: tuple[str, ...]) -> bool:
    return bool({"psnr", "psnr_hvs", "ssimulacra2", "ciede2000", "speed"} & set(names))


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
) -> float:
    """Largest difference to the cpu backend's kernels on a few frames; 0 where every bit is the same."""
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
    return float(np.nanmax(np.abs(got - expected)))


if __name__ == "__main__":
    main()
