"""What the konvid plugin says of its corpus, and that it claims no more than it can do."""

from __future__ import annotations

import corekit_konvid


def test_info() -> None:
    info = corekit_konvid.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("konvid", "konvid-v1", "COREKIT_KONVID_ROOT")
    assert (info.label_kind, info.label_min, info.label_max) == ("mos", 1, 5)
    assert info.pairings == ("synthetic", "nr")
    assert [column.name for column in info.columns] == ["konvid_mos"]
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_it_does_not_claim_to_read() -> None:
    assert not hasattr(corekit_konvid, "corekit_read_corpus")
    assert not hasattr(corekit_konvid, "corekit_make_sample")
