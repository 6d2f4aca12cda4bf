"""The ``recorded`` backend: per-frame libvmaf JSON logs of earlier work instead of computing, said so in every row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from corekit.backends.base import BackendInfo, Extractor, Group, GroupSession, PairFeatures
from corekit.backends.libvmaf_log import parse_log
from corekit.errors import BackendError, ClipError
from corekit.markers import hookimpl
from corekit.model import Clip

if TYPE_CHECKING:
    from corekit.planes import Planes

COREKIT_API = 1


class RecordedOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of the backend."""

    logs: str = ""
    """Folder of JSON logs, ``<clip stem>.json`` each, or ``<clip name>.json`` where two clips have one stem."""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(
        name="recorded",
        title="libvmaf JSON logs from earlier (--set logs=DIR)",
        numeric_class="recorded",
        options=RecordedOptions,
    )


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: RecordedOptions) -> Extractor:
    if not options.logs:
        raise BackendError("the recorded backend needs the folder of logs: give --set logs=DIR")
    folder = Path(options.logs).expanduser().absolute()
    if not folder.is_dir():
        raise BackendError(
            f"--set logs={options.logs}: {folder} is not a folder; give the folder of <clip stem>.json logs"
        )
    return RecordedExtractor(folder)


class RecordedExtractor(Extractor):
    """Reads one log per clip; no video is decoded beyond its header."""

    reads_video = False

    def __init__(self, folder: Path) -> None:
        self._logs = {path.stem: path for path in sorted(folder.glob("*.json"))}
        if not self._logs:
            raise BackendError(
                f"{folder} holds no .json log; give the folder of <clip stem>.json logs with --set logs=DIR"
            )
        self._folder = folder
        self.versions: dict[str, str] = {}
        self.identity = {"class": "recorded"}

    def side_inputs(self, clip: Clip) -> tuple[Path, ...]:
        log = self._log(clip)
        return (log,) if log else ()

    def _log(self, clip: Clip) -> Path | None:
        return self._logs.get(PurePosixPath(clip.name).name) or self._logs.get(_stem(clip))

    def open_group(self, group: Group) -> GroupSession:
        return RecordedSession([self._read(pair.clip, pair.features) for pair in group.pairs])

    def _read(self, clip: Clip, features: tuple[str, ...]) -> PairFeatures | ClipError:
        path = self._log(clip)
        if path is None:
            return ClipError(
                "compare",
                f"{clip.name} has no log {_stem(clip)}.json in {self._folder}; record it, or leave the clip out",
            )
        try:
            log = parse_log(path.read_bytes())
        except (ValueError, OSError) as error:
            return ClipError("compare", f"{path.name} is not a libvmaf log: {error}; record it again")
        if log.n_frames == 0:
            return ClipError("compare", f"{path.name} is a libvmaf log without frames; record it again")
        values = {name: log.values[name] for name in features if name in log.values}
        nulls = {name: "the recorded log has no such feature" for name in features if name not in values}
        return PairFeatures(values, nulls, log.n_frames)


class RecordedSession(GroupSession):
    """The logs of one group."""

    def __init__(self, answers: list[PairFeatures | ClipError]) -> None:
        self._answers = answers

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        raise ClipError("compare", "the recorded backend takes no frames")

    def finish(self) -> list[PairFeatures | ClipError]:
        return self._answers

    def close(self) -> None:
        """Nothing is held."""


def _stem(clip: Clip) -> str:
    return PurePosixPath(clip.name).stem
