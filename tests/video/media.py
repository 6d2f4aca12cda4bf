"""Small videos made for the tests, and a second opinion on what is in them from FFmpeg's own program."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np

from corekit.model import FrameFormat, RawVideo
from corekit.video import Planes, VideoReader, encode_video

SMALL = FrameFormat(64, 48, 8, "420")
X264 = {"preset": "veryfast", "crf": "23", "g": "12"}
X265 = {"preset": "ultrafast", "crf": "23", "g": "12"}


def moving(fmt: FrameFormat, n: int) -> Iterator[Planes]:
    """``n`` frames of waves that move, with a little noise."""
    noise = np.random.default_rng(7)
    top = (1 << fmt.bit_depth) - 1
    kind = np.uint8 if fmt.bit_depth == 8 else np.uint16
    for index in range(n):
        planes = []
        for number, (rows, columns) in enumerate(fmt.shapes):
            y, x = np.mgrid[:rows, :columns]
            wave = 0.5 + 0.4 * np.sin((x + 3 * index) / 7 + number) * np.cos((y + index) / 5)
            planes.append(np.clip(wave * top + noise.integers(-3, 4, wave.shape), 0, top).astype(kind))
        yield planes[0], planes[1], planes[2]


def write(
    path: Path,
    fmt: FrameFormat = SMALL,
    n: int = 24,
    *,
    codec: str = "ffv1",
    options: Mapping[str, str] | None = None,
    **more: Any,
) -> Path:
    """Encode ``moving`` to ``path`` at 25 frames per second."""
    encode_video(path, moving(fmt, n), fmt, framerate=Fraction(25), codec=codec, options=options or {}, **more)
    return path


def write_raw(path: Path, frames: Iterable[Planes]) -> Path:
    """Write planes one after the other, with no header."""
    path.write_bytes(b"".join(plane.tobytes() for planes in frames for plane in planes))
    return path


def raw_of(fmt: FrameFormat, pix_fmt: str = "") -> RawVideo:
    """What a headerless file of ``fmt`` needs to be told."""
    return RawVideo(width=fmt.width, height=fmt.height, pix_fmt=pix_fmt or fmt.pix_fmt, framerate="25/1")


def digest(frames: Iterable[Planes]) -> str:
    """SHA-256 over all planes of all frames."""
    total = sha256()
    for planes in frames:
        for plane in planes:
            assert plane.flags.c_contiguous
            total.update(plane.tobytes())
    return total.hexdigest()


def read(path: Path, **options: Any) -> str:
    """The digest of what ``VideoReader`` yields."""
    with VideoReader(path, **options) as reader:
        return digest(reader)


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run FFmpeg's program, another build than the one inside PyAV."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def ffmpeg_digest(path: Path, pix_fmt: str) -> str:
    """The digest of what FFmpeg's program decodes, every frame once, in ``pix_fmt``."""
    frames = ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", pix_fmt, "-f", "rawvideo", "-")
    return sha256(frames).hexdigest()


def remux(source: Path, target: Path, **options: str) -> Path:
    """Copy the packets of ``source`` into another container, with options of its muxer."""
    with av.open(str(source)) as old, av.open(str(target), "w", container_options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return target
