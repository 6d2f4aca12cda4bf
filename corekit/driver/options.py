"""The options of a run, as one frozen struct that the command line, a TOML file and a notebook fill alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from corekit.errors import UsageError
from corekit.model import Pairing
from corekit.schema import FEATURE_SETS, FEATURES

FrameMismatch = Literal["error", "shortest"]
Identity = Literal["null", "floor", "compute"]
Decode = Literal["cpu", "nvdec", "auto"]


class RunOptions(Struct, frozen=True, kw_only=True):
    """What `corekit run` is asked to do; every field is a command-line option of the same name."""

    corpus: str
    root: Path | None = None
    """Corpus root; None takes the environment variable that the plugin names."""
    out: Path | None = None
    """Table to write; None is ``<corpus>.parquet`` in the working folder."""
    backend: str = "auto"
    device: str = "auto"
    decode: Decode = "cpu"
    """Where clips are decoded: on the CPU, on the GPU of the backend, or on that GPU where it gives the CPU's planes."""
    fallback: str = ""
    """Backend of the same numbers with which a run goes on where its own cannot be started or loses its device; empty ends it."""
    features: str | None = None
    """A set (canonical, full, none), feature names, or both, comma-separated; None is the corpus's default."""
    pairing: Pairing | None = None
    """None is the corpus's default."""
    identity: Identity = "null"
    """Full-reference features of a clip compared with itself: null, their documented constants, or computed."""
    include_references: bool = False
    frame_mismatch: FrameMismatch = "error"
    split_seed: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    """The plugins' own options, ``--set key=value``."""
    disable: tuple[str, ...] = ()
    workers: int = 1
    shard: str = ""
    """``i/n``, 1-based: the i-th of n parts of the contents."""
    limit: int | None = None
    only: tuple[str, ...] = ()
    """Names of the clips to measure, of all that the other options leave; empty measures all of them."""
    state_dir: Path | None = None
    frames: bool = False
    jsonl: bool = False
    nan_literal: bool = False
    snapshot: int | None = None
    """Minutes between tables written on the way, or None."""
    manifest_out: Path | None = None
    retry_failed: bool = False
    max_failures: int | None = None
    allow_missing: bool = False
    rehash: bool = False
    record_host: bool = False
    """Let the manifest name the machine and the user."""
    timeout_s: float = 300.0
    """A worker that shows no progress for so long is replaced, its clip marked."""

    @property
    def table(self) -> Path:
        return (self.out or Path(f"{self.corpus}.parquet")).absolute()

    def check(self) -> None:
        """Refuse values that no run can have.

        Raises
        ------
        UsageError
            Names the option and the values it takes.
        """
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers}: give at least 1")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit}: give at least 1")
        if not self.timeout_s > 0:
            raise UsageError(f"--timeout {self.timeout_s:g}: give a positive number of seconds")
        if self.table.suffix != ".parquet":
            raise UsageError(f"--out {self.out}: give a name that ends in .parquet")
        if self.table.is_dir():
            raise UsageError(f"--out {self.out}: this is a folder; give the name of a file")
        if self.max_failures is not None and self.max_failures < 0:
            raise UsageError(f"--max-failures {self.max_failures}: give 0 or more")
        if self.snapshot is not None and not self.snapshot > 0:
            raise UsageError(f"--snapshot {self.snapshot}: give at least 1 minute")
        self.shard_numbers()

    def shard_numbers(self) -> tuple[int, int]:
        """``(i, n)`` of ``--shard i/n``; (1, 1) where none is asked for."""
        if not self.shard:
            return 1, 1
        index, _, count = self.shard.partition("/")
        if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise UsageError(f"--shard {self.shard}: give i/n with 1 <= i <= n, such as 2/4")
        return int(index), int(count)


def resolve_features(text: str) -> tuple[str, ...]:
    """Features named by a comma-separated list of sets and names, in the locked order.

    Raises
    ------
    UsageError
        A name is neither a set nor a feature.
    """
    wanted: set[str] = set()
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise UsageError(f"--features {text!r} names nothing; give none for labels and headers alone")
    for name in names:
        if name in FEATURE_SETS:
            wanted.update(FEATURE_SETS[name])
        elif name in FEATURES:
            wanted.add(name)
        else:
            raise UsageError(
                f"--features {name}: no such feature; give {', '.join(FEATURE_SETS)}, or names among {', '.join(FEATURES)}"
            )
    return tuple(feature for feature in FEATURES if feature in wanted)
