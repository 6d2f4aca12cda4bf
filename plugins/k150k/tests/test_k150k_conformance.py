"""The k150k plugin against every rule of the conformance kit."""

from __future__ import annotations

from corekit.testing import CorpusConformance


class TestK150k(CorpusConformance):
    corpus = "k150k"
