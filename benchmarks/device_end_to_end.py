"""Whole ``corekit run``s on a GPU, with either decoder, beside the cpu backend: clips and frames a second, and that the tables are equal.

    python -m benchmarks.device_end_to_end [--device cuda] [--workers 16] [--frames 60] [--contents 32] [--scenes 4] [--features canonical,vmaf]
                                           [--json FILE]

A corpus like CHUG (1080p 10-bit HEVC references, six rungs each) is generated into a temporary folder. Each figure comes from two
runs, over half the contents and over all: their difference is the cost of a clip, the rest is the start-up. ``decoding alone`` is the
same clips read and scaled by as many threads, and nothing else: what a run on the CPU's decoder can reach at most. ``differs`` is the largest
difference to the numbers of the first table.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.corpora import LADDER, LADDER_REFERENCE, NAME, install_plugin, write_ladders
from corekit.video import VideoReader

_ENTER = "from corekit.cli.main import main; main()"
_OF_THE_RUN = frozenset({"run_id", "timestamp", "encode_time_ms", "score_time_ms", "feature_backend"})
_TOLERANCE = 2e-6


def main() -> None:
    """Generate, measure, compare, print a table, and write JSON where it is asked for."""
    arguments = _arguments()
    report: dict[str, Any] = {
        "benchmark": "device_end_to_end",
        **machine.describe(),
        "device": _device(arguments.device),
    }
    print(f"{report['processor']}, {report['cores']} cores, {report['device']}", flush=True)
    cases: dict[str, tuple[str, ...]] = {"cuda": ("--backend", "cuda", "--device", arguments.device)}
    if arguments.device != "cpu":
        cases["cuda, 4 processes"] = (*cases["cuda"], "--set", "processes=4")
        cases["cuda, nvdec"] = (*cases["cuda"], "--decode", "nvdec")
    cases["cpu"] = ("--backend", "cpu")
    with tempfile.TemporaryDirectory(prefix="corekit-benchmark-") as name:
        folder = Path(name)
        environment = {**os.environ, "PYTHONPATH": _module_path(install_plugin(folder / "site"))}
        write_ladders(folder / "ladders", contents=arguments.contents, frames=arguments.frames, scenes=arguments.scenes)
        tables: dict[str, Path] = {}
        rows: list[dict[str, Any]] = [decoding(folder / "ladders", arguments.contents, arguments.workers)]
        _print(rows[-1])
        for title, options in cases.items():
            seconds = []
            for contents in (arguments.contents // 2, arguments.contents):
                tables[title] = folder / f"{title} {contents}" / "table.parquet"
                tables[title].parent.mkdir()
                command = [
                    "--corpus", NAME, "--root", str(folder / "ladders"), "--out", str(tables[title]), "--pairing", "fr",
                    "--features", arguments.features, "--limit", str(contents * len(LADDER)), "--log", "none",
                    "--workers", str(arguments.workers), *options,
                ]  # fmt: skip
                usage = machine.run([sys.executable, "-c", _ENTER, "run", *command], environment, folder / "log.txt")
                seconds.append(usage.wall_s)
            clips = (arguments.contents - arguments.contents // 2) * len(LADDER)
            per_clip = max(seconds[1] - seconds[0], 1e-9) / clips
            row = {
                "case": title, "clips_per_s": 1 / per_clip, "frame_pairs_per_s": arguments.frames / per_clip,
                "start_up_s": seconds[0] - (arguments.contents // 2) * len(LADDER) * per_clip,
                "differs": difference(tables["cuda"], tables[title]),
            }  # fmt: skip
            rows.append(row)
            _print(row)
            if arguments.json:
                machine.write_json(arguments.json, {**report, "rows": rows})
    if any(row.get("differs", 0.0) > _TOLERANCE for row in rows):
        sys.exit("the tables differ by more than the features' tolerances")


def decoding(ladders: Path, contents: int, workers: int) -> dict[str, Any]:
    """Frame pairs a second where contents are decoded and scaled, their clips in step as in a run, and nothing else is done."""

    def read(content: int) -> int:
        names = [f"content{content}_reference.mp4", *(f"content{content}_rung{n}.mp4" for n in range(len(LADDER)))]
        with ExitStack() as stack:
            readers = [stack.enter_context(VideoReader(ladders / name, target=LADDER_REFERENCE)) for name in names]
            return sum(len(LADDER) for _ in zip(*readers, strict=True))

    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        pairs = sum(pool.map(read, range(contents)))
    seconds = time.perf_counter() - begun
    return {
        "case": "decoding alone", "clips_per_s": contents * len(LADDER) / seconds, "frame_pairs_per_s": pairs / seconds,
    }  # fmt: skip


def _print(row: dict[str, Any]) -> None:
    print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v:<14}" for k, v in row.items()), flush=True)


def difference(one: Path, other: Path) -> float:
    """Largest difference of two tables' numbers; infinite where anything else differs, but for what tells of the run."""
    rows, others = ({row["clip_name"]: row for row in pq.ParquetFile(path).read().to_pylist()} for path in (one, other))
    if rows.keys() != others.keys():
        return float("inf")
    largest = 0.0
    for name, row in rows.items():
        for column, value in row.items():
            against = others[name][column]
            if column in _OF_THE_RUN or value == against:
                continue
            if not (isinstance(value, float) and isinstance(against, float)):
                return float("inf")
            largest = max(largest, abs(value - against))
    return largest


def _device(name: str) -> str:
    import torch

    return torch.cuda.get_device_name(0) if name != "cpu" and torch.cuda.is_available() else "cpu"


def _module_path(site: Path) -> str:
    paths = [str(site), str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, paths))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--contents", type=int, default=32)
    parser.add_argument("--scenes", type=int, default=4, help="contents that differ; the others are copies of these")
    parser.add_argument("--features", default="canonical,vmaf")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
