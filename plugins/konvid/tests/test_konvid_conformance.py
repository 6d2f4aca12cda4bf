"""The konvid plugin against every rule of the conformance kit."""

from __future__ import annotations

from corekit.testing import CorpusConformance


class TestKonvid(CorpusConformance):
    corpus = "konvid"
    limit = 4
