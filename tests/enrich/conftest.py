"""A folder with a small table for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.enrich.kit import Bench


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.delenv("COREKIT_DISABLE", raising=False)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
