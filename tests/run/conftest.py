"""The toy distribution, importable by this process and by every worker, and a laboratory for each test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.kit import Lab

HERE = Path(__file__).parent
MODULES = ("corekit_toy_corpus", "corekit_toy_backend", "corekit_toy_spare_backend")
ENTRY_POINTS = """\
[corekit.corpora]
toy = corekit_toy_corpus
[corekit.backends]
toy = corekit_toy_backend
spare = corekit_toy_spare_backend
"""


@pytest.fixture(scope="session", autouse=True)
def toy_distribution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stranger's distribution, installed as a folder on the module path."""
    site = tmp_path_factory.mktemp("site")
    for module in MODULES:
        shutil.copy(HERE / f"{module}.py", site)
    metadata = site / "corekit_toy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: corekit-toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        patch.delenv("COREKIT_DISABLE", raising=False)
        yield site
    for module_name in MODULES:
        sys.modules.pop(module_name, None)


@pytest.fixture
def lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lab:
    return Lab(tmp_path, capsys)
