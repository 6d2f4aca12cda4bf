"""The bvi_dvc plugin against every rule of the conformance kit."""

from __future__ import annotations

from corekit.testing import CorpusConformance


class TestBviDvc(CorpusConformance):
    corpus = "bvi_dvc"
    limit = 4
