"""What the netflix plugin says of its corpus, and that it claims no more than it can do."""

from __future__ import annotations

import corekit_netflix


def test_info() -> None:
    info = corekit_netflix.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("netflix", "netflix-v1", "COREKIT_NETFLIX_ROOT")
    assert (info.label_kind, info.label_min, info.label_max, info.pairings) == ("dmos", 0, None, ("fr",))
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_it_does_not_claim_to_read() -> None:
    assert not hasattr(corekit_netflix, "corekit_read_corpus")
    assert not hasattr(corekit_netflix, "corekit_make_sample")
