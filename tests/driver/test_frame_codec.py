"""What the frame table says of a distorted clip's codec."""

from __future__ import annotations

import pytest

from corekit import Clip, Encode, Label, Measurement, Probe, RawVideo
from corekit.driver.publish import _codec
from corekit.driver.tasks import Task

RAW = RawVideo(width=64, height=64, pix_fmt="yuv420p", framerate="25/1")


@pytest.mark.parametrize(
    ("codec", "raw", "encoder", "said"),
    [
        ("hevc", None, None, "hevc"),
        ("", None, None, "unknown"),
        ("rawvideo", None, None, "unknown"),
        ("rawvideo", RAW, None, "unknown"),
        ("hevc", None, "libx264", "h264"),
        ("rawvideo", RAW, "libx265", "hevc"),
        ("hevc", None, "an_encoder_of_elsewhere", "unknown"),
    ],
)
def test_codec(codec: str, raw: RawVideo | None, encoder: str | None, said: str) -> None:
    clip = Clip(name="a", path="a", content="a", label=Label(kind="none"), raw=raw)
    recipe = Encode(encoder=encoder, preset="fast", crf=1, pix_fmt="yuv420p") if encoder else None
    probe = Probe(width=64, height=64, pix_fmt="yuv420p", bit_depth=8, codec=codec, framerate="25/1", duration_s=1.0)
    measurement = Measurement(
        clip_sha256="0", ref_sha256=None, probe=probe, ref_probe=None, frames_dis=1, frames_ref=1, n_frames=1, pooled={},
        nulls={}, options={}, backend="cpu", versions={},
    )  # fmt: skip
    assert _codec(Task(clip=clip, reference=None, pairing="nr", encode=recipe), measurement) == said
