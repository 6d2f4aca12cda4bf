"""The model card: the report in Markdown, with the terms that the data came under and what the model is not."""

from __future__ import annotations

from collections.abc import Sequence

from corekit.driver.train import words
from corekit.driver.train.report import Subset, TrainReport


def model_card(report: TrainReport) -> str:
    """The card as Markdown, from the report alone."""
    parts = [
        f"# {report.model_id}",
        f"{report.title}. Status: **{words.status(report)}**.",
        "## What it is",
        _model(report),
        "## Data and terms",
        _data(report),
        "## How it was evaluated",
        f"{words.protocol(report)}. Correlation and error are after the mapping, which is fitted on each evaluated set; the raw "
        f"figures stand below them. The 95 % interval is the {report.protocol.interval}.",
        "## Results",
        _table(words.MEASURE_HEADER, words.measure_rows(report)),
        f"{words.pooled(report)[0].upper()}{words.pooled(report)[1:]}.",
        _interval(report),
        "## Against what needs no pixel",
        "\n".join(_baselines(report)),
    ]
    for title, subsets in (
        ("corpus", report.per_corpus),
        ("rung", report.per_rung),
        ("resolution", report.per_resolution),
    ):
        if len(subsets) > 1:
            parts += [f"## By {title}", _subsets(subsets)]
    parts += ["## Gates", "\n".join(f"* {words.gate(gate)}" for gate in report.gates)]
    parts += ["## Limits", "\n".join(f"* {line}" for line in _limits(report))]
    parts += ["## Inputs, in order", _table(("feature", "least", "greatest"), _inputs(report))]
    return "\n\n".join(parts) + "\n"


def _model(report: TrainReport) -> str:
    learnt = (
        f"the teacher's feature `{report.target}`"
        if report.target
        else f"the {report.label.kind} in `{report.label.column}`"
    )
    chosen = ", ".join(
        f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}" for key, value in report.chosen.items()
    )
    return (
        f"`{report.model}` on {len(report.features)} features, fitted to {report.n_trained} clips; it predicts {learnt}. "
        f"Chosen inside the training part: {chosen or 'nothing'}. The feature standardisation is part of the model file."
    )


def _data(report: TrainReport) -> str:
    corpora = ", ".join(f"{name or 'unnamed'} ({rows} rows)" for name, rows in report.corpora.items())
    lines = [
        f"{report.n} clips of {report.n_groups} {report.protocol.group}s: {corpora}. "
        f"Labels from {report.label.low:g} to {report.label.high:g}.",
        "",
    ]
    lines += [f"* {licence}" for licence in report.licences]
    if not report.licences:
        lines.append("* the terms of the data are not known to corekit; find them before the model is passed on")
    if len(report.licences) > 1:
        lines.append("* the model is under all of these at once: the strictest holds")
    return "\n".join(lines)


def _interval(report: TrainReport) -> str:
    found = report.interval
    if found.half_width is None:
        return f"Too few clips were held out for intervals that hold {found.level:.0%} of the labels."
    measured = (
        "" if found.coverage is None else f"; intervals calibrated on training contents held {found.coverage:.1%}"
    )
    return f"A prediction +- {found.half_width:.4f} is to hold {found.level:.0%} of the labels (split-conformal){measured}."


def _baselines(report: TrainReport) -> list[str]:
    lines = []
    for baseline in report.baselines:
        median = baseline.measures.srocc.median if baseline.measures.srocc else None
        error = baseline.measures.rmse.median if baseline.measures.rmse else None
        lines.append(
            f"* {baseline.name} ({baseline.title}): SROCC {words.number(median)}, RMSE {words.number(error)}; "
            f"{words.comparison(baseline.comparison)}"
        )
    return lines


def _limits(report: TrainReport) -> list[str]:
    lines = list(report.warnings)
    lines.append("A feature outside the range below is extrapolation; `corekit predict` says so.")
    if report.target:
        lines.append(f"It imitates a teacher, {report.target}: what it predicts is no opinion of people.")
    lines += report.notes
    return lines


def _inputs(report: TrainReport) -> list[list[str]]:
    return [[f"`{feature.name}`", f"{feature.low:.6g}", f"{feature.high:.6g}"] for feature in report.features]


def _subsets(subsets: Sequence[Subset]) -> str:
    rows = [
        [
            one.name,
            str(one.agreement.n),
            words.number(one.agreement.srocc),
            words.number(one.agreement.plcc),
            words.number(one.agreement.rmse),
        ]
        for one in subsets
    ]
    return _table(("", "clips", "SROCC", "PLCC", "RMSE"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
