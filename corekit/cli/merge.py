"""`corekit merge`: tables put together, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from corekit.cli.output import print_json
from corekit.errors import UsageError

if TYPE_CHECKING:
    from corekit.driver.merge import MergeResult
    from corekit.driver.merge.options import Scale

_FEW = 6
_PATH = click.Path(path_type=Path)


def _corpus_sources(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    sources = {}
    for pair in pairs:
        path, equals, name = pair.rpartition("=")
        if not equals or not path or not name:
            raise UsageError(f"--corpus-source {pair}: give PATH=NAME")
        sources[path] = name
    return sources


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name.strip() for name in value.split(","))


@click.command(context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, metavar="[LABEL=]PATH...")
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="Table to write: .parquet, or .jsonl.")
@click.option(
    "--inputs", "input_list", type=_PATH, metavar="FILE", help="Text file that names further inputs, one a line."
)
@click.option(
    "--scale",
    type=click.Choice(["native", "0-100"]),
    default="native",
    help="Leave labels on their own axes, or add mos_0_100 and the spread on that axis.",
)
@click.option(
    "--corpus-source",
    "corpus_sources",
    multiple=True,
    callback=_corpus_sources,
    metavar="PATH=NAME",
    help="Corpus of the rows of an input that name none; repeatable.",
)
@click.option(
    "--dedup-key",
    callback=_names,
    metavar="COLUMNS",
    help="What makes two encode rows one.  [default: src_sha256,encoder,preset,crf,extra_params,vmaf_model]",
)
@click.option(
    "--report-duplicates", is_flag=True, help="Also write <out>.duplicates.jsonl: every dropped row, and why."
)
@click.option(
    "--assume-teacher", default="", metavar="MODEL", help="Model of vmaf in frame rows that name none; recorded."
)
@click.option(
    "--manifest-out", type=_PATH, metavar="FILE", help="Where the manifest goes.  [default: <out>.manifest.json]"
)
@click.option("--record-host", is_flag=True, help="Let the manifest name the machine and the user.")
@click.option("--json", "as_json", is_flag=True, help="Print the counters and what was noticed as JSON.")
def merge(
    *, inputs: tuple[str, ...], out: Path, input_list: Path | None, scale: Scale, corpus_sources: dict[str, str],
    dedup_key: tuple[str, ...] | None, report_duplicates: bool, assume_teacher: str, manifest_out: Path | None,
    record_host: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Put tables together: one schema, one scale of labels, no row twice, and a manifest that says what became of each input.

    An input is a clip table, a frame table, or a JSONL file of v3, v2 or label rows; ours, or of the older scripts. It is
    named by its path, by LABEL=PATH (the corpus of frame rows that name none), or by its manifest. Clip rows and frame rows
    do not go together. Rows keep the order of the inputs and of their files; inputs are never written.

    \b
    Columns     the locked order, then the inputs' own; a feature that an input lacks
                is null in its rows and listed in the manifest
    Labels      the row's own scale decides, for older files that of their corpus;
                an unknown scale and a value outside it are errors with the row
    Duplicates  encode rows of one key: the first stays; label rows of the same bytes:
                the smallest known standard deviation stays; frame rows: none is dropped
    Refused     one content in two splits; frame tables of several teacher models,
                numeric classes or definitions of a feature

    \b
    Examples:
      corekit merge chug.parquet konvid.parquet --scale 0-100 --out labels.parquet
      corekit merge part1.parquet part2.parquet part3.parquet --out chug.parquet
      corekit merge netflix=a.frames.parquet konvid=b.frames.parquet --out frames.parquet
      corekit merge a.jsonl b.jsonl --dedup-key src_sha256,encoder,preset,crf --report-duplicates --out encodes.parquet
      corekit merge lsvq.jsonl --corpus-source lsvq.jsonl=lsvq --scale 0-100 --out lsvq.parquet

    docs/merge.md says more.
    """
    from corekit.driver.merge import NATURAL_KEY, MergeOptions
    from corekit.driver.merge import merge as put_together

    result = put_together(
        MergeOptions(
            inputs=inputs,
            out=out,
            input_list=input_list,
            scale=scale,
            dedup_key=NATURAL_KEY if dedup_key is None else dedup_key,
            report_duplicates=report_duplicates,
            assume_teacher=assume_teacher,
            corpus_sources=corpus_sources,
            manifest_out=manifest_out,
            record_host=record_host,
        )
    )
    _report(result, as_json=as_json)
    return 0


def _report(result: MergeResult, *, as_json: bool) -> None:
    section, counters = result.manifest.merge, result.manifest.counters
    if as_json:
        print_json({"table": str(result.table), "counters": counters, "merge": section})
        return
    for note in section.notes:
        click.echo(f"corekit: {note}", err=True)
    for given in section.inputs:
        click.echo(f"{given.label}: {given.rows} rows, {given.rows_kept} kept{_without(given.missing_features)}")
    for reason, rows in section.dropped.items():
        click.echo(f"dropped: {rows} ({reason})")
    if counters.get("duplicates_conflicting"):
        fields = ", ".join(f"{name} {rows}" for name, rows in section.conflicts.items())
        click.echo(f"of these differ: {counters['duplicates_conflicting']} ({fields})")
    if counters.get("possible_duplicates"):
        click.echo(f"possible duplicates, kept: {counters['possible_duplicates']} clip ids in several corpora")
    if result.duplicates is not None:
        click.echo(f"duplicates: {result.duplicates}")
    click.echo(f"{counters['rows_out']} rows: {result.table}")


def _without(features: list[str]) -> str:
    if not features:
        return ""
    named = ", ".join(features) if len(features) <= _FEW else f"{len(features)} features (the manifest lists them)"
    return f", without {named}"
