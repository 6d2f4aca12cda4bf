"""Real clips decode and scale to the very bytes that the golden features were computed from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corekit.video import VideoReader, frame_format, probe
from tests.shared_data import SHARED, needs_shared
from tests.video.media import read

pytestmark = needs_shared
TRUTH: dict[str, Any] = json.loads((SHARED / "TRUTH.json").read_text()) if SHARED.is_dir() else {}
CLIPS = TRUTH.get("clips", [])
CHUG = [golden for golden in TRUTH.get("golden", []) if golden["corpus"] == "chug"]
K150K = [golden for golden in TRUTH.get("golden", []) if golden["corpus"] == "k150k"]
PROBES = [
    pytest.param(corpus["root"], name, expected, id=f"{key}-{name}")
    for key, corpus in TRUTH.get("corpora", {}).items()
    for name, expected in corpus.get("probe", {}).items()
]


def find(root: str, name: str) -> Path:
    """The clip ``name``, with or without its suffix, somewhere under a corpus root."""
    (path,) = (SHARED / root).rglob(name if name.endswith(".mp4") else f"{name}.mp4")
    return path


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip["pair"])
def test_pairs_decode_to_their_raw_bytes(clip: dict[str, Any]) -> None:
    golden = json.loads((SHARED / clip["golden"]).read_text())
    for side in ("ref", "dis"):
        assert read(SHARED / clip[side]) == golden[f"{side}_raw_sha256"]


@pytest.mark.parametrize("golden", CHUG, ids=lambda golden: golden["bitladder"])
def test_distorted_clips_are_scaled_to_the_golden_bytes(golden: dict[str, Any]) -> None:
    reference, distorted = (find("corpora/chug", golden[side]) for side in ("ref", "dis"))
    assert read(reference) == golden["ref_decoded_sha256"]
    with VideoReader(distorted) as native:
        assert [native.fmt.width, native.fmt.height] == golden["dis_native"]
    assert read(distorted, target=frame_format(probe(reference))) == golden["dis_scaled_sha256"]


@pytest.mark.parametrize("golden", K150K, ids=lambda golden: golden["clip"])
def test_unpaired_clips_decode_to_the_golden_bytes(golden: dict[str, Any]) -> None:
    assert read(find("corpora/k150k", golden["clip"])) == golden["decoded_sha256"]


@pytest.mark.parametrize(("root", "name", "expected"), PROBES)
def test_headers_are_probed_as_ffprobe_does(root: str, name: str, expected: dict[str, Any]) -> None:
    found = probe(find(root, name))
    assert {
        "codec_name": found.codec,
        "width": found.width,
        "height": found.height,
        "pix_fmt": found.pix_fmt,
        "avg_frame_rate": found.framerate,
        "nb_frames": str(found.n_frames),
        "color_transfer": found.transfer,
        "color_primaries": found.primaries,
        "color_space": found.matrix,
    } == expected


@pytest.mark.parametrize("name", sorted(TRUTH.get("corpora", {}).get("bvi_dvc", {}).get("clips", {})))
def test_ten_bit_references_are_probed(name: str) -> None:
    expected = TRUTH["corpora"]["bvi_dvc"]["clips"][name]
    found = probe(find("corpora/bvi_dvc", name))
    assert (found.width, found.height, found.pix_fmt) == (expected["width"], expected["height"], expected["pix_fmt"])
    assert (found.framerate, found.n_frames) == (expected["probed_frame_rate"], expected["frames"])
    assert not found.is_hdr
