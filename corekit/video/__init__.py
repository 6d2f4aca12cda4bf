"""Video files through PyAV: probe, decode, scale, encode. Nothing else opens a video; importing this loads ``av``."""

from corekit.planes import Plane, Planes
from corekit.video.encode import encode_video, encoder_version
from corekit.video.probe import frame_format, probe
from corekit.video.reader import VideoReader
from corekit.video.versions import decoder_versions

__all__ = [
    "Plane",
    "Planes",
    "VideoReader",
    "decoder_versions",
    "encode_video",
    "encoder_version",
    "frame_format",
    "probe",
]
