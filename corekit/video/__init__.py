"""Video files through PyAV: probe, decode, scale, encode. Nothing else opens a video; importing this loads ``av``."""

from corekit.planes import Plane, Planes
from corekit.video.encode import codec_of, encode_in_memory, encode_video, encoder_version, own_params, recipe_options
from corekit.video.probe import frame_format, probe
from corekit.video.reader import VideoReader
from corekit.video.versions import decoder_versions

__all__ = [
    "Plane",
    "Planes",
    "VideoReader",
    "codec_of",
    "decoder_versions",
    "encode_in_memory",
    "encode_video",
    "encoder_version",
    "frame_format",
    "own_params",
    "probe",
    "recipe_options",
]
