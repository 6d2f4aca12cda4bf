"""The netflix plugin against every rule of the conformance kit."""

from __future__ import annotations

from corekit.testing import CorpusConformance


class TestNetflix(CorpusConformance):
    corpus = "netflix"
    limit = 4
