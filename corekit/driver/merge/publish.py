"""What a merge writes: the table and the manifest that says how it came about, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct

from corekit.driver import provenance
from corekit.driver.kept import listed_by
from corekit.driver.merge.jsonl import LABEL_KEYS, V2_KEYS
from corekit.driver.merge.options import MergeOptions
from corekit.driver.merge.source import Source
from corekit.driver.merge.tally import Tally
from corekit.driver.parents import Parent
from corekit.driver.publish import provenance_time
from corekit.errors import IntegrityError
from corekit.files import prepare, publish, sha256_file, temporary_beside, write_atomic
from corekit.manifest import (
    Artefact,
    ColumnRecord,
    MergeInput,
    MergeManifest,
    MergeSection,
    ParentRecord,
    PathRecord,
    Roots,
    RunProvenance,
    TableRecord,
    TimingRecord,
    sealed,
)
from corekit.model import Column
from corekit.schema import FEATURES, SCHEMA_VERSION, fingerprint
from corekit.table import Row, Written, source_date_epoch, write_batches, write_json_lines

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRY = "corekit/driver/merge/assemble.py"
_NAMED = 5
_LISTED = 100
"""Possible duplicates that the manifest lists."""


class Merged(Struct, frozen=True, kw_only=True):
    """Everything that the manifest tells."""

    sources: Sequence[Source]
    parents: Sequence[Parent]
    columns: Sequence[Column]
    written: Written
    duplicates: Written | None
    tally: Tally
    teachers: Sequence[str]
    notes: Sequence[str]
    counters: dict[str, int]
    conflicts: dict[str, int]
    dropped: dict[str, int]
    alike: Sequence[dict[str, Any]]
    started: str
    wall_s: float


@contextmanager
def write_table(options: MergeOptions, columns: Sequence[Column], batches: Iterable[pa.Table]) -> Iterator[Written]:
    """Write the rows under a temporary name, which goes where the block fails."""
    path = options.table
    with prepare(path) as file:
        written = _write(file, path, columns, batches)
    try:
        if sha256_file(temporary_beside(path)) != written.sha256:
            raise IntegrityError(f"{path} does not hold what was written; check the disk and run the command again")
        yield written
    except BaseException:
        temporary_beside(path).unlink(missing_ok=True)
        temporary_beside(options.duplicates).unlink(missing_ok=True)
        raise


def _write(file: BinaryIO, path: Path, columns: Sequence[Column], batches: Iterable[pa.Table]) -> Written:
    if path.suffix == ".jsonl":
        return write_json_lines(file, columns, _rows(batches))
    batches = iter(batches)
    first = next(batches)
    return write_batches(file, columns, first.schema, _with_first(first, batches))


def _with_first(first: pa.Table, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from batches


def _rows(batches: Iterable[pa.Table]) -> Iterator[Row]:
    for batch in batches:
        yield from batch.to_pylist()


def publish_merge(options: MergeOptions, merged: Merged) -> MergeManifest:
    """Write the manifest, then let the prepared files take their places."""
    table = options.table
    kind = "frame-table" if merged.sources[0].kind == "frame" else "clip-table"
    artefacts = {"table": _artefact(table, "v3-jsonl" if table.suffix == ".jsonl" else kind, merged.written)}
    if merged.duplicates is not None:
        artefacts["duplicates"] = _artefact(options.duplicates, "duplicates", merged.duplicates)
    roots = Roots(output=table.parent, home=options.manifest.parent)
    manifest = _manifest(options, merged, artefacts, roots)
    listed = {path.resolve() for path in listed_by(options.manifest)}  # a list that no merge wrote is not ours
    write_atomic(options.manifest, sealed(manifest, roots))
    publish(table)
    if merged.duplicates is not None:
        publish(options.duplicates)
    elif options.duplicates.resolve() in listed:
        options.duplicates.unlink(missing_ok=True)
    return manifest


def _artefact(path: Path, kind: Any, written: Written) -> Artefact:
    return Artefact(
        file=path.name,
        kind=kind,
        rows=written.rows,
        size_bytes=temporary_beside(path).stat().st_size,
        sha256=written.sha256,
        logical_sha256=written.logical_sha256,
    )


def _manifest(options: MergeOptions, merged: Merged, artefacts: dict[str, Artefact], roots: Roots) -> MergeManifest:
    finished = provenance_time()
    inputs = list(zip(merged.sources, merged.parents, strict=True))
    return MergeManifest(
        created=source_date_epoch() or finished,
        run_provenance=_provenance(options, merged, artefacts, roots),
        artefacts=artefacts,
        parents=[
            ParentRecord(file=s.given.path.name, sha256=p.sha256, manifest_sha256=p.manifest_sha256) for s, p in inputs
        ],
        table=TableRecord(
            schema_version=SCHEMA_VERSION,
            schema_fingerprint=fingerprint(merged.columns),
            feature_order=list(FEATURES),
            columns=[ColumnRecord(column.name, column.type) for column in merged.columns],
        ),
        code=provenance.code_record([]),
        environment=provenance.environment_record("cpu", record_host=options.record_host),
        counters=merged.counters,
        timings=TimingRecord(started=merged.started, finished=finished, wall_s=round(merged.wall_s, 3)),
        merge=_section(options, merged),
    )


def _section(options: MergeOptions, merged: Merged) -> MergeSection:
    tally, clips = merged.tally, merged.sources[0].kind == "clip"
    values = {name: dict(sorted(counter.items())) for name, counter in tally.values.items()}
    notes = list(merged.notes)
    for source, parent in zip(merged.sources, merged.parents, strict=True):
        if parent.state != "current":
            notes.append(_STATES[parent.state].format(source.given.shown))
    models = [model for model in values["vmaf_model"] if model]
    backends = [backend for backend in values["feature_backend"] if backend]
    for what, names in (("vmaf models", models), ("feature backends", backends)):
        if len(names) > 1:
            shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            notes.append(f"rows of several {what} are in one table: {shown}; each row says its own")
    return MergeSection(
        kind=merged.sources[0].kind,
        inputs=[
            MergeInput(
                label=source.given.label,
                file=source.given.path.name,
                stored=source.stored,
                sha256=parent.sha256,
                rows=source.rows,
                rows_kept=tally.kept[index],
                manifest=parent.state,
                corpora=dict(sorted(tally.corpora[index].items())),
                teacher_model=merged.teachers[index],
                missing_features=tally.missing_features(index),
                null_cells=tally.null_cells(index),
            )
            for index, (source, parent) in enumerate(zip(merged.sources, merged.parents, strict=True))
        ],
        corpora=values["corpus"],
        scale=options.scale,
        required_keys=list(V2_KEYS) if clips else ["source", "frame_index"],
        label_required_keys=list(LABEL_KEYS) if clips else [],
        dedup_key=list(options.dedup_key) if clips else [],
        label_dedup_key=["src_sha256"] if clips else [],
        assumed_teacher=options.assume_teacher,
        vmaf_models=values["vmaf_model"],
        feature_backends=values["feature_backend"],
        conflicts=merged.conflicts,
        dropped=merged.dropped,
        possible_duplicates=list(merged.alike[:_LISTED]),
        notes=notes,
    )


_STATES = {
    "stale": "the manifest beside {} speaks of other bytes than those of the file",
    "missing": "no manifest lies beside {}",
    "unreadable": "the manifest beside {} cannot be read",
}


def _provenance(
    options: MergeOptions, merged: Merged, artefacts: Mapping[str, Artefact], roots: Roots
) -> RunProvenance:
    tables = [
        PathRecord(
            path=os.path.normpath(s.given.path.absolute()),
            exists=True,
            kind="file",
            sha256=p.sha256,
            size_bytes=p.size_bytes,
        )
        for s, p in zip(merged.sources, merged.parents, strict=True)
    ]
    inputs: dict[str, PathRecord | list[PathRecord]] = {"tables": list(tables)}
    if options.input_list is not None:
        inputs["input_list"] = provenance.path_record(options.input_list.absolute())
    outputs = provenance.written_records(options.table.parent, artefacts)
    outputs["manifest"] = PathRecord(path=str(options.manifest), exists=False, kind="missing")
    return provenance.run_provenance(_ENTRY, options, roots, inputs=inputs, outputs=outputs)
