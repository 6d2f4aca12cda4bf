"""`corekit evaluate`: a model on rows that it has not learnt from, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from corekit.cli.output import print_json, print_table

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("model", type=_PATH, metavar="MODEL")
@click.argument("tables", type=_PATH, nargs=-1, required=True, metavar="TABLE...")
@click.option("--out", type=_PATH, metavar="DIR", help="Folder to write.  [default: <table>.evaluation]")
@click.option(
    "--rows",
    type=click.Choice(["auto", "test", "all"]),
    default="auto",
    help="auto: the test split of a table that the model learnt from, every row of another.",
)
@click.option("--label", metavar="COLUMN", help="Column to compare with.  [default: the one that the model learnt]")
@click.option("--group", metavar="COLUMN", help="What the bootstrap resamples.  [default: content]")
@click.option("--rung", metavar="COLUMN", help="Rung of the ladder.  [default: rung]")
@click.option(
    "--mapping",
    type=click.Choice(["logistic4", "logistic5", "linear", "none"]),
    default="logistic4",
    help="Mapping of predictions to labels before PLCC and RMSE; fitted on these rows.",
)
@click.option("--drop-missing", is_flag=True, help="Leave out rows without a label or feature; they are counted.")
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def evaluate(
    *, model: Path, tables: tuple[Path, ...], out: Path | None, rows: Literal["auto", "test", "all"], label: str | None,
    group: str | None, rung: str | None, mapping: Literal["logistic4", "logistic5", "linear", "none"],
    drop_missing: bool, seed: int, as_json: bool,
) -> int:  # fmt: skip
    """Hold a model against labelled rows that it has not learnt from: another corpus, or its test split.

    MODEL is the folder that `corekit train` wrote. The mapping is fitted anew on these rows, as in a cross-corpus test.
    Writes report.json, report.html, folds.json, predictions.parquet and evaluation.manifest.json.

    \b
    Examples:
      corekit evaluate chug_hdr_mos_head_v1 chug.parquet
      corekit evaluate chug_hdr_mos_head_v1 other.parquet --out other-evaluation
    """
    from corekit.driver.evaluate import EvaluateOptions
    from corekit.driver.evaluate import evaluate as hold
    from corekit.driver.train import words

    result = hold(
        EvaluateOptions(
            model=model, tables=tables, out=out, rows=rows, label=label, group=group, rung=rung, mapping=mapping,
            drop_missing=drop_missing, seed=seed,
        )
    )  # fmt: skip
    report = result.report
    if as_json:
        print_json(report)
        return 0
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(
        f"{report.model_id} on {report.n} clips of {report.n_groups} {report.protocol.group}s; {words.protocol(report)}"
    )
    click.echo()
    print_table(words.MEASURE_HEADER, words.measure_rows(report), empty="")
    click.echo()
    click.echo(f"report    {result.folder / 'report.html'}")
    click.echo(f"manifest  {result.manifest_path}")
    return 0
