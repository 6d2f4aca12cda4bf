"""`corekit enrich`: metadata into a table that exists, never touching a feature value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corekit.cli.output import print_json, print_table
from corekit.cli.settings import parse_settings

if TYPE_CHECKING:
    from corekit.driver.enrich import EnrichReport

_PATH = click.Path(path_type=Path)
_MOST_CELLS = 50
_MOST_LINES = 10


@click.command(context_settings={"show_default": True})
@click.argument("table", type=_PATH, metavar="TABLE")
@click.option(
    "--metadata", type=_PATH, metavar="FILE", help="Sidecar: .jsonl, .csv (UTF-8, comma, header) or .parquet."
)
@click.option(
    "--corpus",
    metavar="NAME",
    help="Corpus whose metadata keys are taken; without --metadata its plugin also gives the values.  "
    "[default: what the table or the sidecar says]",
)
@click.option("--root", type=_PATH, metavar="DIR", help="Corpus root, instead of --metadata; else its variable.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=parse_settings,
    metavar="KEY=VALUE",
    help="Option of the corpus plugin; repeatable.",
)
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option(
    "--keys",
    multiple=True,
    metavar="GLOB",
    help="Take the keys that match, instead of the declared ones; repeatable.",
)
@click.option(
    "--key",
    multiple=True,
    metavar="NAME",
    help="Column of the sidecar that names the clip; repeatable, by preference.  [default: src, filename, clip_name]",
)
@click.option(
    "--normalize",
    type=click.Choice(["none", "stem"]),
    default="none",
    help="stem: compare names without their extensions.",
)
@click.option(
    "--overwrite-metadata", is_flag=True, help="Also replace values that are there, and derive all splits anew."
)
@click.option(
    "--allow-labels", multiple=True, metavar="COLUMN", help="Also fill this label column, if it is empty; repeatable."
)
@click.option(
    "--on-conflict",
    type=click.Choice(["error", "skip", "first", "last"]),
    default="error",
    help="Two rows of one clip disagree: stop, leave the clip alone, or believe one of them.",
)
@click.option("--skip-malformed", is_flag=True, help="Pass over lines that are malformed or do not fit, and list them.")
@click.option(
    "--min-coverage",
    type=float,
    default=0.95,
    metavar="PART",
    help="Refuse where fewer of the table's rows find metadata.",
)
@click.option("--split-seed", metavar="SEED", help="Seed of the content-hash split.  [default: the corpus's]")
@click.option("--no-split", is_flag=True, help="Leave the split columns as they are.")
@click.option("--out", type=_PATH, metavar="FILE.parquet", help="Table to write.  [default: TABLE itself]")
@click.option("--manifest-out", type=_PATH, metavar="FILE", help="Manifest to write.  [default: <out>.manifest.json]")
@click.option("--record-host", is_flag=True, help="Let the manifest name the machine and the user.")
@click.option("--dry-run", is_flag=True, help="Print the cells that would change, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result (or the dry run) as JSON.")
def enrich(*, key: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Fill metadata columns of a Parquet table from a sidecar, or from the corpus itself.

    A row of the table (clip_name, or what an older table has instead) takes the metadata of the clip with the same
    base name. Taken are the keys that the corpus's plugin declares as metadata, or those that --keys names; new
    columns are appended. Only cells without a value are filled. Features, labels and what identifies a row are
    never written; every other value, type, column and row stays as and where it was.

    A malformed line, a value that does not fit its column or two rows that disagree about a clip stop the command
    before anything is written, with file and line. So do zero matches and too few (--min-coverage).

    Split columns (split, <corpus>_split_key, <corpus>_split_policy) are derived from the content where a row has no
    split. --no-split leaves them.

    The table is rewritten beside itself and put in place in one step: a kill leaves the old or the new one whole. Its
    manifest is kept under another name and linked from the new one. docs/enrich.md says more.

    \b
    Examples:
      corekit enrich chug.parquet --metadata chug.jsonl --dry-run
      corekit enrich chug.parquet --metadata chug.jsonl
      corekit enrich chug.parquet --corpus chug --root /data/CHUG --overwrite-metadata
      corekit enrich old.parquet --metadata notes.csv --key file --keys 'note_*' --out new.parquet
      corekit enrich old.parquet --metadata old.jsonl --skip-malformed --on-conflict skip --min-coverage 0.8

    \b
    Exit codes:
      0  done, or nothing to change
      2  an option, the table or a key cannot be used, coverage, lock
      3  the metadata is malformed or ambiguous, or none of it is about this table
    """
    from corekit.driver.enrich import EnrichOptions
    from corekit.driver.enrich import enrich as enrich_table

    if key:
        given["key"] = key
    options = EnrichOptions(**given)
    report = enrich_table(options)
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: EnrichReport) -> None:
    counters = report.counters
    if report.dry_run:
        _show_cells(report)
    state = "written" if report.written else "as it was: nothing to change" if not report.dry_run else "not written"
    _line("table", f"{report.table} ({state})")
    if report.written:
        _line("manifest", report.manifest)
    _line("rows", f"{counters['matched_rows']} of {counters['rows']} have metadata")
    changes = ", ".join(f"{name} {count}" for name, count in report.updated_cells.items() if count)
    _line("cells", f"{counters['updated_cells']} of metadata, {counters['split_cells']} of splits")
    _line("", changes)
    _line("new", ", ".join(f"{name} ({type_})" for name, type_ in report.new_columns.items()))
    _several("passed over", counters["malformed_lines"], [f"{bad.where} {bad.problem}" for bad in report.malformed])
    _several(
        "conflicts",
        counters["conflicting_clips"],
        [f"{bad.clip_name}: {', '.join(bad.where)}" for bad in report.conflicts],
    )
    _several("without", counters["missing_rows"], list(report.missing))
    for note in report.notes:
        _line("note", note)


def _show_cells(report: EnrichReport) -> None:
    rows = [
        [str(cell.row), cell.clip_name or "", cell.column, _shown(cell.before), _shown(cell.after)]
        for cell in report.cells[:_MOST_CELLS]
    ]
    print_table(["row", "clip", "column", "before", "after"], rows, empty="no cell would change")
    more = report.counters["updated_cells"] + report.counters["split_cells"] - len(rows)
    if more > 0:
        click.echo(f"and {more} more cells (--json lists {len(report.cells)} of all)")
    click.echo()


def _shown(value: object) -> str:
    return "-" if value is None else "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def _several(name: str, count: int, items: list[str]) -> None:
    if count:
        _line(name, str(count))
        for item in items[:_MOST_LINES]:
            _line("", _shown(item))


def _line(name: str, text: str) -> None:
    if text:
        click.echo(f"{name:<11} {text}")
