"""Where a clip's bytes lie: in a file of its own below the root, or in a member of a zip archive."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

from corekit.errors import ClipError
from corekit.files import sha256_file
from corekit.ledger import FileStamp
from corekit.model import Clip, FrameFormat, Probe

if TYPE_CHECKING:
    from corekit.video import VideoReader
    from corekit.video.nvdec import DeviceDecoder
    from corekit.video.scaling import Scaling

_CHUNK = 1 << 20
_IN_MEMORY = 64 << 20
"""Bytes of an archive's member that are held in memory; a larger one goes to a temporary file without a name."""


class Places:
    """The files of a corpus below its root; of an archive one member at a time is unpacked."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._members: dict[str, frozenset[str]] = {}

    def path(self, clip: Clip) -> Path:
        """Where the clip lies, or would lie; of an archive's member, a path that only names it."""
        return self._root / clip.path

    def has(self, clip: Clip) -> bool:
        """Whether the clip is there."""
        if not clip.archive:
            return self.path(clip).is_file()
        if clip.archive not in self._members:
            try:
                with ZipFile(self._root / clip.archive) as archive:
                    self._members[clip.archive] = frozenset(archive.namelist())
            except (OSError, BadZipFile):
                self._members[clip.archive] = frozenset()
        return _member(clip) in self._members[clip.archive]

    def absence(self, clip: Clip) -> str:
        """What is wrong with a clip that is not there, as the end of a clause."""
        if not clip.archive and os.path.lexists(self.path(clip)):
            return "is no file (a folder, a pipe or a broken link)"
        return "is missing"

    def stamp(self, clip: Clip) -> FileStamp:
        """What tells that the clip has not been touched; of an archive's member, that its archive has not."""
        return FileStamp.of(self._root / clip.archive if clip.archive else self.path(clip))

    def sha256(self, clip: Clip, on_bytes: Callable[[int], None] | None = None) -> str:
        """SHA-256 of the clip's bytes, unpacked; ``on_bytes`` is told of each chunk read.

        Raises ``OSError`` where the file cannot be read, ``ClipError`` where its archive is damaged.
        """
        if not clip.archive:
            return sha256_file(self.path(clip), on_bytes)
        digest = hashlib.sha256()
        with self._unpacking(clip) as member:
            while chunk := member.read(_CHUNK):
                digest.update(chunk)
                if on_bytes:
                    on_bytes(len(chunk))
        return digest.hexdigest()

    @contextmanager
    def content(self, clip: Clip) -> Iterator[BinaryIO | None]:
        """The bytes of an archive's member, unpacked for as long as the block runs; None of a file of its own."""
        if not clip.archive:
            yield None
            return
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as unpacked:
            try:
                with self._unpacking(clip) as member:
                    shutil.copyfileobj(member, unpacked, _CHUNK)
            except OSError as error:
                raise ClipError(
                    "open",
                    f"{clip.path} cannot be unpacked ({error.strerror}); check {clip.archive} and the free space",
                ) from error
            yield cast(BinaryIO, unpacked)

    def probe(self, clip: Clip) -> Probe:
        """The clip's header."""
        from corekit.video import probe

        with self.content(clip) as content:
            return probe(self.path(clip), clip.raw, content=content)

    @contextmanager
    def reader(
        self,
        clip: Clip,
        *,
        target: FrameFormat | None = None,
        decoder: DeviceDecoder | None = None,
        trusted: Callable[[Scaling], bool] | None = None,
    ) -> Iterator[VideoReader]:
        """The clip's frames; ``decoder`` is asked for them first, and what it leaves the CPU decodes.

        Frames whose scaling is ``trusted`` to the backend are not scaled.
        """
        from corekit.video import VideoReader
        from corekit.video.scaling import Scales

        scales = Scales(trusted) if trusted else None
        with self.content(clip) as content:
            path, frames, remark = self.path(clip), None, ""
            if decoder is not None and clip.raw is None:
                frames, remark = decoder.reader(path, target=target, content=content, scales=scales)
            with frames or VideoReader(path, raw=clip.raw, target=target, content=content, scales=scales) as reader:
                reader.remark = remark
                yield reader

    @contextmanager
    def _unpacking(self, clip: Clip) -> Iterator[IO[bytes]]:
        try:
            with ZipFile(self._root / clip.archive) as archive, archive.open(_member(clip)) as member:
                yield member
        except (BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, NotImplementedError) as error:
            reason = str(error.args[0] if error.args else error)
            raise ClipError("open", f"{clip.path} cannot be unpacked ({reason}); fetch {clip.archive} again") from error


def _member(clip: Clip) -> str:
    return clip.path[len(clip.archive) + 1 :]
