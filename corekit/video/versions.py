"""Which libraries decode and scale: part of what a value depends on."""

from __future__ import annotations

import av

_LIBRARIES = ("libavcodec", "libavformat", "libswscale")


def decoder_versions() -> dict[str, str]:
    """Version of PyAV and of the FFmpeg libraries that it bundles, by name."""
    return {"av": av.__version__, **{name: ".".join(map(str, av.library_versions[name])) for name in _LIBRARIES}}
