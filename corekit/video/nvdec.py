"""Decoding on an NVIDIA GPU: frames stay there as tensors, and are trusted only where they are the CPU's to the last sample.

NVDEC is asked for by ``HWAccel("cuda")`` of PyAV. Its surfaces are NV12 (8 bits) or P010/P016 (the samples in the upper bits), which
torch sees without a copy; no RGB is ever made.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from av import VideoFrame
from av.codec.hwaccel import HWAccel

from corekit.errors import ClipError
from corekit.model import FrameFormat, Probe
from corekit.planes import Planes
from corekit.video.probe import frame_format
from corekit.video.reader import VideoReader
from corekit.video.scaling import Scales, Scaling, Unscaled
from corekit.video.source import Source

if TYPE_CHECKING:
    import torch

_COMPARED_FRAMES = 48
"""Of the first clip of each kind: several groups of pictures at the usual lengths of hierarchical B frames."""
_DEPTHS = (8, 10, 12)
_Kind = tuple[str, str, int]
"""Codec, profile, bit depth."""


class Unsuited(Exception):
    """Why a clip is not decoded on the GPU, as one clause."""


class NvdecReader(VideoReader):
    """A ``VideoReader`` whose planes are torch tensors on a GPU: uint8, or int16 for more bits.

    ``device`` is ``cuda:N``. The header and the first frame come from the CPU's decoder.

    Raises ``Unsuited`` where the clip needs what the GPU does not do (turning, other than 4:2:0, scaling unless ``scales`` takes its
    frames), where its decoder does not take it, or where its first frame is another than the CPU's.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        target: FrameFormat | None = None,
        content: BinaryIO | None = None,
        scales: Scales | None = None,
    ) -> None:
        with VideoReader(path, content=content) as on_cpu:
            _check_suited(on_cpu)
            self._scaling = _scaling(on_cpu, target, scales)
            probe, first = on_cpu.probe, _digest(next(on_cpu))
        try:
            source = Source(path, content=content, hardware=_hardware(device))
        except (ClipError, NotImplementedError, RuntimeError, ValueError) as error:
            raise Unsuited(f"its decoder does not take the clip ({_one_line(error)})") from error
        try:
            self.kind = kind_of(source, probe)
            if _digest(_on_host(planes_of(source.first, probe.bit_depth))) != first:
                raise Unsuited("its first frame is not the one that the CPU decodes")
        except BaseException:
            source.close()
            raise
        self._begin(source, probe, target, scales)
        self._fixed = True

    def __next__(self) -> Planes:
        try:
            return super().__next__()
        except ClipError as error:
            raise ClipError(error.stage, f"{error}; decoded by NVDEC, so try --decode cpu first") from error

    def _upright(self, frame: VideoFrame) -> Planes:
        if (frame.width, frame.height) != (self._source.first.width, self._source.first.height):
            self._note_change(frame)
        planes: Planes = planes_of(frame, self.probe.bit_depth)  # type: ignore[assignment]
        return planes if self._scaling is None else Unscaled(planes, self._scaling)


class DeviceDecoder:
    """The decoder of one GPU for a whole run, and what it is trusted with; any thread may ask it.

    Parameters
    ----------
    device
        ``cuda:N``.
    mode
        ``nvdec``: a clip that the GPU could decode but cannot be trusted with is an error. ``auto``: the CPU decodes it.
    """

    def __init__(self, device: str, mode: Literal["nvdec", "auto"]) -> None:
        self._device = device
        self._mode = mode
        self._lock = threading.Lock()
        self._verdicts: dict[_Kind, str] = {}
        """Kind to why it is refused, empty where it is trusted."""

    def reader(
        self, path: Path, *, target: FrameFormat | None, content: BinaryIO | None, scales: Scales | None = None
    ) -> tuple[VideoReader | None, str]:
        """A reader on the GPU, or None where the CPU has to decode the clip; and what is to be told of that, if anything.

        Raises
        ------
        ClipError
            Mode ``nvdec``, and the GPU gives other frames than the CPU or takes no such clip.
        """
        try:
            reader = NvdecReader(path, device=self._device, target=target, content=content, scales=scales)
            try:
                self._check(reader.kind, path, content)
            except BaseException:
                reader.close()
                raise
            if content is not None:  # the comparison moved it
                reader.close()
                reader = NvdecReader(path, device=self._device, target=target, content=content, scales=scales)
        except _ForTheCPU:
            return None, ""
        except Unsuited as reason:
            if self._mode == "auto":
                return None, f"NVDEC is not used: {reason}"
            raise ClipError(
                "open", f"{path}: NVDEC of {self._device} is not used: {reason}; give --decode auto or cpu"
            ) from reason
        return reader, "decoded by NVDEC"

    def _check(self, kind: _Kind, path: Path, content: BinaryIO | None) -> None:
        """Compare the first clip of a kind with the CPU's frames."""
        with self._lock:
            if kind not in self._verdicts:
                self._verdicts[kind] = self._difference(path, content)
            if self._verdicts[kind]:
                raise Unsuited(self._verdicts[kind])

    def _difference(self, path: Path, content: BinaryIO | None) -> str:
        with VideoReader(path, content=content) as reader:
            expected = [_digest(planes) for planes in islice(reader, _COMPARED_FRAMES)]
        with NvdecReader(path, device=self._device, content=content) as reader:
            for index, (planes, digest) in enumerate(zip(_host_frames(reader), expected, strict=False)):
                if _digest(planes) != digest:
                    codec, profile, depth = reader.kind
                    return f"frame {index} of {path.name} ({codec} {profile}, {depth} bits) is not the one that the CPU decodes"
        return ""


class _ForTheCPU(Unsuited):
    """What the CPU does by design."""


def kind_of(source: Source, probe: Probe) -> _Kind:
    """What decides whether a decoder is right: codec, profile, bit depth."""
    return source.codec, str(source.stream.codec_context.profile or ""), probe.bit_depth


def planes_of(frame: VideoFrame, bit_depth: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The planes of an NV12, P010 or P016 frame, where it lies: uint8, or int16 with the samples in the lower bits.

    They may be views of the decoder's surface, which is kept as long as they are.
    """
    import torch
    from torch.utils.dlpack import from_dlpack

    # PyAV gives the capsule without a stream; decoder and torch both use the device's default one.
    y, chroma = (from_dlpack(plane.__dlpack__()) for plane in frame.planes)
    if bit_depth > 8:
        unused, mask = 16 - bit_depth, (1 << bit_depth) - 1
        y, chroma = ((plane.view(torch.int16) >> unused) & mask for plane in (y, chroma))
    return y, chroma[..., 0], chroma[..., 1]


def _scaling(reader: VideoReader, target: FrameFormat | None, scales: Scales | None) -> Scaling | None:
    """How the GPU is to scale a clip; None where it need not."""
    if target is None or target == reader.fmt:
        return None
    scaling = scales.of(reader.first, target) if scales else None
    if scaling is None:
        raise _ForTheCPU("the clip is scaled, which the CPU does")
    return scaling


def _check_suited(reader: VideoReader) -> None:
    probe, own = reader.probe, frame_format(reader.probe)
    if probe.rotation:
        raise _ForTheCPU("the picture is turned, which the CPU does")
    if own.chroma != "420" or own.bit_depth not in _DEPTHS or own.width % 2 or own.height % 2:
        raise _ForTheCPU(f"{probe.pix_fmt} of {own.width}x{own.height} pixels is decoded by the CPU")
    if reader.notes:
        raise _ForTheCPU(f"it is out of the ordinary ({reader.notes[0]})")


def _hardware(device: str) -> HWAccel:
    index = device.rpartition(":")[2] if ":" in device else "0"
    return HWAccel("cuda", device=index, allow_software_fallback=False, is_hw_owned=True)


def _on_host(planes: Any) -> Planes:
    y, cb, cr = (plane.cpu().contiguous().numpy() for plane in planes)
    return y, cb, cr


def _host_frames(reader: VideoReader) -> Iterator[Planes]:
    return (_on_host(planes) for planes in reader)


def _digest(planes: Planes) -> bytes:
    """A digest of a frame's samples, whatever their signedness."""
    digest = hashlib.blake2b(digest_size=16)
    for plane in planes:
        digest.update(plane.tobytes())
    return digest.digest()


def _one_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
