"""What crosses the line between the run and its workers, and what makes a task the same task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from corekit.driver.options import Decode, FrameMismatch, Identity
from corekit.ledger import FileStamp
from corekit.model import Clip, Encode, JSONValue, Measurement, Pairing

DEVICE_LOST = 75
"""Exit code of a worker whose device does not answer any more (EX_TEMPFAIL of sysexits.h)."""
DEFINITIONS_VERSION = 3
"""Raised whenever a feature's definition or its pooling changes, so that no older value is reused."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a worker must know for the whole run."""

    root: str
    backend: str | None
    """None measures no feature: headers and digests alone."""
    device: str
    decode: Decode
    backend_settings: Mapping[str, str]
    disable: tuple[str, ...]
    features: tuple[str, ...]
    identity: Identity
    frame_mismatch: FrameMismatch
    frames_dir: str | None
    timeout_s: float
    threads: int = 1
    """Jobs that one worker measures at once; more than one where its backend holds a device for all of them."""


class Task(Struct, frozen=True, kw_only=True):
    """One row to be measured: a clip against its reference, or against itself where ``reference`` is None.

    With ``encode`` the clip is its own reference, and the encode of it is what is measured.
    """

    clip: Clip
    reference: Clip | None
    pairing: Pairing
    encode: Encode | None = None


class Job(Struct, frozen=True, kw_only=True, tag=True):
    """The tasks of one content that still have to be measured, and the digests that are known already."""

    number: int
    content: str
    tasks: tuple[Task, ...]
    known: tuple[Hashed, ...] = ()
    """Digests of its files that are known already; one holds as long as the file keeps its stamp."""


class Ready(Struct, frozen=True, tag=True):
    """The worker has started its backend."""


class Beat(Struct, frozen=True, tag=True):
    """A job goes on; ``frames`` distorted frames were handled since its last beat."""

    frames: int = 0
    note: str = ""
    job: int | None = None
    """Number of the job; None where no single one is meant."""


class Hashed(Struct, frozen=True, tag=True):
    """A file's digest, with the stamp it had when reading began."""

    path: str
    stamp: FileStamp
    sha256: str


class Done(Struct, frozen=True, tag=True):
    """A task was measured."""

    task: str
    clip: str
    measurement: Measurement


class Failed(Struct, frozen=True, tag=True):
    """A task failed alone; ``task`` is None where its files could not be read."""

    task: str | None
    clip: str
    stage: str
    message: str


class JobDone(Struct, frozen=True, tag=True):
    """Every task of the job has been answered."""

    number: int


class Unusable(Struct, frozen=True, tag=True):
    """The worker cannot work at all."""

    message: str
    backend: bool = False
    """It is the backend that cannot be started; another one might."""


FromWorker = Ready | Beat | Hashed | Done | Failed | JobDone | Unusable


def task_identity(
    task: Task,
    *,
    clip_sha256: str,
    ref_sha256: str | None,
    features: tuple[str, ...],
    identity: Identity,
    backend: Mapping[str, str],
    decoder: Mapping[str, str],
    side_sha256: tuple[str, ...] = (),
    encoder: Mapping[str, str] | None = None,
) -> str:
    """SHA-256 over everything that a task's values depend on.

    Neither the label nor the file's name or place is part of it: a corrected label or a moved corpus costs nothing.
    """
    parts: dict[str, JSONValue] = {
        "definitions": DEFINITIONS_VERSION,
        "pairing": task.pairing,
        "clip": clip_sha256,
        "reference": ref_sha256,
        "raw": msgspec.to_builtins([task.clip.raw, task.reference.raw if task.reference else None]),
        "features": list(features),
        "identity": identity if ref_sha256 is None else None,
        "backend": dict(backend),
        "decoder": dict(decoder),
        "side": list(side_sha256),
    }
    if encoder is not None:
        parts["encoder"] = dict(encoder)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
