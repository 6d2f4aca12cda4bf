"""Clips per second, CPU seconds per clip and peak memory of whole ``corekit run``s, beside decoding alone.

A corpus like KoNViD-150k (``nr``) and one like CHUG (``fr``, ladders) are generated into a temporary folder. Every figure
comes from two runs, over a part of the corpus and over all of it: their difference is the cost of a clip, the rest is the
start-up. Run from the repository root: ``python -m benchmarks.end_to_end``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks import machine
from benchmarks.corpora import LADDER, NAME, install_plugin, write_ladders, write_pairs, write_user_clips
from corekit.video import VideoReader

_ENTER = "from corekit.cli.main import main; main()"
FULL, CANONICAL = "full", "canonical,vmaf"


class Size(Struct, frozen=True):
    """How much is generated and how often it is run."""

    scenes: int
    copies: int
    contents: int
    ladder_frames: int
    repeats: int


THOROUGH = Size(scenes=6, copies=6, contents=2, ladder_frames=8, repeats=2)
QUICK = Size(scenes=2, copies=4, contents=2, ladder_frames=4, repeats=1)


class Case(Struct, frozen=True):
    """One way to run over one corpus: the arguments, and the rows of the part and of the whole."""

    name: str
    root: Path
    arguments: tuple[str, ...]
    part: int
    whole: int


class Runner:
    """Runs ``corekit run`` in processes of its own, each into a new table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0
        paths = [str(install_plugin(folder / "site")), str(Path(__file__).resolve().parents[1])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COREKIT_")}
        self._env = {**kept, "PYTHONPATH": os.pathsep.join(paths)}

    def run(self, case: Case, rows: int) -> machine.Usage:
        self._runs += 1
        out = self._folder / f"run{self._runs}"
        out.mkdir()
        arguments = ["--corpus", NAME, "--root", str(case.root), "--out", str(out / "table.parquet")]
        arguments += ["--backend", "cpu", "--limit", str(rows), "--log", "none", *case.arguments]
        return machine.run([sys.executable, "-c", _ENTER, "run", *arguments], self._env, out / "log.txt")


def main() -> None:
    """Generate, measure, print tables, and write JSON where it is asked for."""
    arguments = _arguments()
    size = QUICK if arguments.quick else THOROUGH
    report: dict[str, Any] = {"benchmark": "end_to_end", **machine.describe()}
    print(f"{report['processor']}, {report['cores']} cores, load {report['load_average']}", flush=True)
    with tempfile.TemporaryDirectory(prefix="corekit-benchmark-") as name:
        runner = Runner(Path(name))
        report["user_clips"] = user_clips(runner, Path(name, "user_clips"), size)
        report["ladders"] = ladders(runner, Path(name, "ladders"), Path(name, "pairs"), size)
    report["load_average_after"] = machine.load_average()
    if arguments.json:
        machine.write_json(arguments.json, report)


def user_clips(runner: Runner, root: Path, size: Size) -> dict[str, Any]:
    """The KoNViD-150k-like corpus: informative features against decoding, one worker against two."""
    clips = write_user_clips(root, scenes=size.scenes, copies=size.copies)
    part = max(2, clips // 4)
    figures = measure(runner, size.repeats, [
        Case("corekit, 1 worker", root, (), part, clips),
        Case("corekit, 2 workers", root, ("--workers", "2"), part, clips),
    ], lambda: decode_only(root))  # fmt: skip
    one, two, floor = (figures[name] for name in ("corekit, 1 worker", "corekit, 2 workers", "decoding alone"))
    ratios = {
        "share_of_decode_only": floor["cpu_s_per_clip"] / one["cpu_s_per_clip"],
        "two_workers_speedup": two["clips_per_s"] / one["clips_per_s"],
        "two_workers_cpu": two["cpu_s_per_clip"] / one["cpu_s_per_clip"],
    }
    return _shown(f"{clips} clips, 960x540, 150 frames, 8-bit H.264, nr, informative features", figures, ratios)


def ladders(runner: Runner, root: Path, pairs_root: Path, size: Size) -> dict[str, Any]:
    """The CHUG-like corpus: groups of six rungs against six pairs, against decoding."""
    rungs = write_ladders(root, contents=size.contents, frames=size.ladder_frames)
    write_pairs(pairs_root, root, contents=size.contents)
    cases = []
    for features in (FULL, CANONICAL):
        chosen = ("--pairing", "fr", "--features", features)
        cases.append(Case(f"groups of 6, {features}", root, chosen, len(LADDER), rungs))
        cases.append(Case(f"single pairs, {features}", pairs_root, chosen, len(LADDER), rungs))
    figures = measure(runner, size.repeats, cases, lambda: decode_only(root))
    ratios = {
        f"gain_of_groups, {features}": figures[f"single pairs, {features}"]["cpu_s_per_clip"]
        / figures[f"groups of 6, {features}"]["cpu_s_per_clip"]
        for features in (FULL, CANONICAL)
    }
    title = f"{size.contents} ladders of 6 rungs and a reference, 1080p, {size.ladder_frames} frames, PQ HEVC, fr"
    return _shown(title, figures, ratios)


def measure(
    runner: Runner, repeats: int, cases: list[Case], decode: Callable[[], tuple[int, float, float]]
) -> dict[str, dict[str, Any]]:
    """Figures by case, and for decoding alone; the cases take turns, the least of each counts."""
    for case in cases[:: max(1, len(cases) - 1)]:
        runner.run(case, case.part)  # compiles, or fills the file cache
    parts: dict[str, list[machine.Usage]] = {case.name: [] for case in cases}
    wholes: dict[str, list[machine.Usage]] = {case.name: [] for case in cases}
    decodes = []
    for _ in range(repeats):
        decodes.append(decode())
        for case in cases:
            parts[case.name].append(runner.run(case, case.part))
            wholes[case.name].append(runner.run(case, case.whole))
    clips, wall_s, cpu_s = min(d[0] for d in decodes), min(d[1] for d in decodes), min(d[2] for d in decodes)
    figures: dict[str, dict[str, Any]] = {
        "decoding alone": {"cpu_s_per_clip": cpu_s / clips, "clips_per_s": clips / wall_s}
    }
    for case in cases:
        figures[case.name] = _figures(case, parts[case.name], wholes[case.name])
    return figures


def _figures(case: Case, parts: list[machine.Usage], wholes: list[machine.Usage]) -> dict[str, Any]:
    rows = case.whole - case.part
    cpu_s = min(use.cpu_s for use in wholes) - min(use.cpu_s for use in parts)
    wall_s = min(use.wall_s for use in wholes) - min(use.wall_s for use in parts)
    if cpu_s <= 0 or wall_s <= 0:
        raise RuntimeError(
            f"{case.name}: the whole took no longer than a part; the machine is too busy, or --quick too short"
        )
    return {
        "cpu_s_per_clip": cpu_s / rows,
        "clips_per_s": rows / wall_s,
        "start_up_cpu_s": min(use.cpu_s for use in parts) - case.part * cpu_s / rows,
        "whole_run_wall_s": min(use.wall_s for use in wholes),
        "peak_mib": max((use.peak_mib for use in wholes if use.peak_mib), default=None),
    }


def decode_only(root: Path) -> tuple[int, float, float]:
    """Decode every clip of a corpus once, rungs brought to their reference; returns rows, wall and CPU seconds."""
    wall, cpu = time.monotonic(), time.process_time()
    rows = 0
    for clip, reference in _clips(root):
        target = None
        if reference is not None and reference != clip:
            with VideoReader(reference) as first:
                target = first.fmt
        with VideoReader(clip, target=target) as reader:
            for _ in reader:
                pass
        rows += clip != reference
    return rows, time.monotonic() - wall, time.process_time() - cpu


def _clips(root: Path) -> Iterator[tuple[Path, Path | None]]:
    """Every clip of a generated corpus with the reference of its content."""
    files = sorted(root.glob("*.mp4"))
    references = {path.name.removesuffix("_reference.mp4"): path for path in files if "_reference" in path.name}
    for path in files:
        yield path, references.get(path.name.partition("_")[0])


def _shown(title: str, figures: dict[str, dict[str, Any]], ratios: dict[str, float]) -> dict[str, Any]:
    names = ("cpu_s_per_clip", "clips_per_s", "start_up_cpu_s", "whole_run_wall_s", "peak_mib")
    head = ("run", "CPU s/clip", "clips/s", "start-up CPU s", "whole run s", "peak MiB")
    rows = [(case, *(_number(values.get(name)) for name in names)) for case, values in figures.items()]
    print(f"\n## {title}\n\n{machine.table(head, rows)}\n", flush=True)
    for name, ratio in ratios.items():
        print(f"{name.replace('_', ' ')}: {ratio:.3f}", flush=True)
    return {"title": title, "runs": {case: {name: value and round(value, 4) for name, value in values.items()}
                                     for case, values in figures.items()},
            "ratios": {name: round(ratio, 4) for name, ratio in ratios.items()}}  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: few clips, four frames a rung, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
