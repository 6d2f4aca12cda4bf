"""`corekit predict`: a score for one clip, or for the rows of a table, on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from corekit.cli.output import print_json, print_table
from corekit.errors import UsageError

_PATH = click.Path(path_type=Path)
_TABLES = (".parquet", ".pq", ".csv", ".jsonl", ".ndjson")


def _values(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, float]:
    values = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError(f"--value {pair}: give NAME=NUMBER") from None
    return values


@click.command(context_settings={"show_default": True})
@click.argument("model", type=_PATH, metavar="MODEL")
@click.argument("what", type=_PATH, metavar="CLIP|TABLE")
@click.option(
    "--reference", type=_PATH, metavar="CLIP", help="Pristine version of the clip, for full-reference features."
)
@click.option(
    "--value",
    "values",
    multiple=True,
    callback=_values,
    metavar="NAME=NUMBER",
    help="Input of the model that no clip tells, such as the bit rate of its rung; repeatable.",
)
@click.option("--backend", default="auto", metavar="NAME", help="What measures the features of a clip.")
@click.option("--device", default="auto", metavar="NAME", help="Device of that backend.")
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--out", type=_PATH, metavar="FILE", help="Write the scores of a table as Parquet, with a manifest.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def predict(
    *, model: Path, what: Path, reference: Path | None, values: dict[str, float], backend: str, device: str,
    disable: tuple[str, ...], out: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Score a clip (decoded and measured here) or every row of a clip table, with the interval that goes with it.

    MODEL is the folder that `corekit train` wrote. An input outside the range that the model learnt from is said.

    \b
    Examples:
      corekit predict my_mos_head clip.mp4 --reference pristine.mp4
      corekit predict my_mos_head clips.parquet --out scores.parquet
    """
    if what.suffix.lower() in _TABLES:
        for option, given in (("--reference", reference is not None), ("--value", values)):
            if given:
                raise UsageError(f"{option}: {what} is a table, whose columns are the inputs; give it with a clip")
        return _of_table(model, what, out, as_json=as_json)
    if out is not None:
        raise UsageError(f"--out {out}: the score of one clip is printed, not written; give a table, or use --json")
    from corekit.driver.predict import PredictOptions, predict_clip

    found = predict_clip(
        PredictOptions(
            model=model, clip=what, reference=reference, values=values, backend=backend, device=device, disable=disable
        )
    )
    if as_json:
        print_json(found)
        return 0
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    interval = "" if found.low is None else f" ({found.low:.3f}..{found.high:.3f} holds {found.level:.0%} of labels)"
    click.echo(f"{found.clip}: {found.what} {found.score:.3f}{interval}")
    click.echo(f"model {found.model_id} ({found.status}), features by {found.backend}")
    return 0


def _of_table(model: Path, table: Path, out: Path | None, *, as_json: bool) -> int:
    from corekit.driver.predict import PredictTableOptions, predict_table, write_scores

    if out is None:
        scores = predict_table(model, (table,))
    else:
        scores = write_scores(PredictTableOptions(model=model, tables=(table,), out=out))
    if as_json:
        print_json({"what": scores.what, "rows": scores.rows, "warnings": scores.warnings})
        return 0
    for warning in scores.warnings:
        click.echo(f"warning: {warning}", err=True)
    if out is not None:
        click.echo(f"{len(scores.rows)} scores: {out.absolute()}")
        return 0
    header = ["clip_name", scores.what, "low", "high", "inputs_outside"]
    rows = [[_shown(row[name]) for name in header] for row in scores.rows]
    print_table(header, rows, empty="no row")
    return 0


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
