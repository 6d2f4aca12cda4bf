"""`corekit verify`: whether tables, models and their manifests are what they say, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from corekit.cli.output import print_json
from corekit.cli.places import place_options

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("paths", type=_PATH, nargs=-1, required=True, metavar="MANIFEST|TABLE...")
@click.option(
    "--inputs",
    type=click.Choice(["none", "labels", "all"]),
    default="labels",
    help="Inputs to hash again: none, all but the clips, or the clips too.",
)
@place_options
@click.option("--verbose", is_flag=True, help="Also list what is as it should be.")
@click.option("--json", "as_json", is_flag=True, help="Print every check as JSON.")
def verify(
    *, paths: tuple[Path, ...], inputs: Literal["none", "labels", "all"], roots: dict[str, Path], search: tuple[Path, ...],
    verbose: bool, as_json: bool,
) -> int:  # fmt: skip
    """Take again every digest that a manifest names: its own, its artefacts', its inputs' and its parents', all the way up.

    \b
    ok        as recorded
    moved     not where it was, but found by its digest below --search
    replaced  a later command rewrote it in place; its manifest was kept
    changed   other bytes than recorded, or an edited manifest
    missing   not there

    \b
    Examples:
      corekit verify chug.parquet
      corekit verify chug.manifest.json --inputs all --root /data/CHUG
      corekit verify model/ --search ~/tables

    \b
    Exit codes:
      0  everything is as recorded
      5  something is changed or missing
    """
    from corekit.driver.chain import Places
    from corekit.driver.verify import VerifyOptions
    from corekit.driver.verify import verify as check

    report = check(VerifyOptions(paths=paths, inputs=inputs, places=Places(roots=roots, search=search)))
    if as_json:
        print_json({"ok": report.ok, "counts": report.counts(), "checks": report.checks})
        return 0 if report.ok else 5
    for one in report.checks:
        if verbose or one.state != "ok":
            detail = f" ({one.detail})" if one.detail else ""
            click.echo(f"{one.state:<8}  {one.what}: {one.path}{detail}")
    counts = ", ".join(f"{number} {state}" for state, number in report.counts().items())
    click.echo(f"{'ok' if report.ok else 'NOT ok'}: {counts}")
    return 0 if report.ok else 5
