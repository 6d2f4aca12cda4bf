"""Content-disjoint splits by hash: a content is in one split for ever, whoever else joins the corpus."""

from __future__ import annotations

import hashlib

from corekit.model import Split

POLICY = "content-name-blake2s-80-10-10"
GIVEN_POLICY = "given-by-corpus"


def unit_hash(text: str) -> float:
    """Map text to [0, 1): the first 8 bytes of BLAKE2s, big-endian, over 2**64."""
    return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=8).digest(), "big") / 2**64


def split_of(content: str, seed: str) -> Split:
    """The split of a content under a seed: below 0.80 train, below 0.90 val, else test."""
    value = unit_hash(f"{seed}\0{content}")
    if value < 0.80:
        return "train"
    return "val" if value < 0.90 else "test"
