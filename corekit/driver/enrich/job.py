"""One enrichment from its options to the table: read the metadata, survey, refuse or rewrite, write the manifest."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from corekit.driver import provenance
from corekit.driver.enrich.cells import Filler, replaced
from corekit.driver.enrich.corpora import table_corpora
from corekit.driver.enrich.keys import Keys, check_labels, seeds_of
from corekit.driver.enrich.metadata import read_metadata, without
from corekit.driver.enrich.options import EnrichOptions
from corekit.driver.enrich.protected import TABLE_NAMES
from corekit.driver.enrich.report import MOST_LISTED, EnrichReport
from corekit.driver.enrich.source import FileSource, PluginSource
from corekit.driver.enrich.splits import Splits
from corekit.driver.enrich.survey import Survey, shared_stems, survey
from corekit.driver.enrich.typed import value_type
from corekit.driver.enrich.write import (
    keep_manifest,
    prepare_table,
    read_ahead,
    with_fingerprint,
)
from corekit.driver.kept import refuse_loss
from corekit.errors import CorpusError, UsageError
from corekit.files import locked, publish, sha256_file, write_atomic
from corekit.manifest import (
    Artefact,
    ColumnRecord,
    ConflictRecord,
    EnrichManifest,
    EnrichSection,
    ParentRecord,
    PathRecord,
    Roots,
    RunProvenance,
    TableRecord,
    TimingRecord,
    known_manifest,
    manifest_path,
    sealed,
    settle,
)
from corekit.schema import FEATURES, SCHEMA_VERSION, fingerprint
from corekit.table import column_type, columns_of, read_batches, read_schema, source_date_epoch

if TYPE_CHECKING:
    import pyarrow as pa


def enrich(options: EnrichOptions) -> EnrichReport:
    """Fill metadata columns of an existing table.

    Returns the report; with ``dry_run`` nothing is written, and nothing either where no cell changes in place.

    Raises
    ------
    UsageError
        An option, the table or a key cannot be used, too few rows have metadata, or another process writes the table.
    PluginError
        The corpus has no usable plugin.
    CorpusError
        The metadata is malformed or ambiguous (names file and line), or none of it is about the table.
    """
    options.check()
    check_labels(options)
    if not options.table.is_file():
        raise UsageError(f"{options.table} does not exist; name a Parquet table")
    with nullcontext() if options.dry_run else locked(options.target):
        if not options.dry_run:
            settle(options.manifest, (options.target,))
            _refuse_loss(options)
        return _Job(options).run()


def _refuse_loss(options: EnrichOptions) -> None:
    own = options.table.absolute().resolve() == options.target
    if own and options.manifest_out is None:
        return  # its manifest is kept under another name
    refuse_loss(
        f"--out {options.out}" if options.out else f"{options.table}",
        written=[options.target],
        manifest=options.manifest,
        inputs=filter(None, [options.metadata, None if own else options.table]),
        named=None if own else options.target,
        manifest_said=f"--manifest-out {options.manifest_out}" if options.manifest_out else "",
    )


class _Job:
    def __init__(self, options: EnrichOptions) -> None:
        self._options = options
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._clock = time.monotonic()
        self._notes: list[str] = []
        self._schema = _schema_of(options)
        self._named_by = _naming_column(options, self._schema)
        corpora = table_corpora(options, self._schema)
        self._by_corpus = len(corpora) > 1
        self._keys = Keys(options, self._schema, corpora)
        self._source: FileSource | PluginSource = (
            FileSource(options.metadata, options.key)
            if options.metadata
            else PluginSource.open(
                options.corpus or "", options.root, settings=dict(options.settings), disable=options.disable
            )
        )
        self._shown = (
            str(options.metadata)
            if isinstance(self._source, FileSource)
            else f"corpus {options.corpus} at {self._source.corpus.root}"
        )
        self._metadata = read_metadata(self._source, options, self._keys, corpora)
        self._check_rows(corpora)
        self._shared: list[ConflictRecord] = []

    def _check_rows(self, corpora: Sequence[str]) -> None:
        metadata = self._metadata
        if metadata.rows > sum(metadata.foreign.values()):
            return
        if metadata.foreign:
            raise CorpusError(
                f"every row of {self._shown} names another corpus ({', '.join(metadata.foreign)}) than "
                f"{self._options.table} ({', '.join(corpora)}); give metadata of the table's corpus"
            )
        if metadata.malformed:
            first = metadata.malformed_lines[0]
            raise CorpusError(
                f"no line of {self._shown} is left: all {metadata.malformed} were passed over, the first because "
                f"{first.where} {first.problem}; correct them"
            )
        raise CorpusError(f"{self._shown} has no rows; give a file that has one for each clip")

    def run(self) -> EnrichReport:
        self._keys.check_found(self._metadata.available, self._shown)
        splits = self._splits()
        if self._options.normalize == "stem":
            self._settle_stems()
        filler = self._filler(splits)
        found = survey(self._options, filler, self._metadata, named_by=self._named_by)
        found.check(self._shown)
        schema, written = self._next_schema(found, splits)
        self._note(found)
        report = self._report(found, schema)
        if self._options.dry_run or (not written and self._options.target == self._options.table.absolute().resolve()):
            return report
        self._write(filler, schema, written, report, splits)
        return msgspec.structs.replace(report, written=True)

    def _filler(self, splits: Splits | None) -> Filler:
        return Filler(
            self._schema,
            self._metadata,
            splits,
            named_by=self._named_by,
            stem=self._options.normalize == "stem",
            overwrite=self._options.overwrite_metadata,
            by_corpus=self._by_corpus,
        )

    def _splits(self) -> Splits | None:
        if self._options.no_split:
            return None
        seeds = seeds_of(self._keys.corpora, self._options.split_seed)
        if not seeds:
            self._notes.append("splits are left as they are: no corpus says their seed (--corpus, --split-seed)")
            return None
        splits = Splits(
            self._schema,
            self._metadata,
            seeds,
            overwrite=self._options.overwrite_metadata,
            by_corpus=self._by_corpus,
        )
        if not splits.contents_known:
            self._notes.append("splits are left as they are: neither the table nor the metadata names contents")
            return None
        return splits

    def _settle_stems(self) -> None:
        """Clips of the table that differ in their extension alone cannot both own one row of metadata."""
        columns = [self._named_by, *(["corpus"] if self._by_corpus else [])]
        shared = shared_stems(self._options.table, self._filler(None), columns, self._named_by)
        self._shared = [conflict for _, conflict in shared]
        if shared and self._options.on_conflict == "error":
            clips = " and ".join(shared[0][1].where[:2])
            raise CorpusError(
                f"{clips} of {self._options.table} have one stem, so the same row of {self._shown} would go to both; leave "
                "--normalize stem out, or choose with --on-conflict: skip fills neither, first and last fill both"
            )
        if self._options.on_conflict == "skip":
            self._metadata = without(self._metadata, [at for at, _ in shared])

    def _next_schema(self, found: Survey, splits: Splits | None) -> tuple[pa.Schema, list[str]]:
        """The schema of the new table, and the columns that are not passed on as they are."""
        import pyarrow as pa

        wanted = {key: array.type for key, array in self._metadata.columns.items()}
        if splits is not None and found.derived:
            wanted |= dict.fromkeys(splits.columns, pa.string())
        schema, written = self._schema, []
        for name, type_ in wanted.items():
            if name not in schema.names:
                schema = schema.append(pa.field(name, type_))
                written.append(name)
            elif found.changed[name]:
                at = schema.get_field_index(name)
                if pa.types.is_null(schema.field(at).type):
                    schema = schema.set(at, schema.field(at).with_type(type_))
                written.append(name)
        return with_fingerprint(schema), written

    def _note(self, found: Survey) -> None:
        options = self._options
        if options.normalize == "stem":
            self._notes.append("clips were joined by their names without extensions (--normalize stem)")
        if self._by_corpus:
            self._notes.append("the table holds several corpora: clips were joined within their corpus")
        if foreign := self._metadata.foreign:
            self._notes.append(
                f"rows of the metadata that name a corpus of which the table has no clips ({', '.join(foreign)}) were left "
                f"out: {sum(foreign.values())}"
            )
        if self._keys.left_out:
            self._notes.append(
                f"keys that are never taken from metadata were left out: {', '.join(self._keys.left_out)}"
            )
        if not options.no_split and {"split", "split_policy"} & {*self._metadata.available} == {"split"}:
            self._notes.append(
                f"the splits of {self._shown} were not taken: it does not say that the corpus gives them"
            )
        known = known_manifest(manifest_path(options.table.absolute()))
        if known is None:
            self._notes.append("no manifest of corekit lies beside the table")
        elif all(artefact.file != options.table.name for artefact in known.artefacts.values()):
            self._notes.append("the manifest beside the table names other files")

    def _report(self, found: Survey, schema: pa.Schema) -> EnrichReport:
        metadata = self._metadata
        conflicts = [*metadata.conflicting, *self._shared]
        new = [field for field in schema if field.name not in self._schema.names]
        cells = {key: found.changed[key] for key in metadata.columns}
        splits = {name: count for name, count in found.changed.items() if name not in metadata.columns}
        return EnrichReport(
            table=str(self._options.target),
            manifest=str(self._options.manifest),
            written=False,
            dry_run=self._options.dry_run,
            counters={
                "rows": found.rows,
                "metadata_rows": metadata.rows,
                "matched_rows": found.matched,
                "missing_rows": found.rows - found.matched,
                "updated_cells": sum(cells.values()),
                "split_cells": sum(splits.values()),
                "new_columns": len(new),
                "unused_metadata_clips": found.unused + metadata.foreign_clips,
                "repeated_metadata_rows": metadata.repeated,
                "malformed_lines": metadata.malformed,
                "conflicting_clips": metadata.conflicts + len(self._shared),
            },
            keys=tuple(metadata.columns),
            updated_cells=cells | {name: count for name, count in splits.items() if count},
            new_columns={field.name: str(field.type) for field in new},
            malformed=metadata.malformed_lines,
            conflicts=tuple(conflicts[:MOST_LISTED]),
            missing=tuple(found.missing),
            notes=tuple(self._notes),
            cells=tuple(found.cells),
        )

    def _write(
        self, filler: Filler, schema: pa.Schema, written: list[str], report: EnrichReport, splits: Splits | None
    ) -> None:
        options = self._options
        table = options.table.absolute()
        before = table.stat()
        mode = before.st_mode if options.out is None else None
        with ThreadPoolExecutor(1) as beside:
            hashing = beside.submit(sha256_file, table)
            batches = read_ahead(self._rewritten(filler, schema, written))
            artefact = prepare_table(options.target, schema, batches, mode=mode)
            parent_sha256 = hashing.result()
        _check_unchanged(options, before, report.counters["rows"], artefact.rows)
        earlier, manifest_sha256 = keep_manifest(options.target if options.out is None else table, options.manifest)
        parent = ParentRecord(file=table.name, sha256=parent_sha256, manifest_sha256=manifest_sha256)
        corpus = self._source.corpus.root if isinstance(self._source, PluginSource) else None
        roots = Roots(output=options.target.parent, home=options.manifest.parent, corpus=corpus)
        manifest = self._manifest(
            schema, artefact, parent, report, splits, str(earlier) if earlier else None, before.st_size, roots
        )
        write_atomic(options.manifest, sealed(manifest, roots))
        publish(options.target)

    def _rewritten(self, filler: Filler, schema: pa.Schema, written: list[str]) -> Iterator[pa.Table]:
        for batch in read_batches(self._options.table):
            yield replaced(batch, schema, filler.fill(batch), written)

    def _manifest(
        self, schema: pa.Schema, artefact: Artefact, parent: ParentRecord, report: EnrichReport, splits: Splits | None,
        earlier: str | None, parent_bytes: int, roots: Roots,
    ) -> EnrichManifest:  # fmt: skip
        options, epoch = self._options, source_date_epoch()
        columns = columns_of(schema)
        types = {field.name: column_type(field.type) or str(field.type) for field in schema}
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        return EnrichManifest(
            created=epoch or finished,
            run_provenance=self._provenance(artefact, parent, parent_bytes, roots),
            artefacts={"table": artefact},
            parents=[parent],
            table=TableRecord(
                schema_version=SCHEMA_VERSION,
                schema_fingerprint=fingerprint(columns),
                feature_order=list(FEATURES),
                columns=[ColumnRecord(name, type_) for name, type_ in types.items()],
            ),
            code=provenance.code_record(self._keys.plugins),
            environment=provenance.environment_record("cpu", record_host=options.record_host),
            counters=report.counters,
            timings=TimingRecord(
                started=self._started, finished=finished, wall_s=round(time.monotonic() - self._clock, 3)
            ),
            enrich=EnrichSection(
                corpora=list(self._keys.corpora),
                join={
                    "table": self._named_by,
                    "metadata": ", ".join(self._metadata.joined_by),
                    "normalize": options.normalize,
                },
                available_keys=list(self._metadata.available),
                keys=list(report.keys),
                overwrite_metadata=options.overwrite_metadata,
                allow_labels=list(options.allow_labels),
                on_conflict=options.on_conflict,
                skip_malformed=options.skip_malformed,
                min_coverage=options.min_coverage,
                split_seeds=dict(splits.seeds) if splits else {},
                updated_cells=report.updated_cells,
                new_columns=[ColumnRecord(name, types[name]) for name in report.new_columns],
                malformed=list(report.malformed),
                conflicts=list(report.conflicts),
                earlier_manifest=earlier,
                notes=list(report.notes),
            ),
        )

    def _provenance(self, artefact: Artefact, parent: ParentRecord, parent_bytes: int, roots: Roots) -> RunProvenance:
        options = self._options
        table = PathRecord(
            path=str(options.table.absolute()), exists=True, kind="file", sha256=parent.sha256, size_bytes=parent_bytes
        )
        inputs: dict[str, PathRecord | list[PathRecord]] = {"table": table}
        if options.metadata is not None:
            inputs["metadata"] = provenance.path_record(options.metadata.absolute())
        elif isinstance(self._source, PluginSource):
            corpus = self._source.corpus
            inputs["root"] = provenance.path_record(corpus.root.absolute())
            inputs["labels"] = [provenance.path_record(path.absolute()) for path in corpus.label_files().values()]
        outputs = provenance.written_records(options.target.parent, {"table": artefact})
        outputs["manifest"] = PathRecord(path=str(options.manifest), exists=False, kind="missing")
        return provenance.run_provenance("corekit/driver/enrich/job.py", options, roots, inputs=inputs, outputs=outputs)


def _schema_of(options: EnrichOptions) -> pa.Schema:
    schema = read_schema(options.table)
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{options.table} has two columns called {twice!r}; rename one of them")
    return schema


def _naming_column(options: EnrichOptions, schema: pa.Schema) -> str:
    for name in TABLE_NAMES:
        if name in schema.names and column_type(value_type(schema.field(name).type)) == "str":
            return name
    raise UsageError(f"{options.table} has no column that names its clips ({', '.join(TABLE_NAMES)})")


def _check_unchanged(options: EnrichOptions, before: os.stat_result, surveyed: int, written: int | None) -> None:
    now = options.table.stat()
    same = (before.st_ino, before.st_size, before.st_mtime_ns) == (now.st_ino, now.st_size, now.st_mtime_ns)
    if not same or surveyed != written:
        raise UsageError(f"{options.table} was changed while it was read; run the command again")
