"""The chug plugin against every rule of the conformance kit."""

from __future__ import annotations

from corekit.testing import CorpusConformance


class TestChug(CorpusConformance):
    corpus = "chug"
    limit = 4
