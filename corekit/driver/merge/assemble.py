"""The merge itself: look at every input, decide which rows stay, write them in order with the manifest that says so."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from corekit.driver.kept import refuse_loss
from corekit.driver.merge.checks import (
    refuse_mixed_definitions,
    refuse_mixed_kinds,
    refuse_same_bytes,
    refuse_split_conflicts,
    teacher_models,
)
from corekit.driver.merge.dedup import Differences, Duplicates, compare, find_duplicates, reason
from corekit.driver.merge.jsonl import open_jsonl
from corekit.driver.merge.labels import read_labels
from corekit.driver.merge.listing import write_duplicates
from corekit.driver.merge.options import MergeOptions, corpus_of, resolve_inputs
from corekit.driver.merge.publish import Merged, publish_merge, write_table
from corekit.driver.merge.scan import Scan, scan
from corekit.driver.merge.source import Source, open_parquet
from corekit.driver.merge.tally import Tally
from corekit.driver.merge.unify import conform, refuse_unnamed_rows, unify, with_corpus, with_labels, with_teacher
from corekit.driver.parents import look_at, refuse_changed
from corekit.driver.publish import provenance_time
from corekit.errors import UsageError
from corekit.files import locked
from corekit.manifest import MergeManifest, settle
from corekit.model import Column
from corekit.table import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa


class MergeResult(Struct, frozen=True):
    """What a merge wrote."""

    table: Path
    manifest_file: Path
    duplicates: Path | None
    """The list of duplicates, where one was asked for."""
    manifest: MergeManifest


class _Decided(Struct, frozen=True):
    """What the first pass over clip inputs decided."""

    found: Scan
    pairs: Duplicates
    differences: Differences


def merge(options: MergeOptions) -> MergeResult:
    """Put tables together: one schema, one scale of labels, no row twice.

    The output and its manifest appear whole or not at all; inputs are never written.

    Raises
    ------
    UsageError
        Nothing to merge, inputs that do not belong in one table, or a lock on the output.
    CorpusError
        A row cannot be used: names the file and the line or row.
    IntegrityError
        An input changed while it was read.
    """
    options.check()
    with locked(options.table):
        settle(options.manifest, (options.table, options.duplicates))
        with _spill_folder(options.table) as spill:
            return _merge(options, spill)


def _merge(options: MergeOptions, spill: Path) -> MergeResult:
    started, clock = provenance_time(), time.monotonic()
    inputs = resolve_inputs(options)
    refuse_loss(
        f"--out {options.out}",
        written=[options.table, options.duplicates],
        manifest=options.manifest,
        inputs=[given.path for given in inputs],
        named=options.table,
        manifest_said=f"--manifest-out {options.manifest_out}" if options.manifest_out else "",
    )
    corpora = corpus_of(options, inputs)
    parents = look_at([given.path for given in inputs])
    sources = []
    for index, (given, corpus) in enumerate(zip(inputs, corpora, strict=True)):
        if given.path.suffix in (".jsonl", ".ndjson", ".json"):
            sources.append(open_jsonl(given, corpus, spill / f"{index}.parquet"))
        else:
            sources.append(open_parquet(given, corpus))
    refuse_mixed_kinds(sources)
    _refuse_options_of_the_other_kind(options, sources[0])
    columns = unify(sources, options.scale)
    notes = []
    teachers = [""] * len(sources)
    if sources[0].kind == "frame":
        refuse_same_bytes(sources, parents)
        teachers = teacher_models(sources, options.assume_teacher)
        unsaid = refuse_mixed_definitions(sources, parents)
        if unsaid:
            notes.append(f"nothing says how the features of {', '.join(unsaid)} were made")
        decided = None
    else:
        decided = _decide(options, sources, columns)
    tally = Tally(sources, columns)
    with write_table(options, columns, _batches(options, sources, columns, decided, tally)) as written:
        listed = None
        if options.report_duplicates and decided is not None:
            listed = write_duplicates(options, sources, decided.found, decided.pairs, decided.differences, columns)
        refuse_changed([given.path for given in inputs], parents)
        merged = Merged(
            sources=sources, parents=parents, columns=columns, written=written, duplicates=listed, tally=tally,
            teachers=teachers, notes=notes, counters=_counters(sources, decided, tally),
            conflicts=_conflicts(decided), dropped=_dropped(decided), alike=decided.found.alike if decided else [],
            started=started, wall_s=time.monotonic() - clock,
        )  # fmt: skip
        manifest = publish_merge(options, merged)
    return MergeResult(options.table, options.manifest, options.duplicates if listed else None, manifest)


def _refuse_options_of_the_other_kind(options: MergeOptions, source: Source) -> None:
    if source.kind == "clip":
        if options.assume_teacher:
            raise UsageError("--assume-teacher is for frame tables; clip rows say their vmaf_model each")
        return
    if options.scale != "native":
        raise UsageError(f"--scale {options.scale} is for clip tables; frame rows have no labels")
    if options.report_duplicates:
        raise UsageError("--report-duplicates is for clip tables; no frame row is ever dropped")
    if options.table.suffix != ".parquet":
        raise UsageError(f"--out {options.out}: frame rows have no JSONL view; give a name that ends in .parquet")


def _decide(options: MergeOptions, sources: list[Source], columns: list[Column]) -> _Decided:
    known = {column.name for column in columns}
    unknown = [name for name in options.dedup_key if name not in known]
    if unknown:
        raise UsageError(
            f"--dedup-key: no input has a column {unknown[0]}; give names among {', '.join(sorted(known))}"
        )
    found = scan(sources, columns, options.dedup_key, need_scale=options.scale == "0-100")
    refuse_split_conflicts(sources, found.splits)
    pairs = find_duplicates(found, options.dedup_key)
    return _Decided(found, pairs, compare(sources, found, pairs, columns, options.dedup_key))


def _batches(
    options: MergeOptions, sources: list[Source], columns: list[Column], decided: _Decided | None, tally: Tally
) -> Iterator[pa.Table]:
    """The rows that stay, in the order of the inputs and of their files."""
    import numpy as np
    import pyarrow as pa

    schema = arrow_schema(columns, {"kind": sources[0].kind})
    names = [column.name for column in columns]
    labelled = decided is not None and "mos" in names
    stays = None
    if decided is not None:
        stays = np.ones(int(decided.found.starts[-1]), dtype=bool)
        stays[decided.pairs.dropped] = False
    position = 0
    for index, source in enumerate(sources):
        before = 0
        for batch in source.batches(names):
            table = conform(batch, source, columns, schema)
            if decided is None:
                refuse_unnamed_rows(table, source, before)
                table = with_teacher(table, options.assume_teacher)
            elif labelled:
                table = with_labels(table, read_labels(with_corpus(batch, source), need_scale=False))
            mask = None if stays is None else stays[position : position + table.num_rows]
            tally.see(index, table, mask)
            before += table.num_rows
            position += table.num_rows
            yield table if mask is None or mask.all() else table.filter(pa.array(mask))


def _counters(sources: list[Source], decided: _Decided | None, tally: Tally) -> dict[str, int]:
    counters = {
        "inputs": len(sources),
        "rows_in": sum(source.rows for source in sources),
        "rows_out": sum(tally.kept),
        "v2_rows": sum(source.counts.get("v2_rows", 0) for source in sources),
    }
    if decided is None:
        return counters
    encode, conflicting = decided.pairs.encode, decided.differences.any()
    return counters | {
        "duplicates": len(decided.pairs),
        "encode_duplicates": int(encode.sum()),
        "duplicates_identical": int((encode & ~conflicting).sum()),
        "duplicates_conflicting": int((encode & conflicting).sum()),
        "label_duplicates": int((~encode).sum()),
        "possible_duplicates": len(decided.found.alike),
        "unique_sources": decided.found.unique_sources(decided.pairs.dropped),
    }


def _conflicts(decided: _Decided | None) -> dict[str, int]:
    """Column to number of dropped encode rows that differ there."""
    if decided is None:
        return {}
    return decided.differences.counts(decided.pairs.encode)


def _dropped(decided: _Decided | None) -> dict[str, int]:
    """Reason to number of rows."""
    if decided is None:
        return {}
    pairs = decided.pairs
    reasons = Counter(
        "equal key, the first stays" if encode else reason(decided.found, kept, dropped)
        for kept, dropped, encode in zip(pairs.kept, pairs.dropped, pairs.encode, strict=True)
    )
    return dict(sorted(reasons.items()))


@contextmanager
def _spill_folder(table: Path) -> Iterator[Path]:
    """A hidden folder beside the output, for JSONL inputs in columns; one that a crash left is emptied first."""
    folder = table.with_name(f".{table.name}.merge")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
