"""The content-hash split: the published rule, pinned values and the shares."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corekit.split import POLICY, split_of, unit_hash
from tests.shared_data import SHARED, needs_shared

SEED = "chug-hdr-v1"


@pytest.mark.parametrize(
    ("content", "value", "split"),
    [
        ("Files_Nov8_IMG_3220_38_48.mp4", 0.4982875247947666, "train"),
        ("a", 0.9530047583785497, "test"),
        ("é", 0.5260237597492963, "train"),
        ("", 0.057807410633486045, "train"),
    ],
)
def test_pinned_values(content: str, value: float, split: str) -> None:
    assert unit_hash(f"{SEED}\0{content}") == value
    assert split_of(content, SEED) == split


@pytest.mark.parametrize(
    ("value", "split"), [(0.0, "train"), (0.7999999, "train"), (0.80, "val"), (0.8999999, "val"), (0.90, "test")]
)
def test_borders_belong_to_the_upper_split(value: float, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corekit.split.unit_hash", lambda text: value)
    assert split_of("any", SEED) == split


@given(st.text(), st.text())
def test_the_rule_is_blake2s_over_seed_nul_content(content: str, seed: str) -> None:
    try:
        text = (seed + "\0" + content).encode()
    except UnicodeEncodeError:
        return
    value = int.from_bytes(hashlib.blake2s(text, digest_size=8).digest(), "big") / 2**64
    assert split_of(content, seed) == ("train" if value < 0.80 else "val" if value < 0.90 else "test")


def test_shares_are_80_10_10() -> None:
    splits = [split_of(f"content-{number}", SEED) for number in range(10_000)]
    assert splits.count("train") == pytest.approx(8000, abs=150)
    assert splits.count("val") == pytest.approx(1000, abs=120)


def test_the_seed_moves_contents() -> None:
    contents = [f"content-{number}" for number in range(200)]
    assert [split_of(c, "one") for c in contents] != [split_of(c, "two") for c in contents]


def test_the_policy_is_named() -> None:
    assert POLICY == "content-name-blake2s-80-10-10"


@needs_shared
def test_every_content_of_the_shared_corpora() -> None:
    truth = json.loads((SHARED / "TRUTH.json").read_text())
    seed = truth["split_rule"]["seed"]
    for corpus in truth["corpora"].values():
        assert {content: split_of(content, seed) for content in corpus["split"]} == corpus["split"]
