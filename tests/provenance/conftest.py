"""The chain that these tests check, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provenance.chain import Chain


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Never changed by a test."""
    chain = Chain(tmp_path_factory.mktemp("made"))
    chain.make()
    return chain


@pytest.fixture
def chain(made: Chain, tmp_path: Path) -> Chain:
    """A copy at another path, for a test to change."""
    return made.copy(tmp_path / "second checkout")
