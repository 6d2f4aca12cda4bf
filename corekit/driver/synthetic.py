"""Synthetic pairs: a pristine clip encoded by its recipe in this process, to a file in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from corekit.driver.places import Places
from corekit.errors import ClipError
from corekit.model import Clip, Encode, Encoded

if TYPE_CHECKING:
    from corekit.planes import Planes
    from corekit.video import VideoReader


@cache
def encoder_identity(recipe: Encode) -> dict[str, str]:
    """What of an encode changes its bytes beside the clip: the recipe, the parameters in force, the encoder's version.

    Raises ``UsageError`` where the encoder is not in this build of PyAV or does not take the recipe's options.
    """
    from corekit.video import encoder_version, own_params

    options = _options(recipe)
    stated = {name: str(value) for name, value in msgspec.structs.asdict(recipe).items()}
    version = encoder_version(recipe.encoder, options, recipe.pix_fmt)
    return {**stated, "extra_params": own_params(recipe.encoder, options), "encoder_version": version}


def encode_clip(places: Places, clip: Clip, recipe: Encode, beat: Callable[[int], None]) -> tuple[Encoded, BytesIO]:
    """Decode a pristine clip and encode it with one thread; equal clips and recipes give equal bytes.

    The frames are upright and keep their colour tags; they are spaced evenly at the clip's average rate.

    Raises ``ClipError`` where the clip cannot be decoded, has no frame rate, or cannot be encoded so.
    """
    from corekit.video import encode_in_memory, frame_format

    started = time.monotonic()
    probe = places.probe(clip)
    rate = Fraction(probe.framerate)
    if not rate:
        raise ClipError("open", f"{clip.path} does not say its frame rate, which its encode needs; convert the clip")
    fmt = frame_format(msgspec.structs.replace(probe, pix_fmt=recipe.pix_fmt))
    with places.reader(clip, target=fmt) as reader:
        content = encode_in_memory(
            clip.path,
            _beating(reader, beat),
            fmt,
            framerate=rate,
            codec=recipe.encoder,
            options=_options(recipe),
            colour=probe,
        )
        seconds = reader.frames / rate
    identity = encoder_identity(recipe)
    size = content.getbuffer().nbytes
    encoded = Encoded(
        encoder_version=identity["encoder_version"],
        extra_params=identity["extra_params"],
        size_bytes=size,
        bitrate_kbps=float(size * 8 / seconds / 1000),
        seconds=time.monotonic() - started,
    )
    return encoded, content


def _options(recipe: Encode) -> dict[str, str]:
    from corekit.video import recipe_options

    return recipe_options(recipe.encoder, preset=recipe.preset, crf=recipe.crf, extra_params=recipe.extra_params)


def _beating(reader: VideoReader, beat: Callable[[int], None]) -> Iterator[Planes]:
    for planes in reader:
        yield planes
        beat(0)
