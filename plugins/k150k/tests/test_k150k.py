"""What the k150k plugin says of its corpus, and that it claims no more than it can do."""

from __future__ import annotations

import corekit_k150k


def test_info() -> None:
    info = corekit_k150k.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("k150k", "k150k-v1", "COREKIT_K150K_ROOT")
    assert (info.label_kind, info.label_min, info.label_max, info.pairings) == ("mos", 1, 5, ("nr",))
    assert info.missing_is_normal
    assert [column.name for column in info.columns] == ["k150k_part", "k150k_video_score"]
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_it_does_not_claim_to_read() -> None:
    assert not hasattr(corekit_k150k, "corekit_read_corpus")
    assert not hasattr(corekit_k150k, "corekit_make_sample")
