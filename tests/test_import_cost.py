"""What starts fast loads nothing heavy, and the public face is complete and sorted. Measured in modules, not in time."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corekit
from corekit.plugins import discovery

HEAVY = (
    "av", "imageio_ffmpeg", "llvmlite", "matplotlib", "numba", "numpy", "onnx", "pyarrow", "rich", "scipy", "sklearn", "torch",
)  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds after a statement."""
    code = f"import sys\ntry:\n    {statement}\nfinally:\n    print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # what is installed alone
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return set(ast.literal_eval(done.stderr.splitlines()[-1]))


def test_the_measure_sees_a_heavy_package() -> None:
    assert loaded_by("import numpy") == {"numpy"}


def test_importing_corekit_loads_nothing_heavy() -> None:
    assert loaded_by("import corekit") == set()


def test_the_names_that_plugins_use_load_nothing_heavy() -> None:
    names = (
        "BackendInfo, Clip, Column, CorpusInfo, Extractor, GroupSession, Label, ManifestSection, PairFeatures, hookimpl"
    )
    assert loaded_by(f"from corekit import {names}") == set()


@pytest.mark.parametrize(
    "module",
    sorted({point.value.partition(":")[0] for kind in discovery.GROUPS for point in discovery.installed(kind)}),
)
def test_importing_a_plugin_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["plugins"],
        ["plugins", "--json"],
        ["corpora"],
        ["run", "--help"],
        ["train", "--help"],
        ["predict", "--help"],
    ],
)
def test_a_light_command_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(f"from corekit.cli.main import main; main({arguments!r})") == set()


def constants_then_classes(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_the_public_names_are_sorted_and_resolve() -> None:
    assert corekit.__all__ == sorted(corekit.__all__, key=constants_then_classes)
    assert len(set(corekit.__all__)) == len(corekit.__all__)
    for name in corekit.__all__:
        assert getattr(corekit, name) is not None
    assert dir(corekit) == sorted(corekit.__all__)


def test_the_lazy_names_are_those_that_type_checkers_see() -> None:
    """Every name is imported under ``TYPE_CHECKING`` from the module that it is loaded from."""
    tree = ast.parse(Path(corekit.__file__).read_text())
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert checked == {name: f"corekit.{module}" for name, module in corekit._MODULE_OF.items()}
    assert set(corekit.__all__) == {*checked, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'corekit' has no attribute 'nothing'$"):
        corekit.nothing  # noqa: B018


def test_the_distribution_is_typed() -> None:
    assert Path(corekit.__file__).with_name("py.typed").exists()
