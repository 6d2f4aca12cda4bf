"""The options of a training, as one frozen struct that the command line and a notebook fill alike."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from corekit.errors import UsageError

ProtocolName = Literal["stored-split", "grouped", "loso", "cross", "random"]
Impute = Literal["error", "median"]

PROTOCOLS = ("stored-split", "grouped", "loso", "cross:TABLE", "random")

_MOST_SEED = 2**63 - 1
"""What the report's integers and torch hold."""


class TrainOptions(Struct, frozen=True, kw_only=True):
    """What `corekit train` is asked to do; every field is a command-line option of the same name."""

    corpus: str | None = None
    """Corpus whose plugin says what is learnt; rows of any other are then refused."""
    tables: tuple[Path, ...] = ()
    """Clip tables; none takes ``<corpus>.parquet`` in the working folder."""
    out: Path | None = None
    """Folder to write; None is the model's id in the working folder."""
    label: str | None = None
    """Column that is learnt; None is ``mos``, or ``mos_native`` of rows that hold DMOS."""
    target: str | None = None
    """A teacher's feature to learn instead of a label, such as ``vmaf``."""
    features: str | None = None
    """Sets, feature names, columns and globs, comma-separated; None is the corpus's choice, else ``full``."""
    group: str | None = None
    """Column of what must not be split; None is the content."""
    rung: str | None = None
    """Column of the ladder's rung."""
    protocol: str = "grouped"
    """``stored-split``, ``grouped``, ``loso``, ``cross:TABLE`` or ``random``."""
    repeats: int = 100
    test_fraction: float = 0.2
    mapping: Literal["logistic4", "logistic5", "linear", "none"] = "logistic4"
    model: str = "svr-blend"
    model_id: str | None = None
    impute: Impute = "error"
    drop_missing: bool = False
    seed: int = 0
    workers: int = 1
    gate: Path | None = None
    """TOML file of gates; None has those of the older scripts on the 1..5 axis."""
    require_gate: bool = False
    disable: tuple[str, ...] = ()
    record_host: bool = False
    """Let the manifest name the machine and the user."""

    @property
    def protocol_name(self) -> ProtocolName:
        return cast(ProtocolName, self.protocol.partition(":")[0])

    @property
    def cross_table(self) -> Path | None:
        """The other table of ``cross:TABLE``."""
        _, colon, path = self.protocol.partition(":")
        return Path(path) if colon else None

    def check(self) -> None:
        """Refuse values that no training can have.

        Raises
        ------
        UsageError
            Names the option and the values it takes.
        """
        name, colon, path = self.protocol.partition(":")
        known = [protocol.partition(":")[0] for protocol in PROTOCOLS]
        if name not in known or bool(colon) != (name == "cross") or (colon and not path):
            raise UsageError(f"--protocol {self.protocol}: give {', '.join(PROTOCOLS)}")
        if not self.tables and self.corpus is None:
            raise UsageError("nothing to learn from: give --table FILE, or --corpus NAME")
        if self.repeats < 1:
            raise UsageError(f"--repeats {self.repeats}: give at least 1")
        if not 0 < self.test_fraction < 1:
            raise UsageError(f"--test-fraction {self.test_fraction:g}: give a share between 0 and 1")
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers}: give at least 1")
        check_seed(self.seed)
        if self.label is not None and self.target is not None:
            raise UsageError(
                "--label and --target exclude each other: a label is subjective, a target is a teacher's feature"
            )
        if self.impute != "error" and self.drop_missing:
            raise UsageError("--impute and --drop-missing exclude each other; choose one")


def check_seed(seed: int) -> None:
    """Refuse what is no seed.

    Raises
    ------
    UsageError
        It is negative or has more than 63 bits.
    """
    if seed < 0:
        raise UsageError(f"--seed {seed}: give 0 or more")
    if seed > _MOST_SEED:
        raise UsageError(f"--seed {seed}: give at most {_MOST_SEED}")
