"""Whole ``corekit run``s on a GPU, with either decoder, beside the cpu backend: clips and frames a second, and that the tables are equal.

    python -m benchmarks.device_end_to_end [--device cuda] [--workers 16] [--frames 60] [--contents 16] [--features canonical,vmaf] [--json FILE]

A corpus like CHUG (1080p 10-bit HEVC references, six rungs each) is generated into a temporary folder. Each figure comes from two
runs, over half the contents and over all: their difference is the cost of a clip, the rest is the start-up.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.corpora import LADDER, NAME, install_plugin, write_ladders

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
    cases = {"cpu": ("--backend", "cpu"), "cuda": ("--backend", "cuda", "--device", arguments.device)}
    if arguments.device != "cpu":
        cases["cuda, nvdec"] = (*cases["cuda"], "--decode", "auto")
    with tempfile.TemporaryDirectory(prefix="corekit-benchmark-") as name:
        folder = Path(name)
        environment = {**os.environ, "PYTHONPATH": _module_path(install_plugin(folder / "site"))}
        write_ladders(folder / "ladders", contents=arguments.contents, frames=arguments.frames)
        tables, rows = {}, []
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
                "differs_from_cpu": difference(tables["cpu"], tables[title]),
            }  # fmt: skip
            rows.append(row)
            print(
                "  ".join(
                    f"{key} {value:.4g}" if isinstance(value, float) else f"{value:<12}" for key, value in row.items()
                )
            )
        report["rows"] = rows
    if arguments.json:
        machine.write_json(arguments.json, report)
    if any(row["differs_from_cpu"] > _TOLERANCE for row in rows):
        sys.exit("the tables differ by more than the features' tolerances")


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
    parser.add_argument("--contents", type=int, default=16)
    parser.add_argument("--features", default="canonical,vmaf")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
