"""What the manifest says of the code and the machine: versions, git state, processor; never a user or host name."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import corekit
from corekit.files import sha256_file
from corekit.manifest import CodeRecord, EnvironmentRecord, PathRecord, PluginRecord
from corekit.plugins.discovery import PluginStatus

VALUE_PACKAGES = (
    "av",
    "imageio-ffmpeg",
    "llvmlite",
    "msgspec",
    "numba",
    "numpy",
    "onnx",
    "pluggy",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
    "triton",
)
"""Packages that can touch a value or its way into the table."""


def code_record(plugins: Sequence[PluginStatus]) -> CodeRecord:
    """Versions of everything that ran."""
    commit, dirty = _git_state(Path(corekit.__file__).parent)
    return CodeRecord(
        corekit=corekit.__version__,
        python=platform.python_version(),
        packages={name: found for name in VALUE_PACKAGES if (found := _version(name))},
        plugins=[
            PluginRecord(kind=p.kind, name=p.name, distribution=p.distribution, version=p.version, module=p.module)
            for p in plugins
        ],
        git_commit=commit,
        git_dirty=dirty,
    )


def environment_record(device: str) -> EnvironmentRecord:
    """The machine, without its name."""
    return EnvironmentRecord(
        platform=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=_cpu_name(),
        cpu_count=os.cpu_count() or 1,
        device=device,
        source_date_epoch=os.environ.get("SOURCE_DATE_EPOCH"),
    )


def path_record(path: Path, *, shown: str | None = None, sha256: str | None = None) -> PathRecord:
    """Describe a path; a file is hashed unless its digest is given."""
    if path.is_dir():
        return PathRecord(path=shown or str(path), exists=True, kind="directory")
    if not path.is_file():
        return PathRecord(path=shown or str(path), exists=False, kind="missing")
    return PathRecord(
        path=shown or str(path),
        exists=True,
        kind="file",
        sha256=sha256 or sha256_file(path),
        size_bytes=path.stat().st_size,
    )


def entrypoint_record(module: str) -> PathRecord:
    """The code that a command enters by, ``corekit/driver/run.py``."""
    return path_record(Path(corekit.__file__).parents[1] / module, shown=module)


def argv() -> list[str]:
    """The arguments of the process, without the program."""
    return [str(argument) for argument in sys.argv[1:]]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout that the code runs from; (None, None) for an installed package."""
    if "site-packages" in folder.parts or not (folder.parent / ".git").exists():
        return None, None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
