"""The contract of an export format: a table to read from, a file to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from msgspec import Struct

from corekit.errors import CorpusError
from corekit.model import Column, NoOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from corekit.manifest import AnyManifest

TableKind = Literal["clip", "frame"]


class ExportSource:
    """The table that is exported, read in portions, and what is known of it."""

    def __init__(
        self,
        path: Path,
        *,
        kind: TableKind,
        columns: Sequence[Column],
        sha256: str,
        manifest: AnyManifest | None,
        manifest_file: Path | None,
        out: Path,
    ) -> None:
        self.path = path
        self.kind: TableKind = kind
        self.columns = tuple(columns)
        """Name, type, and where it is known meaning and unit, of every column in order."""
        self.sha256 = sha256
        self.manifest = manifest
        """The manifest that speaks of these bytes, or None."""
        self.manifest_file = manifest_file
        self.out = out
        """Where the export goes; a format that names the table does so from there."""

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    def batches(self) -> Iterator[pa.Table]:
        """The rows as Arrow tables, in order."""
        from corekit.table import read_batches

        return read_batches(self.path)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows as plain values, None where there is none."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def require(self, names: Sequence[str], format_name: str) -> None:
        """Refuse a table that lacks what the format is made of.

        Raises
        ------
        CorpusError
            Names the first column that is not there.
        """
        for name in names:
            if name not in self.names:
                raise CorpusError(
                    f"{self.path} has no column {name}, which {format_name} is made of; export a clip table of `corekit run`"
                )


class ExportFormat(Struct, frozen=True, kw_only=True):
    """One format. ``write`` takes the table, the open file and the parsed options, and returns the number of rows written."""

    name: str
    """Value of ``--to``."""
    title: str
    suffix: str
    """Of the default output, ``<table><suffix>``."""
    write: Callable[[ExportSource, BinaryIO, Any], int]
    kinds: tuple[TableKind, ...] = ("clip",)
    """Tables that it can hold."""
    options: type[Struct] = NoOptions
    """Struct type of ``--set key=value``; every field has a default."""


def known_columns(described: Mapping[str, Column], columns: Sequence[Column]) -> list[Column]:
    """The columns with the meaning, unit and default that core or a corpus's plugin gives them."""
    found = []
    for column in columns:
        known = described.get(column.name)
        found.append(known if known is not None and known.type == column.type else column)
    return found
