"""`corekit train`: a model from clip tables, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from corekit.cli.output import print_json, print_table

if TYPE_CHECKING:
    from corekit.driver.train import TrainResult

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option("--corpus", metavar="NAME", help="Corpus whose plugin says what is learnt and what the model is called.")
@click.option(
    "--table",
    "tables",
    type=_PATH,
    multiple=True,
    metavar="FILE",
    help="Clip table: Parquet, CSV or JSONL; repeatable.  [default: <corpus>.parquet]",
)
@click.option("--out", type=_PATH, metavar="DIR", help="Folder to write.  [default: the model's id]")
@click.option("--label", metavar="COLUMN", help="Column that is learnt.  [default: mos; mos_native of DMOS rows]")
@click.option("--target", metavar="FEATURE", help="Learn a teacher's feature, such as vmaf, under its own name.")
@click.option(
    "--features",
    metavar="LIST",
    help="Sets (canonical, full, a corpus's own), features, columns and globs, comma-separated.  "
    "[default: the corpus's choice, else full]",
)
@click.option("--group", metavar="COLUMN", help="What must not be split.  [default: content, where the table has it]")
@click.option("--rung", metavar="COLUMN", help="Rung of the ladder.  [default: rung, where the table has it]")
@click.option(
    "--protocol",
    default="grouped",
    metavar="NAME",
    help="grouped, stored-split, loso, cross:TABLE, or random where no two rows share a group.",
)
@click.option("--repeats", type=int, default=100, metavar="N", help="Splits of the grouped protocol.")
@click.option("--test-fraction", type=float, default=0.2, metavar="SHARE", help="Share of the groups that is held out.")
@click.option(
    "--mapping",
    type=click.Choice(["logistic4", "logistic5", "linear", "none"]),
    default="logistic4",
    help="Mapping of predictions to labels before PLCC and RMSE.",
)
@click.option(
    "--model", default="svr-blend", metavar="NAME", help="svr-blend, svr, ridge, mlp-v1 (needs torch), or auto."
)
@click.option("--model-id", metavar="ID", help="What the model is called.  [default: the corpus's choice]")
@click.option(
    "--impute",
    type=click.Choice(["error", "median"]),
    default="error",
    help="A feature without a value: an error, or the median of the training rows.",
)
@click.option("--drop-missing", is_flag=True, help="Leave out rows without a label or feature; they are counted.")
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of the folds and of the learning.")
@click.option("--workers", type=int, default=1, metavar="N", help="Folds that are fitted at once.")
@click.option(
    "--require-gate",
    "gate",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[FILE.toml]",
    help="Write no model, and end with exit code 6, where a gate is missed; a file sets other limits.",
)
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--record-host", is_flag=True, help="Let the manifest name the machine and the user.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def train(
    *, corpus: str | None, tables: tuple[Path, ...], out: Path | None, label: str | None, target: str | None,
    features: str | None, group: str | None, rung: str | None, protocol: str, repeats: int, test_fraction: float,
    mapping: Literal["logistic4", "logistic5", "linear", "none"], model: str, model_id: str | None,
    impute: Literal["error", "median"], drop_missing: bool, seed: int, workers: int, gate: str | None,
    disable: tuple[str, ...], record_host: bool, as_json: bool,
) -> int:  # fmt: skip
    """Learn a model from clip tables, in the protocol of the field, beside what needs no pixel.

    Whole contents are held out, hyper-parameters and scaling are chosen inside the training part, and the report
    compares with the mean label and with metadata alone. What is missing is an error until you say what to do with it.

    \b
    Writes      <out>/model.onnx, model.safetensors, card.md, report.json, report.html,
                predictions.parquet, folds.json, model.manifest.json
    Status      a model is `proposed` until it passes the gates of the 1..5 axis
    Refused     a row-random split of a table with contents; labels of several kinds;
                rows of another corpus than --corpus; a content in two stored splits

    \b
    Examples:
      corekit train --corpus chug --table chug.parquet
      corekit train --table konvid.csv --features 'f*' --label mos --model svr --impute median
      corekit train --table netflix.parquet --target vmaf --features canonical --protocol loso
      corekit train --table a.parquet --features canonical --protocol cross:b.parquet

    docs/train.md says more.
    """
    from corekit.driver.train import TrainOptions
    from corekit.driver.train import train as learn

    result = learn(
        TrainOptions(
            corpus=corpus,
            tables=tables,
            out=out,
            label=label,
            target=target,
            features=features,
            group=group,
            rung=rung,
            protocol=protocol,
            repeats=repeats,
            test_fraction=test_fraction,
            mapping=mapping,
            model=model,
            model_id=model_id,
            impute=impute,
            drop_missing=drop_missing,
            seed=seed,
            workers=workers,
            gate=Path(gate) if gate else None,
            require_gate=gate is not None,
            disable=disable,
            record_host=record_host,
        ),
        tell=None if as_json else _tell,
    )
    if as_json:
        print_json(result.report)
    else:
        _print(result)
    return 0


def _tell(done: int, count: int) -> None:
    if count > 1 and (done == count or done % max(1, count // 10) == 0):
        click.echo(f"{done} of {count} folds", err=True)


def _print(result: TrainResult) -> None:
    from corekit.driver.train import words

    report = result.report
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{report.model_id}: {report.title}, {report.model} on {len(report.features)} features")
    click.echo(f"{report.n} clips of {report.n_groups} {report.protocol.group}s; {words.protocol(report)}")
    click.echo()
    print_table(words.MEASURE_HEADER, words.measure_rows(report), empty="")
    click.echo()
    click.echo(words.pooled(report))
    for baseline in report.baselines:
        srocc = baseline.measures.srocc.median if baseline.measures.srocc else None
        rmse = baseline.measures.rmse.median if baseline.measures.rmse else None
        click.echo(
            f"{baseline.name}: SROCC {words.number(srocc)}, RMSE {words.number(rmse)}; {words.comparison(baseline.comparison)}"
        )
    for gate in report.gates:
        click.echo(f"gate {words.gate(gate)}")
    click.echo(f"status    {words.status(report)}")
    click.echo(f"model     {result.folder}")
    click.echo(f"report    {result.folder / 'report.html'}")
    click.echo(f"manifest  {result.manifest_path}")
