"""Two strangers' corpora, importable by this process, and a yard for each test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.yard import Yard

NAMES = ("corekit_yard", "corekit_loft")
ENTRY_POINTS = "[corekit.corpora]\nyard = corekit_yard\nloft = corekit_loft\n"


@pytest.fixture(scope="session", autouse=True)
def yard_distribution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A distribution installed as a folder on the module path."""
    site = tmp_path_factory.mktemp("site")
    for name in NAMES:
        shutil.copy(Path(__file__).parent / f"{name}.py", site)
    metadata = site / "corekit_yard-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: corekit-yard\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.delenv("COREKIT_DISABLE", raising=False)
        yield site
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def real_yard(tmp_path: Path) -> Yard:
    """A yard whose clips are opened in earnest."""
    return Yard(tmp_path)


@pytest.fixture
def yard(real_yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """A yard of which every header says the same, unless a test lets it differ."""
    real_yard.pretend(monkeypatch)
    return real_yard
