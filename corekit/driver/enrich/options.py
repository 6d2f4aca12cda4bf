"""The options of an enrichment, as one frozen struct that the command line and a notebook fill alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from corekit.errors import UsageError
from corekit.manifest import manifest_path

OnConflict = Literal["error", "skip", "first", "last"]
METADATA_NAMES = ("src", "filename", "clip_name")
"""Columns of a sidecar that may name the clip; the first that a row has is taken."""


class EnrichOptions(Struct, frozen=True, kw_only=True):
    """What `corekit enrich` is asked to do; every field is a command-line option of the same name."""

    table: Path
    """Parquet table, ours or not."""
    metadata: Path | None = None
    """Sidecar; None takes the metadata from the plugin of ``corpus``."""
    corpus: str | None = None
    """Whose metadata keys are taken; None asks the table, then the sidecar."""
    root: Path | None = None
    """Corpus root, where the plugin itself gives the metadata; None takes the variable that it names."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The corpus plugin's own options, ``--set key=value``."""
    disable: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Globs of the keys to take, instead of those that the plugin declares."""
    key: tuple[str, ...] = METADATA_NAMES
    """Columns of the sidecar that may name the clip, by preference."""
    normalize: Literal["none", "stem"] = "none"
    """``stem`` leaves extensions out of the comparison."""
    overwrite_metadata: bool = False
    allow_labels: tuple[str, ...] = ()
    """Label columns that may be filled, because they are wholly empty."""
    on_conflict: OnConflict = "error"
    """What becomes of a clip of which two rows disagree: an error, no metadata, the first or the last of the rows."""
    skip_malformed: bool = False
    min_coverage: float = 0.95
    """Least part of the table's rows that must find metadata."""
    split_seed: str | None = None
    """Seed of the content-hash split; None is the corpus's."""
    no_split: bool = False
    out: Path | None = None
    """Table to write; None rewrites ``table`` in place."""
    manifest_out: Path | None = None
    record_host: bool = False
    """Let the manifest name the machine and the user."""
    dry_run: bool = False

    @property
    def target(self) -> Path:
        """The file that is written: behind a symbolic link, what it points to."""
        return (self.out or self.table).absolute().resolve()

    @property
    def manifest(self) -> Path:
        """Where the new manifest goes."""
        return (self.manifest_out or manifest_path(self.target)).absolute()

    def check(self) -> None:
        """Refuse values that no enrichment can have.

        Raises
        ------
        UsageError
            Names the option and what to give.
        """
        if self.metadata is None and self.corpus is None:
            raise UsageError("nothing to take metadata from; give --metadata FILE, or --corpus NAME with --root DIR")
        if self.metadata is not None and self.root is not None:
            raise UsageError("--metadata and --root are two sources of metadata; give one of them")
        if not 0 <= self.min_coverage <= 1:
            raise UsageError(f"--min-coverage {self.min_coverage:g}: give a number from 0 to 1")
        if self.out is not None and self.out.suffix != ".parquet":
            raise UsageError(f"--out {self.out}: give a name that ends in .parquet")
        if self.target.is_dir():
            raise UsageError(f"{self.out or self.table} is a folder; give the name of a Parquet file")
        if self.metadata is not None and self.metadata.absolute().resolve() == self.target:
            raise UsageError(f"--metadata {self.metadata} is the table that would be written; give another --out")
        if self.manifest in (self.target, self.table.absolute(), self.metadata and self.metadata.absolute()):
            raise UsageError(f"--manifest-out {self.manifest_out}: another file of this command; choose another")
        if not self.key or not all(self.key):
            raise UsageError("--key: give the name of a column")
