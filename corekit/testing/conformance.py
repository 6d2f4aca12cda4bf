"""The classes to subclass: every rule of the kit is a test of its own, named after the rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from corekit.model import Pairing
from corekit.schema import FEATURES
from corekit.testing.backend import BackendSubject
from corekit.testing.corpus import CorpusSubject
from corekit.testing.registry import BACKEND_RULES, CORPUS_RULES
from corekit.testing.rule import Examination


class CorpusConformance:
    """Tests a corpus plugin by every rule; ``class TestLab(CorpusConformance): corpus = "lab"`` is all that is needed.

    The corpus examined is the plugin's own sample, unless the fixture ``corpus_root`` is overridden.
    """

    corpus: ClassVar[str]
    """Name of the entry point."""
    reads: ClassVar[bool] = True
    """False for a plugin that only describes its corpus."""
    makes_sample: ClassVar[bool] = True
    """False for a plugin without ``corekit_make_sample``; override ``corpus_root`` then."""
    pairing: ClassVar[Pairing | None] = None
    """Pairing of the runs; None takes the corpus's default."""
    features: ClassVar[str] = "canonical"
    """Features of the runs, as ``--features`` takes them; every row must have them."""
    limit: ClassVar[int] = 8
    """Whole contents are run until there are so many rows."""

    @pytest.fixture(scope="class")
    @classmethod
    def corpus_root(cls) -> Path | None:
        """The root of the corpus to examine; None makes the plugin's sample. Override it to examine another."""
        return None

    @pytest.fixture(scope="class")
    @classmethod
    def examination(
        cls, tmp_path_factory: pytest.TempPathFactory, corpus_root: Path | None
    ) -> Examination[CorpusSubject]:
        subject = CorpusSubject(
            cls.corpus,
            tmp_path_factory.mktemp(f"conformance-{cls.corpus}"),
            root=corpus_root,
            reads=cls.reads,
            makes_sample=cls.makes_sample,
            pairing=cls.pairing,
            features=cls.features,
            limit=cls.limit,
        )
        return Examination(subject, CORPUS_RULES)

    @pytest.mark.parametrize("rule", [rule.name for rule in CORPUS_RULES])
    def test_rule(self, rule: str, examination: Examination[CorpusSubject]) -> None:
        _judge(examination, rule)


class BackendConformance:
    """Tests a backend by every rule; ``class TestFast(BackendConformance): backend = "fast"`` is all that is needed."""

    backend: ClassVar[str]
    """Name of the entry point."""
    features: ClassVar[tuple[str, ...]] = FEATURES
    """Features to examine; the backend may lack some, and says why."""
    device: ClassVar[str] = "auto"

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, str]:
        """The backend's ``--set`` options; override it for a backend that cannot do without."""
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def examination(
        cls, tmp_path_factory: pytest.TempPathFactory, settings: Mapping[str, str]
    ) -> Examination[BackendSubject]:
        work = tmp_path_factory.mktemp(f"conformance-{cls.backend}")
        subject = BackendSubject(cls.backend, work, features=cls.features, device=cls.device, settings=settings)
        return Examination(subject, BACKEND_RULES)

    @pytest.mark.parametrize("rule", [rule.name for rule in BACKEND_RULES])
    def test_rule(self, rule: str, examination: Examination[BackendSubject]) -> None:
        _judge(examination, rule)


def _judge(examination: Examination[CorpusSubject] | Examination[BackendSubject], rule: str) -> None:
    verdict = examination.verdict(rule)
    if verdict.state == "not asked":
        pytest.skip(verdict.text)
    assert verdict.state == "held", verdict.text
