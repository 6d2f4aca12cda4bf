"""Files that appear whole or not at all, their digests, and the lock on an output."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from corekit.errors import LockedError, UsageError

_CHUNK = 1 << 20


def sha256_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file's bytes, lower-case hex; ``on_bytes`` is told of each chunk read."""
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            if on_bytes:
                on_bytes(count)
    return digest.hexdigest()


def temporary_beside(path: Path) -> Path:
    """The name under which the next version of ``path`` is prepared, in the same folder."""
    return path.with_name(f".{path.name}.tmp")


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def prepare(path: Path) -> Iterator[BinaryIO]:
    """Write the next version of ``path`` under its temporary name, synced on leaving; ``publish`` makes it visible."""
    temporary = temporary_beside(path)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish(path: Path) -> None:
    """Let the prepared version of ``path`` take its place, durably."""
    temporary_beside(path).replace(path)
    sync_folder(path.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file atomically and durably."""
    with prepare(path) as file:
        file.write(content)
    publish(path)


def write_atomic_shared(path: Path, content: bytes) -> None:
    """``write_atomic`` where several processes may write the same file at once: whole from each, the last one stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


class LockHolder(msgspec.Struct, frozen=True):
    """Who writes an output."""

    pid: int
    host: str
    started: str


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the lock of an output for as long as the block runs; the system frees it when the process dies.

    Folders on its way are made, and go again where nothing came into them.

    Raises
    ------
    LockedError
        Another process holds it: names its pid, host and start time.
    """
    path = output.with_name(f"{output.name}.lock")
    made = [folder for folder in path.parents if not folder.exists()]
    handle = _acquire(path, output)
    try:
        holder = LockHolder(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
        os.ftruncate(handle, 0)
        os.pwrite(handle, msgspec.json.encode(holder), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        with suppress(OSError):  # from the first that is not empty
            for folder in made:
                folder.rmdir()


def _acquire(path: Path, output: Path) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last holder removed the folder meanwhile
            continue
        except OSError as error:
            raise UsageError(f"cannot write beside {output}: {error.strerror}; choose another --out") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, handle):
                return handle
            os.close(handle)  # its last holder removed it meanwhile: lock the new one
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)
            raise LockedError(f"{output} is being written by {holder}; wait for it or choose another --out") from None


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _holder(handle: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(handle, 4096, 0), type=LockHolder)
    except msgspec.DecodeError:
        return "another run"
    return f"process {holder.pid} on {holder.host}, started {holder.started}"
