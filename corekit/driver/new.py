"""Write a new corpus plugin, a distribution of its own, from the templates that corekit ships."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template

from corekit.errors import UsageError
from corekit.plugins import discovery
from corekit.schema import CORE_COLUMNS

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "adapter.py": "{module}/__init__.py",
    "sample.py": "{module}/sample.py",
    "conformance.py": "tests/test_{name}.py",
}
"""Template to the file that it becomes."""
_RESERVED = frozenset(
    ("bvi_dvc", "chug", "k150k", "konvid", "netflix", "cpu", "cuda", "libvmaf", "recorded", "auto", "none", "core", "x")
)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def new_plugin(name: str, folder: Path | str | None = None) -> Path:
    """Write a plugin for the corpus ``name`` into a new folder, by default ``corekit-<name>``; returns the folder.

    Raises
    ------
    UsageError
        The name cannot be a corpus's, or the folder exists.
    """
    _check_name(name)
    target = Path(folder or _distribution(name)).expanduser().absolute()
    if target.exists():
        raise UsageError(f"{target} exists; name a new folder for the plugin")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for path, content in plugin_files(name).items():
            (work / path).parent.mkdir(exist_ok=True)
            (work / path).write_text(content, encoding="utf-8")
        work.chmod(0o755)
        work.rename(target)
    except BaseException:
        shutil.rmtree(work)
        raise
    return target


def plugin_files(name: str) -> dict[str, str]:
    """The files of a plugin, by their path in its folder."""
    words = {
        "name": name,
        "module": f"corekit_{name}",
        "distribution": _distribution(name),
        "root_env": f"COREKIT_{name.upper()}_ROOT",
        "test_class": f"Test{name.title().replace('_', '')}",
    }
    templates = files("corekit") / "templates"
    return {
        path.format_map(words): Template((templates / f"{template}.tmpl").read_text(encoding="utf-8")).substitute(words)
        for template, path in _FILES.items()
    }


def _distribution(name: str) -> str:
    return f"corekit-{name.replace('_', '-')}"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot name a corpus; give lower-case letters, digits and single underscores, no "
            "word of Python, such as lab"
        )
    taken = next((column.name for column in CORE_COLUMNS if column.name.startswith(f"{name}_")), "")
    if taken:
        raise UsageError(
            f"{name!r} cannot name a corpus: its columns would look like core's {taken}; choose another name"
        )
    points = [point for kind in discovery.GROUPS for point in discovery.installed(kind)]
    if name in _RESERVED or name in {point.name for point in points}:
        raise UsageError(f"{name!r} is the name of another plugin or of corekit's own; choose another name")
