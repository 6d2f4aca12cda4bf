"""The report of an audit: what is there, in figures, beside what is wrong with it."""

from __future__ import annotations

from msgspec import Struct

from corekit.driver.audit.findings import Finding
from corekit.driver.estimate import Estimate
from corekit.model import LabelKind, Licence, Pairing

SCHEMA = "corekit-audit-1"


class Counts(Struct, frozen=True, kw_only=True):
    """How many of what."""

    clips: int = 0
    """Clips that the labels name, references among them."""
    references: int = 0
    contents: int = 0
    rows: int = 0
    """Rows that a run would try to measure, as far as labels and the presence of files tell."""
    present: int = 0
    missing: int = 0
    orphans: int = 0
    bytes_present: int = 0


class LabelFile(Struct, frozen=True, kw_only=True):
    """A label file that was read; ``name`` is relative to the root."""

    name: str
    clips: int
    size_bytes: int


class Folder(Struct, frozen=True, kw_only=True):
    """A folder below the root that holds videos, or that should."""

    path: str
    named: int
    """Clips that the labels place there."""
    present: int
    files: int
    """Video files that lie there, named by labels or not."""


class NamePattern(Struct, frozen=True, kw_only=True):
    """A generation of file names, such as ``orig_<number>_540_5s.mp4``."""

    pattern: str
    clips: int


class Bin(Struct, frozen=True, kw_only=True):
    """One bar of the histogram: ``low`` included, ``high`` excluded but for the last."""

    low: float
    high: float
    clips: int


class LabelSummary(Struct, frozen=True, kw_only=True):
    """The usable labels on their native axis."""

    kind: LabelKind
    scale_min: float | None
    scale_max: float | None
    labelled: int
    minimum: float
    maximum: float
    mean: float
    with_spread: int
    """Labels with a standard deviation or a standard error."""
    with_ratings: int
    """Labels with a number of ratings."""
    histogram: tuple[Bin, ...]


class Format(Struct, frozen=True, kw_only=True):
    """Clips of one geometry, sample layout and colour."""

    clips: int
    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    codec: str
    transfer: str
    """FFmpeg's name; empty where unspecified."""
    primaries: str
    transfer_class: str
    hdr: bool


class Headers(Struct, frozen=True, kw_only=True):
    """What the headers say. Only the files that are there are asked for."""

    asked: int
    read: int
    declared_s: float
    """Sum of the durations."""
    formats: tuple[Format, ...]
    """Most clips first."""
    rates: dict[str, int]
    """Frames per second, rounded to three digits, to clips; most clips first."""
    rotated: int


class AuditReport(Struct, frozen=True, kw_only=True):
    """The outcome of an audit; ``ok`` is False where a finding is an error (exit code 3)."""

    schema: str = SCHEMA
    corpus: str
    title: str
    version: str
    root: str
    pairing: Pairing | None
    ok: bool
    findings: tuple[Finding, ...]
    counts: Counts
    label_files: tuple[LabelFile, ...]
    folders: tuple[Folder, ...]
    names: tuple[NamePattern, ...]
    rungs: dict[str, int]
    """Rung to clips; most clips first."""
    labels: LabelSummary | None
    headers: Headers | None
    splits: dict[str, dict[str, int]]
    split_policy: str
    estimate: Estimate | None
    """Of a run with one worker and the corpus's default features."""
    licences: tuple[Licence, ...]
    treat_as: str
    notes: tuple[str, ...]
    """What every user of the corpus must know, by its plugin."""
