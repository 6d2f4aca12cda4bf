"""The order of the layers: imports point downward only, and what touches the world does so in one place.

Imports for type checking count as well: a layer whose signatures speak of a higher one depends on it, whenever that is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "corekit"

LAYERS = (
    ("testing",),
    ("cli",),
    ("driver",),
    ("plugins",),
    ("exports", "learning"),
    ("backends",),
    ("features",),
    ("video",),
    ("ledger", "table", "manifest", "files", "frames"),
    ("schema", "model", "errors", "markers", "planes", "split"),
)
"""From the top down; a module imports from its own layer and the lower ones."""


def layer_of(part: str) -> int:
    return next(index for index, parts in enumerate(LAYERS) if part in parts)


def modules() -> list[Path]:
    return [path for path in sorted(CORE.rglob("*.py")) if path != CORE / "__init__.py"]


def part_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def users_of(package: str, folder: Path) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in sorted(folder.rglob("*.py"))
        for _, name in imported(path)
        if name.partition(".")[0] == package
    }


def test_every_module_belongs_to_a_layer() -> None:
    assert {part_of(path) for path in modules()} == {part for parts in LAYERS for part in parts}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(CORE).as_posix())
def test_imports_point_downward(path: Path) -> None:
    own = layer_of(part_of(path))
    for line, name in imported(path):
        words = name.split(".")
        if words[0] == "corekit" and name not in ("corekit.__version__", "corekit.__file__", "corekit"):
            assert layer_of(words[1]) >= own, f"{path.name}:{line} imports {name} from a higher layer"


def test_our_plugins_use_what_a_strangers_may_use() -> None:
    """Names of ``corekit`` itself, and the modules that only describe data or make a sample's videos."""
    for path in sorted(ROOT.glob("plugins/*/corekit_*")):
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            for line, name in imported(file):
                words = name.split(".")
                if words[0] == "corekit":
                    assert len(words) == 2 or words[1] in ("model", "schema", "split", "video"), (
                        f"{file.name}:{line} imports {name}"
                    )


def test_only_the_video_layer_knows_pyav() -> None:
    assert {Path(user).parent.as_posix() for user in users_of("av", CORE)} == {"corekit/video"}
    for folder in ROOT.glob("plugins/*/corekit_*"):
        assert users_of("av", folder) == set()


def test_only_the_ledger_and_the_command_know_sqlite() -> None:
    assert users_of("sqlite3", CORE) == {"corekit/ledger.py", "corekit/cli/main.py"}


def test_only_the_storage_layer_and_what_takes_any_table_know_arrow() -> None:
    learners = ("corekit/driver/train/data.py", "corekit/driver/train/reading.py")
    rewriters = ("corekit/driver/enrich/", "corekit/driver/merge/", "corekit/exports/")
    others = {user for user in users_of("pyarrow", CORE) if not user.startswith((*learners, *rewriters))}
    assert others == {"corekit/table.py", "corekit/frames.py"}


def test_only_the_command_line_knows_click() -> None:
    assert {Path(user).parent.as_posix() for user in users_of("click", CORE)} == {"corekit/cli"}
