"""What a figure depends on beside the code: processor, versions, load; and CPU time and memory of other processes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

_LIBRARIES = ("corekit", "numba", "llvmlite", "numpy", "av", "imageio-ffmpeg", "vmaf-torch", "torch")
_SAMPLING_S = 0.05


def describe() -> dict[str, Any]:
    """Processor, versions, commit, time; neither host nor user."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": load_average(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in _LIBRARIES if (version := installed(name))},
    }


def installed(name: str) -> str:
    """The version of a distribution; empty where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def load_average() -> float:
    """Processes that ran or waited to run, over the last minute."""
    return round(os.getloadavg()[0], 2)


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table with padded columns, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_aligned(cell, widths, at) for at, cell in enumerate(cells)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ("-" if at == 0 else ":") for at, width in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def _aligned(cell: str, widths: Sequence[int], at: int) -> str:
    return cell.ljust(widths[at]) if at == 0 else cell.rjust(widths[at])


class Usage(Struct, frozen=True):
    """What a process and all that it started and waited for have used."""

    wall_s: float
    cpu_s: float
    peak_mib: float | None
    """Highest sum of the resident memory of the process and its descendants (Linux; None elsewhere)."""


def run(command: Sequence[str], env: dict[str, str], log: Path) -> Usage:
    """Run a command to its end; ``RuntimeError`` with the end of its output where it fails."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
    with _PeakMemory(process.pid) as memory:
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with code {process.returncode}: {log.read_text()[-2000:]}")
    return Usage(time.monotonic() - started, usage.ru_utime + usage.ru_stime, memory.peak_mib)


class _PeakMemory:
    """Samples the resident memory of a process tree from /proc while it is entered."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._peak_kib = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak_mib(self) -> float | None:
        return round(self._peak_kib / 1024, 1) if self._peak_kib else None

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLING_S):
            self._peak_kib = max(self._peak_kib, _tree_kib(self._root))


def _tree_kib(root: int) -> int:
    """Resident memory of a process and its descendants; shared pages count once for each."""
    parents, resident = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:  # it has ended
            continue
        pid = int(fields["Pid"])
        parents[pid] = int(fields["PPid"])
        resident[pid] = int(fields.get("VmRSS", "0 kB").split()[0])

    def belongs(pid: int) -> bool:
        while pid in parents and pid != root:
            pid = parents[pid]
        return pid == root

    return sum(kib for pid, kib in resident.items() if belongs(pid))


def _processor() -> str:
    names = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name} ({_llvm_name()})"


def _llvm_name() -> str:
    """The microarchitecture that numba compiles for."""
    from llvmlite import binding

    return str(binding.get_host_cpu_name())


def _commit() -> str:
    """The checkout's commit, with a plus sign where tracked files differ from it; empty outside a checkout."""
    folder = Path(__file__).resolve().parent
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
