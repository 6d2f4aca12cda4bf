"""Whole ``corekit run``s on a GPU, with either decoder, beside decoding alone and the cpu backend; and that the tables are equal.

    python -m benchmarks.device_end_to_end [--device cuda] [--workers 16] [--rounds 6] [--frames 48] [--scenes 4]
                                           [--features canonical,vmaf] [--json FILE]

A corpus like CHUG (1080p 10-bit HEVC references, six rungs each) is generated into a temporary folder, ``rounds`` contents a worker.
Each figure comes from two runs, over half the contents and over all: their difference is the cost of a clip where all workers are at
work and memory is in use already, the rest is the start-up. ``decoding alone`` is the same clips read and scaled by as many threads,
and nothing else: what a run on the CPU's decoder can reach at most. ``idle`` is a run whose features cost nothing: what copying to
the device and the host's part leave of that; with ``--device cpu`` these two are all. ``differs`` is the largest difference to the features of the first table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks import idle, machine
from benchmarks.corpora import LADDER, LADDER_REFERENCE, NAME, install_backend, install_plugin, write_ladders
from corekit.driver.pool import worker_environment
from corekit.driver.replay.compare import compare_tables
from corekit.video import VideoReader

_RUN = "from corekit.cli.main import main; main()"
_DECODE = "import sys; from benchmarks.device_end_to_end import decode; decode(*sys.argv[1:])"
_OF_CPU = 8
"""The cpu backend is given one content of so many: it is slow, and is there to compare with."""


class Case(Struct, frozen=True):
    """One way to run: what it is called, its arguments, and how much of the corpus it gets."""

    title: str
    arguments: tuple[str, ...]
    share: int = 1
    compared: bool = True


def main() -> None:
    """Generate, measure, compare, print a table, and write JSON where it is asked for."""
    arguments = _arguments()
    contents = arguments.rounds * arguments.workers
    report: dict[str, Any] = {
        "benchmark": "device_end_to_end", **machine.describe(), "device": _device(arguments.device),
        **{name: getattr(arguments, name) for name in ("workers", "rounds", "frames", "features")},
    }  # fmt: skip
    print(f"{report['processor']}, {report['cores']} cores, {report['device']}", flush=True)
    with tempfile.TemporaryDirectory(prefix="corekit-benchmark-") as name:
        bench = _Bench(Path(name), arguments)
        write_ladders(bench.ladders, contents=contents, frames=arguments.frames, scenes=arguments.scenes)
        rows = report["rows"] = []
        for case in _cases(arguments.device):
            rows.append(bench.measured(case, contents // case.share))
            print(
                "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v!s:<14}" for k, v in rows[-1].items()),
                flush=True,
            )
            if arguments.json:
                machine.write_json(arguments.json, report)


def _cases(device: str) -> list[Case]:
    on_device = ("--device", device)
    cases = [Case("decoding alone", ()), Case("idle", ("--backend", idle.NAME, *on_device), compared=False)]
    if device == "cpu":
        return cases
    cuda = ("--backend", "cuda", *on_device)
    return [
        *cases,
        Case("cuda", cuda),
        Case("cuda, 4 processes", (*cuda, "--set", "processes=4")),
        Case("cuda, nvdec", (*cuda, "--decode", "auto")),
        Case("cpu", ("--backend", "cpu"), share=_OF_CPU),
    ]


class _Bench:
    """The corpus, and runs over it in processes of their own."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.ladders = folder / "ladders"
        self._folder = folder
        self._arguments = arguments
        site = install_plugin(folder / "site")
        install_backend(site, idle.NAME, idle.__name__)
        paths = [str(site), str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._first: Path | None = None

    def measured(self, case: Case, contents: int) -> dict[str, Any]:
        """The row of a case over ``contents`` contents and over half of them."""
        half = contents // 2
        tables = [self._folder / f"{case.title} {count}" / "table.parquet" for count in (half, contents)]
        seconds = [self._run(case, count, table) for count, table in zip((half, contents), tables, strict=True)]
        per_clip = max(seconds[1] - seconds[0], 1e-9) / ((contents - half) * len(LADDER))
        row: dict[str, Any] = {
            "case": case.title, "clips_per_s": 1 / per_clip, "frame_pairs_per_s": self._arguments.frames / per_clip,
            "start_up_s": seconds[0] - half * len(LADDER) * per_clip,
        }  # fmt: skip
        if case.arguments and case.compared:
            row["differs"] = _difference(self._first or tables[1], tables[1])
            self._first = self._first or tables[1]
        if "--decode" in case.arguments:
            notes = json.loads(tables[1].with_suffix(".manifest.json").read_bytes())["clip_notes"]
            row["clips_decoded_on_device"] = sum("decoded by NVDEC" in said for said in notes.values())
        return row

    def _run(self, case: Case, contents: int, table: Path) -> float:
        table.parent.mkdir()
        arguments = self._arguments
        if case.arguments:
            command = [
                _RUN, "run", "--corpus", NAME, "--root", str(self.ladders), "--out", str(table), "--pairing", "fr",
                "--features", arguments.features, "--limit", str(contents * len(LADDER)), "--log", "none",
                "--workers", str(arguments.workers), *case.arguments,
            ]  # fmt: skip
        else:
            command = [_DECODE, str(self.ladders), str(contents), str(arguments.workers)]
        environment = self._environment if case.arguments else worker_environment(self._environment)
        return machine.run([sys.executable, "-c", *command], environment, self._folder / "log.txt").wall_s


def decode(ladders: str, contents: str, workers: str) -> None:
    """Read and scale contents, their clips in step as in a run."""

    def read(content: int) -> None:
        names = [f"content{content}_reference.mp4", *(f"content{content}_rung{n}.mp4" for n in range(len(LADDER)))]
        with ExitStack() as stack:
            readers = [stack.enter_context(VideoReader(Path(ladders, name), target=LADDER_REFERENCE)) for name in names]
            for _ in zip(*readers, strict=True):
                pass

    with ThreadPoolExecutor(int(workers)) as pool:
        for _ in pool.map(read, range(int(contents))):
            pass


def _difference(one: Path, other: Path) -> float:
    """Largest difference of two tables' features in the rows that both have; ends the program where it is more than they allow themselves."""
    ignore = frozenset({"run_id", "feature_backend"})
    compared = compare_tables(one, other, key=("clip_name",), ignore=ignore, clips=None, backends=("cuda", "cuda"))
    if not compared.rows or compared.only_made_again:
        sys.exit(f"{other.parent.name}: not the rows of {one.parent.name}")
    for each in compared.differences:
        if not each.within:
            sys.exit(f"{other.parent.name}: {each.column} of {each.clips[0]} is {each.made_again}, not {each.recorded}")
    return max((each.largest or 0.0 for each in compared.differences), default=0.0)


def _device(name: str) -> str:
    import torch

    return torch.cuda.get_device_name(0) if name != "cpu" and torch.cuda.is_available() else "cpu"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=6, help="contents that each worker gets")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--scenes", type=int, default=4, help="contents that differ; the others are copies of these")
    parser.add_argument("--features", default="canonical,vmaf")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
