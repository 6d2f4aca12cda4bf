"""The plugin contract: every hook, what it gets and what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from corekit.backends.base import BackendInfo, Extractor
from corekit.exports.base import ExportFormat
from corekit.markers import hookspec
from corekit.model import Clip, Column, CorpusInfo, Encode, JSONValue, Measurement, Pairing, Pooled, Probe, Value


class ManifestSection(Struct, frozen=True):
    """A named part of the manifest that a plugin contributes."""

    name: str
    content: dict[str, JSONValue]


class RowContext(Struct, frozen=True, kw_only=True):
    """What the run knows of a row beside the clip and what was measured of it."""

    run_id: str
    timestamp: str
    info: CorpusInfo
    reference: Clip | None
    pairing: Pairing
    split: str
    split_policy: str
    measurement: Measurement
    timings: bool
    """False under SOURCE_DATE_EPOCH, where volatile times are left out."""
    encode: Encode | None = None
    """The recipe of a synthetic pair; None on a label row."""


class RunRecord(Protocol):
    """What a run did, as a manifest hook sees it."""

    @property
    def info(self) -> CorpusInfo: ...

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip of the plan, references too, in plan order."""
        ...

    @property
    def counters(self) -> Mapping[str, int]: ...

    def measured(self) -> Iterator[tuple[Clip, Measurement]]:
        """Every row's clip and measurement, in plan order, streamed from the ledger."""
        ...


@hookspec(firstresult=True)
def corekit_corpus() -> CorpusInfo:  # type: ignore[empty-body]
    """A corpus plugin describes itself."""


@hookspec(firstresult=True)
def corekit_read_corpus(root: Path, options: Struct) -> Iterator[Clip]:  # type: ignore[empty-body]
    """A corpus plugin yields its clips, deterministically ordered; it opens label files only, never a video."""


@hookspec(firstresult=True)
def corekit_backend() -> BackendInfo:  # type: ignore[empty-body]
    """A backend describes itself, without starting anything."""


@hookspec(firstresult=True)
def corekit_extract_features(features: tuple[str, ...], device: str, options: Struct) -> Extractor:  # type: ignore[empty-body]
    """A backend opens an extractor, or raises ``BackendError`` with what is missing and how to get it."""


@hookspec
def corekit_shape_row(  # type: ignore[empty-body]
    clip: Clip, probe: Probe, pooled: Mapping[str, Pooled], row: RowContext
) -> Mapping[Column, Value]:
    """Return columns of a clip's row, the same for every clip: core the v3 row, a plugin more columns.

    A corpus plugin's are prefixed ``<corpus>_``, an extension's ``x_<name>_``. An implementation names only the arguments
    that it needs.
    """


@hookspec
def corekit_write_manifest(run: RunRecord) -> ManifestSection:  # type: ignore[empty-body]
    """Return a named section of the manifest."""


@hookspec
def corekit_export_formats() -> Sequence[ExportFormat]:  # type: ignore[empty-body]
    """Formats that `corekit export --to` offers; an extension brings its own."""


@hookspec
def corekit_make_sample(root: Path) -> None:
    """Write a tiny synthetic corpus in the real on-disk layout below the empty folder ``root``."""
