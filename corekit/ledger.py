"""The ledger: the SQLite file that is the only record of what a run has finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from msgspec import Struct

from corekit.errors import IntegrityError, UsageError
from corekit.model import Measurement

_VERSION = 1
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
    "inode INTEGER NOT NULL, sha256 TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS done (task TEXT PRIMARY KEY, clip TEXT NOT NULL, finished TEXT NOT NULL, "
    "measurement BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS failed (clip TEXT PRIMARY KEY, task TEXT, stage TEXT NOT NULL, message TEXT NOT NULL, "
    "attempts INTEGER NOT NULL, finished TEXT NOT NULL)",
)


class FileStamp(Struct, frozen=True):
    """What tells that a file has not been touched since it was hashed."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


class Failure(Struct, frozen=True):
    """Why a clip has no row. ``task`` is its identity at that time, None where it was never known."""

    clip: str
    task: str | None
    stage: str
    message: str
    attempts: int = 1


class Ledger:
    """One writer's view of the ledger; every write is one durable transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}; choose another --out or --state-dir") from error
        except sqlite3.OperationalError as error:
            raise self._unusable_here(error) from error
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self.close()
            raise self._unusable_here(error) from error
        except BaseException:
            self.close()
            raise
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Measurement).decode

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def known_sha256(self, path: str, stamp: FileStamp) -> str | None:
        """The digest of a file that has not been touched since, or None."""
        rows = self._execute(
            "SELECT sha256 FROM files WHERE path = ? AND size = ? AND mtime_ns = ? AND inode = ?",
            (path, stamp.size, stamp.mtime_ns, stamp.inode),
        )
        return rows[0][0] if rows else None

    def remember_file(self, path: str, stamp: FileStamp, sha256: str) -> None:
        self._execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
            (path, stamp.size, stamp.mtime_ns, stamp.inode, sha256),
        )

    def add_done(self, task: str, clip: str, measurement: Measurement) -> None:
        """Record a finished task, and forget its clip's failure, in one transaction."""
        self._execute("BEGIN IMMEDIATE")
        try:
            self._execute(
                "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)", (task, clip, _now(), self._encode(measurement))
            )
            self._execute("DELETE FROM failed WHERE clip = ?", (clip,))
            self._execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # SQLite rolls back by itself where the disk is full
                self._database.rollback()
            raise

    def add_failure(self, failure: Failure) -> None:
        self._execute(
            "INSERT INTO failed VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (clip) DO UPDATE SET task = excluded.task, "
            "stage = excluded.stage, message = excluded.message, attempts = attempts + 1, finished = excluded.finished",
            (failure.clip, failure.task, failure.stage, failure.message, _now()),
        )

    def failures(self) -> dict[str, Failure]:
        """Recorded failures by clip name."""
        rows = self._execute("SELECT clip, task, stage, message, attempts FROM failed")
        return {row[0]: Failure(*row) for row in rows}

    def failures_of(self, clips: Iterable[str]) -> dict[str, Failure]:
        """Recorded failures of the clips named."""
        recorded = {}
        for clip in clips:
            rows = self._execute("SELECT clip, task, stage, message, attempts FROM failed WHERE clip = ?", (clip,))
            if rows:
                recorded[clip] = Failure(*rows[0])
        return recorded

    def clips(self) -> set[str]:
        """Names of every clip that was ever measured."""
        return {row[0] for row in self._execute("SELECT DISTINCT clip FROM done")}

    def done_tasks(self) -> set[str]:
        """Identities of every finished task."""
        return {row[0] for row in self._execute("SELECT task FROM done")}

    def finished_at(self, task: str) -> str:
        """When a finished task was recorded, ISO 8601 UTC."""
        return str(self._execute("SELECT finished FROM done WHERE task = ?", (task,))[0][0])

    def measurement(self, task: str) -> Measurement | None:
        rows = self._execute("SELECT measurement FROM done WHERE task = ?", (task,))
        try:
            return self._decode(rows[0][0]) if rows else None
        except msgspec.DecodeError as error:
            raise self._damaged(f"task {task}: {error}") from error

    def measurements(self, tasks: Iterable[str]) -> Iterator[Measurement]:
        """The measurements of finished tasks, one at a time, in the order asked for."""
        for task in tasks:
            measurement = self.measurement(task)
            if measurement is None:
                raise IntegrityError(f"{self.path} lost task {task}; run the same command again")
            yield measurement

    def _prepare(self) -> None:
        self._execute("PRAGMA journal_mode = DELETE")
        self._execute("PRAGMA synchronous = FULL")
        for statement in _SCHEMA:
            self._execute(statement)
        self._execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(_VERSION),))
        version = self._execute("SELECT value FROM meta WHERE key = 'version'")[0][0]
        if version != str(_VERSION):
            raise IntegrityError(
                f"{self.path} is a ledger of version {version}, this corekit writes version {_VERSION}; "
                "finish it with the corekit that began it, or choose another --out"
            )

    def _execute(self, statement: str, parameters: Sequence[str | int | bytes | None] = ()) -> list[Any]:
        """Run one statement and return its rows; a full disk or a held lock stays SQLite's ``OperationalError``."""
        try:
            return self._database.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> IntegrityError:
        return IntegrityError(
            f"{self.path} cannot be used as a ledger ({reason}); restore it, or move it away to measure everything again"
        )

    def _unusable_here(self, error: sqlite3.OperationalError) -> UsageError:
        return UsageError(
            f"cannot use the ledger {self.path} ({error}); check its disk and permissions, or choose another --out or "
            "--state-dir"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
