"""`corekit export`: a table in another format, on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from corekit.cli.output import print_json, print_table
from corekit.cli.settings import parse_settings
from corekit.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("table", type=_PATH, required=False, metavar="TABLE")
@click.option("--to", metavar="FORMAT", help="Format to write.")
@click.option("--list", "list_formats", is_flag=True, help="List the formats that core and extensions bring.")
@click.option("--out", type=_PATH, metavar="FILE", help="File to write.  [default: beside the table]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=parse_settings,
    metavar="KEY=VALUE",
    help="Option of the format, such as nan_literal=true of jsonl; repeatable.",
)
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--record-host", is_flag=True, help="Let the manifest name the machine and the user.")
@click.option("--json", "as_json", is_flag=True, help="Print the result, or the list, as JSON.")
def export(
    *, table: Path | None, to: str | None, list_formats: bool, out: Path | None, settings: dict[str, str],
    disable: tuple[str, ...], record_host: bool, as_json: bool,
) -> int:  # fmt: skip
    """Write a table in another format, with a manifest of its own beside it.

    \b
    croissant       Croissant 1.1 JSON-LD: every file with its SHA-256, every column described
    csv             every column
    fastvqa-labels  path,duration,fps,mos
    jsonl           v3 rows as strict JSON (nan_literal=true for older readers)
    legacy          Parquet as the older scripts wrote it
    sidecar         labels and metadata alone, what `corekit enrich` reads
    vmaf-dataset    dataset module of VMAF's tools

    \b
    Examples:
      corekit export chug.parquet --to croissant
      corekit export chug.parquet --to jsonl --set nan_literal=true
      corekit export --list
    """
    from corekit.driver.export import ExportOptions, export_formats
    from corekit.driver.export import export as write

    if list_formats:
        formats = export_formats(disable)
        if as_json:
            print_json(formats)
        else:
            rows = [[one.name, ", ".join(one.kinds), one.distribution, one.title] for one in formats]
            print_table(["format", "tables", "distribution", "what"], rows, empty="no format")
        return 0
    if table is None or to is None:
        raise UsageError("give a table and --to FORMAT; --list shows the formats")
    result = write(
        ExportOptions(table=table, to=to, out=out, settings=settings, disable=disable, record_host=record_host)
    )
    if as_json:
        print_json({"out": str(result.out), "manifest": str(result.manifest_path), "rows": result.rows})
    else:
        click.echo(f"{result.rows} rows: {result.out}")
        click.echo(f"manifest  {result.manifest_path}")
    return 0
