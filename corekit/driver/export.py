"""A table written in another format, by core or an extension, with a manifest of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from corekit.driver import provenance
from corekit.driver.kept import refuse_loss
from corekit.driver.parents import Parent, look_at, refuse_changed
from corekit.driver.publish import provenance_time
from corekit.errors import CorekitError, PluginError, UsageError
from corekit.exports.base import ExportFormat, ExportSource, TableKind, known_columns
from corekit.files import locked, prepare, publish, write_atomic
from corekit.manifest import (
    Artefact,
    ExportManifest,
    ParentRecord,
    PathRecord,
    Roots,
    TimingRecord,
    manifest_beside,
    sealed,
    settle,
)
from corekit.model import Column
from corekit.plugins.composition import Composition, parse_options
from corekit.plugins.discovery import PluginStatus
from corekit.schema import CORE_COLUMNS, FRAME_COLUMNS
from corekit.table import HashingFile, columns_of, read_batches, read_schema, source_date_epoch

_ENTRY = "corekit/driver/export.py"


class ExportOptions(Struct, frozen=True, kw_only=True):
    """What `corekit export` is asked to do; every field is a command-line option or argument."""

    table: Path
    to: str
    out: Path | None = None
    """File to write; None is the table's name with the format's suffix, beside it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The format's own options, ``--set key=value``."""
    disable: tuple[str, ...] = ()
    record_host: bool = False


class ExportResult(Struct, frozen=True, kw_only=True):
    """What an export wrote."""

    out: Path
    manifest_path: Path
    manifest: ExportManifest
    rows: int


class FormatStatus(Struct, frozen=True, kw_only=True):
    """One format that can be written here."""

    name: str
    title: str
    kinds: tuple[str, ...]
    distribution: str
    options: tuple[str, ...]


def export_formats(disable: tuple[str, ...] = ()) -> list[FormatStatus]:
    """Every format, by name."""
    import msgspec

    return [
        FormatStatus(
            name=name,
            title=one.title,
            kinds=one.kinds,
            distribution=status.distribution,
            options=tuple(option.encode_name for option in msgspec.structs.fields(one.options)),
        )
        for name, (one, status) in sorted(_formats(disable)[0].items())
    ]


def export(options: ExportOptions) -> ExportResult:
    """Write a table in another format; the file appears whole or not at all.

    Raises
    ------
    UsageError
        The format is unknown, cannot hold such a table, or an option of it is wrong; or the table cannot be read.
    CorpusError
        The table lacks what the format is made of.
    """
    started, clock = provenance_time(), time.monotonic()
    chosen, owner = _chosen(options)
    parsed = parse_options(chosen.options, options.settings, f"the format {chosen.name}")
    table = options.table.absolute()
    kind = _kind(table)
    if kind not in chosen.kinds:
        raise UsageError(
            f"--to {chosen.name}: it holds {chosen.kinds[0]} tables, and {options.table} is a {kind} table"
        )
    out = (options.out or table.with_name(f"{table.stem}{chosen.suffix}")).absolute()
    manifest_path = out.with_name(f"{out.name}.manifest.json")
    refuse_loss(f"--out {options.out or out}", written=[out], manifest=manifest_path, inputs=[table], named=out)
    with locked(out):
        settle(manifest_path, [out])
        (parent,) = look_at([table])
        source = _source(table, kind, parent, out, options.disable)
        with prepare(out) as file:
            hashing = HashingFile(file)
            rows = _written(chosen, owner, source, hashing, parsed)
        refuse_changed([table], [parent])
        artefact = Artefact(
            file=out.name,
            kind="export",
            rows=rows,
            size_bytes=hashing.size,
            sha256=hashing.sha256(),
            logical_sha256=hashing.sha256(),
        )
        manifest = _manifest(options, chosen, owner, table, parent, out, artefact, started, time.monotonic() - clock)
        publish(out)
    return ExportResult(out=out, manifest_path=manifest_path, manifest=manifest, rows=rows)


def _formats(disable: tuple[str, ...]) -> tuple[dict[str, tuple[ExportFormat, PluginStatus]], list[PluginStatus]]:
    """Every format with who brings it, and the extensions that cannot be used."""
    composition = Composition(disable)
    broken = composition.add_extensions()
    return composition.export_formats(), broken


def _chosen(options: ExportOptions) -> tuple[ExportFormat, PluginStatus]:
    formats, broken = _formats(options.disable)
    if options.to not in formats:
        lost = "; ".join(f"{status.distribution} cannot be used: {status.reason}" for status in broken)
        raise UsageError(
            f"--to {options.to}: no such format; give {', '.join(sorted(formats))}{f' ({lost})' if lost else ''}"
        )
    return formats[options.to]


def _kind(table: Path) -> TableKind:
    names = read_schema(table).names
    return "frame" if "frame_index" in names else "clip"


def _source(table: Path, kind: TableKind, parent: Parent, out: Path, disable: tuple[str, ...]) -> ExportSource:
    schema = read_schema(table)
    described: dict[str, Column] = {column.name: column for column in (*FRAME_COLUMNS, *CORE_COLUMNS)}
    for name in sorted(_corpora(table, schema.names)):
        try:
            described |= {column.name: column for column in Composition(disable).add_corpus(name).columns}
        except CorekitError:
            continue  # a corpus whose plugin is not here: its columns have names and types alone
    return ExportSource(
        table,
        kind=kind,
        columns=known_columns(described, columns_of(schema)),
        sha256=parent.sha256,
        manifest=parent.manifest if parent.state == "current" else None,
        manifest_file=manifest_beside(table) if parent.state == "current" else None,
        out=out,
    )


def _corpora(table: Path, names: list[str]) -> set[str]:
    if "corpus" not in names:
        return set()
    found: set[str] = set()
    for batch in read_batches(table, ["corpus"]):
        found.update(str(name) for name in batch.column("corpus").unique().to_pylist() if name)
    return found


def _written(chosen: ExportFormat, owner: PluginStatus, source: ExportSource, file: Any, parsed: Struct) -> int:
    try:
        return chosen.write(source, file, parsed)
    except (CorekitError, OSError):
        raise
    except Exception as error:
        where = f"{owner.distribution} {owner.version}".strip()
        raise PluginError(
            owner.name,
            f"the format {chosen.name!r} of {where} failed with {type(error).__name__}: {error}; report it to {where}",
        ) from error


def _manifest(
    options: ExportOptions,
    chosen: ExportFormat,
    owner: PluginStatus,
    table: Path,
    parent: Parent,
    out: Path,
    artefact: Artefact,
    started: str,
    wall_s: float,
) -> ExportManifest:
    finished, roots = provenance_time(), Roots(output=out.parent)
    inputs = PathRecord(path=str(table), exists=True, kind="file", sha256=parent.sha256, size_bytes=parent.size_bytes)
    manifest = ExportManifest(
        created=source_date_epoch() or finished,
        run_provenance=provenance.run_provenance(
            _ENTRY,
            options,
            roots,
            inputs={"table": inputs},
            outputs=provenance.written_records(out.parent, {"export": artefact}),
        ),
        artefacts={"export": artefact},
        parents=[ParentRecord(file=table.name, sha256=parent.sha256, manifest_sha256=parent.manifest_sha256)],
        code=provenance.code_record([owner] if owner.name != "corekit" else []),
        environment=provenance.environment_record("cpu", record_host=options.record_host),
        counters={"rows": artefact.rows or 0},
        timings=TimingRecord(started=started, finished=finished, wall_s=round(wall_s, 3)),
        format=chosen.name,
        distribution=owner.distribution,
        settings=dict(options.settings),
    )
    write_atomic(out.with_name(f"{out.name}.manifest.json"), sealed(manifest, roots))
    return manifest
