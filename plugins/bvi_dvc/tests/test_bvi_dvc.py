"""What the bvi_dvc plugin says of its corpus, and that it claims no more than it can do."""

from __future__ import annotations

import corekit_bvi_dvc


def test_info() -> None:
    info = corekit_bvi_dvc.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("bvi_dvc", "bvi_dvc-v1", "COREKIT_BVI_DVC_ROOT")
    assert (info.label_kind, info.label_min, info.label_max) == ("none", None, None)
    assert info.pairings == ("synthetic",)
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_it_does_not_claim_to_read() -> None:
    assert not hasattr(corekit_bvi_dvc, "corekit_read_corpus")
    assert not hasattr(corekit_bvi_dvc, "corekit_make_sample")
