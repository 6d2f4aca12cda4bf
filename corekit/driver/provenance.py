"""What the manifest says of the code and the machine: versions, git state, processor; never a user or host name."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from msgspec import Struct

import corekit
from corekit.files import sha256_file
from corekit.manifest import Artefact, CodeRecord, EnvironmentRecord, PathRecord, PluginRecord, Roots, RunProvenance
from corekit.plugins.discovery import DISABLE_ENV, PluginStatus

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


def run_provenance(
    entry: str,
    options: Struct,
    roots: Roots,
    *,
    inputs: Mapping[str, PathRecord | list[PathRecord]],
    outputs: Mapping[str, PathRecord | list[PathRecord]],
) -> RunProvenance:
    """What was run on what; paths are absolute here, and written from the roots when the manifest is sealed.

    ``entry`` is the module that the command enters by, ``corekit/driver/run.py``. Folders that no root holds are added to
    ``roots``.
    """
    for record in (*_flat(inputs), *_flat(outputs)):
        if Path(record.path).is_absolute():
            roots.add(Path(record.path))

    def absolute(value: object) -> str:
        assert isinstance(value, Path)
        path = Path(os.path.normpath(value.absolute()))
        roots.add(path)
        return str(path)

    arguments = msgspec.json.decode(msgspec.json.encode(options, enc_hook=absolute))
    return RunProvenance(
        entrypoint=entrypoint_record(entry),
        argv=argv(),
        args=dict(sorted(arguments.items())),
        inputs=dict(inputs),
        outputs=dict(outputs),
    )


def _flat(records: Mapping[str, PathRecord | list[PathRecord]]) -> Iterator[PathRecord]:
    for record in records.values():
        yield from record if isinstance(record, list) else [record]


def written_records(folder: Path, artefacts: Mapping[str, Artefact]) -> dict[str, PathRecord | list[PathRecord]]:
    """The artefacts of a command as its outputs."""
    return {
        name: PathRecord(
            path=str(folder / artefact.file),
            exists=True,
            kind="file",
            sha256=artefact.sha256,
            size_bytes=artefact.size_bytes,
        )
        for name, artefact in artefacts.items()
    }


def environment_record(device: str, *, record_host: bool = False) -> EnvironmentRecord:
    """The machine; its name and the user's only with ``record_host``."""
    # the variable that names a corpus's root is told by the root itself
    variables = {name: os.environ[name] for name in (DISABLE_ENV,) if name in os.environ}
    return EnvironmentRecord(
        platform=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=_cpu_name(),
        cpu_count=os.cpu_count() or 1,
        device=device,
        source_date_epoch=os.environ.get("SOURCE_DATE_EPOCH"),
        variables=variables,
        host=platform.node() if record_host else None,
        user=getpass.getuser() if record_host else None,
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
    """The arguments of the process, without the program; relative paths that climb are made absolute, for roots to name."""
    return [_told(str(argument)) for argument in sys.argv[1:]]


def _told(argument: str) -> str:
    name, equals, value = argument.rpartition("=")
    if value.startswith("..") and Path(value).exists():
        return f"{name}{equals}{os.path.normpath(Path(value).absolute())}"
    return argument


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
