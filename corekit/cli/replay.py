"""`corekit replay`: an artefact made again from its manifest and compared, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from corekit.cli.output import print_json
from corekit.cli.places import place_options

if TYPE_CHECKING:
    from corekit.driver.replay import ReplayReport

_MOST = 20


@click.command(context_settings={"show_default": True})
@click.argument("path", type=click.Path(path_type=Path), metavar="MANIFEST|TABLE|MODEL")
@click.option("--sample", type=click.IntRange(min=1), default=8, metavar="N", help="Rows of a run to measure again.")
@click.option("--all", "everything", is_flag=True, help="Measure every row again.")
@click.option("--backend", metavar="NAME", help="Measure with this backend instead of the recorded one.")
@click.option("--workers", type=click.IntRange(min=1), default=1, metavar="N", help="Clips that are measured at once.")
@place_options
@click.option("--no-attest", is_flag=True, help="Do not write <manifest>.replay.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    *, path: Path, sample: int, everything: bool, backend: str | None, workers: int, roots: dict[str, Path],
    search: tuple[Path, ...], no_attest: bool, as_json: bool,
) -> int:  # fmt: skip
    """Make a table or model again from the inputs and options that its manifest records, in a scratch folder, and compare.

    Of a run a sample is measured, drawn by the run's id, or every row with --all; an enrichment, a merge and a training
    are made again whole. Equal means equal by logical digest, or in every cell of the sample. Otherwise each column that
    differs is listed with its largest difference, what its feature and backend allow, and the clips.

    \b
    Examples:
      corekit replay chug.parquet --root /data/CHUG
      corekit replay chug.manifest.json --all --workers 8
      corekit replay chug.parquet --backend libvmaf
      corekit replay chug_hdr_mos_head_v1

    \b
    Exit codes:
      0  equal, or within tolerance
      4  it cannot be replayed here; the reason is printed
      5  something differs
    """
    from corekit.driver.chain import Places
    from corekit.driver.replay import ReplayOptions
    from corekit.driver.replay import replay as again

    report = again(
        ReplayOptions(
            path=path,
            sample=None if everything else sample,
            backend=backend,
            workers=workers,
            places=Places(roots=roots, search=search),
            attest=not no_attest,
        )
    )
    print_json(report) if as_json else _show(report)
    return {"equal": 0, "within tolerance": 0, "not replayable": 4, "different": 5}[report.result]


def _show(report: ReplayReport) -> None:
    for reason in report.reasons:
        click.echo(f"note: {reason}", err=True)
    for name, (recorded, present) in report.environment.items():
        click.echo(f"note: {name} was {recorded}, here it is {present}", err=True)
    if report.sampled is not None:
        click.echo(f"sample of {len(report.sampled)} rows: {', '.join(report.sampled)}")
    for one in report.artefacts:
        rows = "" if one.rows is None else f", {one.rows} rows"
        detail = f" ({one.detail})" if one.detail else ""
        click.echo(f"{one.file}: {one.result}{rows}{detail}")
        for row in one.missing_rows[:_MOST]:
            click.echo(f"  not made again: {row}")
        for row in one.new_rows[:_MOST]:
            click.echo(f"  not recorded: {row}")
        for column in one.differences[:_MOST]:
            apart = (
                "" if column.largest is None else f", at most {column.largest:.3g} apart (allowed {column.tolerance:g})"
            )
            click.echo(
                f"  {column.column}: {column.rows} rows{apart}; {column.clips[0]} was {column.recorded}, is {column.made_again}"
            )
        if len(one.differences) > _MOST:
            click.echo(f"  and {len(one.differences) - _MOST} more columns")
    click.echo(f"{report.command}: {report.result}")
