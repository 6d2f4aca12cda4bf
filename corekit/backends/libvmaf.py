"""The ``libvmaf`` backend: the real library, inside an FFmpeg or as its own tool, fed with frames through pipes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from corekit.backends.base import BackendInfo, Extractor, Group, GroupSession, Pair, PairFeatures
from corekit.backends.libvmaf_log import LibvmafLog, parse_log
from corekit.backends.vmaf_process import WINDOW, VmafProcess, pump
from corekit.errors import BackendError, ClipError
from corekit.features.registry import REGISTRY, undefined
from corekit.markers import hookimpl
from corekit.model import FrameFormat
from corekit.schema import VMAF, VMAF_MODEL

if TYPE_CHECKING:
    from corekit.planes import Planes

COREKIT_API = 1

_EXTRACTORS = {
    **dict.fromkeys(("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "adm3"), "adm"),
    **dict.fromkeys(("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3"), "vif"),
    **dict.fromkeys(("motion", "motion2", "motion3"), "motion"),
    **dict.fromkeys(("psnr_y", "psnr_cb", "psnr_cr"), "psnr"),
    **dict.fromkeys(("speed_chroma_u", "speed_chroma_v", "speed_chroma_uv"), "speed_chroma"),
    "float_ssim": "float_ssim",
    "float_ms_ssim": "float_ms_ssim",
    "cambi": "cambi",
    "ciede2000": "ciede",
    "psnr_hvs": "psnr_hvs",
    "speed_temporal": "speed_temporal",
}
"""Which of libvmaf's extractors yields a feature."""

_SINCE_3_1 = ("speed_temporal", "speed_chroma")
VERSION_S = 30.0
_DEPTHS = (8, 10, 12)
_TRIAL_FORMAT = FrameFormat(176, 176, 8, "420")


class LibvmafOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of the backend."""

    ffmpeg: str = ""
    """Path of an FFmpeg with the libvmaf filter; empty takes the one inside the imageio-ffmpeg package."""
    vmaf: str = ""
    """Path of libvmaf's own ``vmaf`` tool, used instead of FFmpeg."""


class Program(Struct, frozen=True):
    """An external program that runs libvmaf: its path, its versions, and how its command line is made."""

    path: str
    versions: dict[str, str]
    command: Callable[[str, FrameFormat, Pair, int, int], list[str]]


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(
        name="libvmaf",
        title="the real libvmaf, through pipes (6 decimals)",
        numeric_class="libvmaf",
        options=LibvmafOptions,
    )


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: LibvmafOptions) -> Extractor:
    if device not in ("auto", "cpu"):
        raise BackendError(f"--device {device}: the libvmaf backend runs on the CPU; leave --device out")
    if options.vmaf:
        words = _printed([options.vmaf, "--version"], "--set vmaf=PATH").split()
        return LibvmafExtractor(Program(options.vmaf, {"vmaf": words[-1] if words else "unknown"}, vmaf_command))
    path = options.ffmpeg or _bundled_ffmpeg()
    banner = _printed([path, "-hide_banner", "-version"], "--set ffmpeg=PATH").split()
    return LibvmafExtractor(Program(path, {"ffmpeg": banner[2] if len(banner) > 2 else "unknown"}, ffmpeg_command))


def ffmpeg_command(path: str, fmt: FrameFormat, pair: Pair, reference: int, distorted: int) -> list[str]:
    """FFmpeg with the libvmaf filter on two raw streams."""
    raw = [
        "-probesize", "32", "-analyzeduration", "0", "-f", "rawvideo", "-pixel_format", fmt.pix_fmt,
        "-video_size", f"{fmt.width}x{fmt.height}", "-framerate", "25",
    ]  # fmt: skip
    model = f"version={VMAF_MODEL}" if VMAF in pair.features else ""
    extractors = "|".join(f"name={name}" + _option(pair, name, r"\:eotf=pq") for name in _wanted_extractors(pair))
    feature = f":feature='{extractors}'" if extractors else ""
    return [
        path, "-hide_banner", "-nostdin", "-loglevel", "error", "-filter_threads", "1",
        *raw, "-i", f"pipe:{distorted}", *raw, "-i", f"pipe:{reference}", "-filter_complex",
        f"[0:v][1:v]libvmaf=log_fmt=json:log_path=/dev/stdout:n_threads=0:model='{model}'{feature}", "-f", "null", "-",
    ]  # fmt: skip


def vmaf_command(path: str, fmt: FrameFormat, pair: Pair, reference: int, distorted: int) -> list[str]:
    """libvmaf's own tool on two raw streams."""
    command = [
        path, "--quiet", "--json", "--output", "/dev/stdout", "--precision", "max",
        "--width", str(fmt.width), "--height", str(fmt.height), "--pixel_format", fmt.chroma,
        "--bitdepth", str(fmt.bit_depth), "--reference", f"/dev/fd/{reference}", "--distorted", f"/dev/fd/{distorted}",
    ]  # fmt: skip
    command += ["--model", f"version={VMAF_MODEL}"] if VMAF in pair.features else ["--no_prediction"]
    for name in _wanted_extractors(pair):
        command += ["--feature", name + _option(pair, name, "=eotf=pq")]
    return command


class LibvmafExtractor(Extractor):
    """One program run per pair; the pairs of a group run side by side, so that every file is decoded once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        log = self._trial(("motion",))
        self._lacking = {name: self._lack(name) for name in _SINCE_3_1}
        self.motion_definition = log.motion_definition
        self.versions = {**program.versions, "libvmaf": log.version}
        self.identity = {"class": "libvmaf", **self.versions, "motion": log.motion_definition}

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        extractor = _EXTRACTORS.get(feature, "")
        if feature != VMAF and not extractor:
            return f"libvmaf has no {feature}"
        if fmt.bit_depth not in _DEPTHS:
            return f"libvmaf takes 8, 10 and 12 bits, the frames have {fmt.bit_depth}"
        if lacking := self._lacking.get(extractor):
            return lacking
        if feature == "motion" and self.motion_definition == "3.1":
            return f"libvmaf {self.versions['libvmaf']} does not print motion"
        if _cut_chroma(fmt):
            if self._program.command is vmaf_command:
                return f"libvmaf's own tool takes no odd size of 4:{fmt.chroma[1]}:{fmt.chroma[2]}, the frames have {fmt.width}x{fmt.height}"
            if feature != VMAF and "chroma" in REGISTRY[feature].inputs:
                return f"libvmaf reads past the chroma planes of an odd size, the frames have {fmt.width}x{fmt.height}"
        return undefined(feature, fmt)

    def open_group(self, group: Group) -> GroupSession:
        return LibvmafSession(self._program, group)

    def _trial(self, features: tuple[str, ...]) -> LibvmafLog:
        """Two small frames: proves that the program works, and tells its version."""
        from corekit.model import Clip, Label

        clip = Clip(name="trial", path="trial", content="trial", label=Label(kind="none"))
        pair = Pair(clip=clip, features=features)
        path = self._program.path
        try:
            process = VmafProcess(lambda r, d: self._program.command(path, _TRIAL_FORMAT, pair, r, d))
        except OSError as error:
            raise BackendError(f"{path} cannot be run: {error.strerror}; name another program with --set") from error
        try:
            frame = bytes(_TRIAL_FORMAT.frame_bytes)
            process.feed(frame, frame)
            process.feed(frame, frame)
            process.end_input()
            pump([process], until=lambda: process.ended, stall_s=30)
            return parse_log(process.result())
        except (ClipError, ValueError) as error:
            raise BackendError(
                f"{path} cannot run libvmaf: {error}; name an FFmpeg with the libvmaf filter (--set ffmpeg=PATH) or "
                "libvmaf's own tool (--set vmaf=PATH)"
            ) from error
        finally:
            process.close()

    def _lack(self, extractor: str) -> str:
        feature = next(name for name, owner in _EXTRACTORS.items() if owner == extractor)
        try:
            found = feature in self._trial((feature,)).values
        except BackendError:
            found = False
        return "" if found else f"this libvmaf has no {extractor} (it came with libvmaf 3.1)"


class LibvmafSession(GroupSession):
    """The programs of one group, fed in step."""

    def __init__(self, program: Program, group: Group) -> None:
        self._group = group
        self._processes: list[VmafProcess | None] = []
        self._errors: dict[int, ClipError] = {}
        self._ended: set[int] = set()
        for pair in group.pairs:
            wanted = pair.features
            self._processes.append(
                VmafProcess(lambda r, d, pair=pair: program.command(program.path, group.fmt, pair, r, d))  # type: ignore[misc]
                if wanted
                else None
            )
        self._counts = [0] * len(group.pairs)

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        packed = _packed(reference)
        for index, planes in enumerate(distorted):
            process = self._processes[index]
            if planes is None:
                self._end(index)
                continue
            self._counts[index] += 1
            if process is not None:
                process.feed(packed, packed if planes is reference else _packed(planes))
        live = self._live()
        pump(live, until=lambda: all(process.waiting < WINDOW for process in live))

    def finish(self) -> list[PairFeatures | ClipError]:
        for index in range(len(self._processes)):
            self._end(index)
        live = self._live()
        pump(live, until=lambda: all(process.ended for process in live))
        return [self._result(index) for index in range(len(self._processes))]

    def close(self) -> None:
        for process in self._live():
            process.close()

    def _live(self) -> list[VmafProcess]:
        return [process for process in self._processes if process is not None]

    def _end(self, index: int) -> None:
        process = self._processes[index]
        if process is not None and index not in self._ended:
            process.end_input()
        self._ended.add(index)

    def _result(self, index: int) -> PairFeatures | ClipError:
        process, count = self._processes[index], self._counts[index]
        if process is None or count == 0:
            return PairFeatures({}, {}, count)
        try:
            log = parse_log(process.result())
        except ClipError as error:
            return error
        except ValueError as error:
            return ClipError("compare", f"libvmaf printed a log that cannot be read: {error}")
        if log.n_frames != count:
            return ClipError("compare", f"libvmaf compared {log.n_frames} of {count} frames")
        wanted = self._group.pairs[index].features
        values = {name: log.values[name] for name in wanted if name in log.values}
        nulls = {name: "libvmaf gave no value" for name in wanted if name not in values}
        return PairFeatures(values, nulls, count)


def _cut_chroma(fmt: FrameFormat) -> bool:
    """Whether FFmpeg and libvmaf disagree about the size of the chroma planes: one rounds down, the other up."""
    return (fmt.chroma != "444" and fmt.width % 2 == 1) or (fmt.chroma == "420" and fmt.height % 2 == 1)


def _packed(planes: Planes) -> bytes:
    return b"".join(plane.tobytes() for plane in planes)


def _wanted_extractors(pair: Pair) -> list[str]:
    return list(dict.fromkeys(_EXTRACTORS[name] for name in pair.features if name != VMAF))


def _option(pair: Pair, extractor: str, pq: str) -> str:
    return pq if extractor == "cambi" and pair.options.get("cambi_eotf") == "pq" else ""


def _bundled_ffmpeg() -> str:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise BackendError(
            "the libvmaf backend needs an FFmpeg with the libvmaf filter: pip install imageio-ffmpeg, or name one with "
            "--set ffmpeg=PATH"
        ) from error
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise BackendError(
            "imageio-ffmpeg has no FFmpeg for this machine; name one that has the libvmaf filter with --set ffmpeg=PATH"
        ) from error


def _printed(command: list[str], option: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=VERSION_S, check=False)
    except OSError as error:
        raise BackendError(f"{command[0]} cannot be run: {error.strerror}; name another with {option}") from error
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{command[0]} gave no answer for {VERSION_S:g} s; name another with {option}") from error
    return done.stdout or done.stderr
