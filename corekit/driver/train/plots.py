"""The report's plots as SVG text: deterministic, and in the colour of the page's own text."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from corekit.driver.train.report import FoldRecord, Importance, PredictionRow, TrainReport
from corekit.learning.conformal import coverage, half_width
from corekit.learning.statistics import fit_mapping

_INK = "#010203"
"""Becomes ``currentColor``, so that plots follow a light or a dark page."""
_BLUE, _ORANGE, _GREY = "#3b82c4", "#d9792b", "#8a8f98"
_MOST_BARS = 15
_MOST_RUNGS = 12
_STYLE: Any = {
    "svg.hashsalt": "corekit",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
}


def draw(report: TrainReport, predictions: Sequence[PredictionRow], folds: Sequence[FoldRecord]) -> dict[str, str]:
    """Title to SVG of every plot that these results allow."""
    held = [row for row in predictions if row.predicted is not None]
    plots: dict[str, Callable[[Any], None]] = {}
    if len(held) > 1:
        plots["Held-out predictions against labels"] = lambda axes: _scatter(axes, report, held)
        plots["Residuals"] = lambda axes: _residuals(axes, held)
    if len(folds) > 1 and any(fold.agreement.srocc is not None for fold in folds):
        plots["SROCC over the folds"] = lambda axes: _spread(axes, folds)
    if len({row.rung for row in held}) > 1 and len({row.rung for row in held}) <= _MOST_RUNGS:
        plots["Residuals by rung"] = lambda axes: _by_rung(axes, held)
    if any(one.rmse_growth > 0 for one in report.importance):
        plots["Permutation importance"] = lambda axes: _importance(axes, report.importance)
    if len(held) >= 20:
        plots["Do the intervals hold what they promise?"] = lambda axes: _calibration(axes, held)
    return {title: _svg(plot) for title, plot in plots.items()}


def _svg(plot: Callable[[Any], None]) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        plot(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def _scatter(axes: Any, report: TrainReport, held: Sequence[PredictionRow]) -> None:
    predicted, label = _pairs(held)
    axes.scatter(predicted, label, s=10 if len(held) < 500 else 4, alpha=0.5, color=_BLUE, linewidths=0)
    line = np.linspace(predicted.min(), predicted.max(), 100)
    mapping = fit_mapping(predicted, label, _mapping_name(report))
    axes.plot(line, mapping(line), color=_ORANGE, label=f"{mapping.name} fit")
    if report.interval.half_width is not None:
        half = report.interval.half_width
        axes.fill_between(
            line,
            line - half,
            line + half,
            color=_GREY,
            alpha=0.2,
            linewidth=0,
            label=f"{report.interval.level:.0%} interval",
        )
    axes.set(xlabel="prediction", ylabel=report.target or f"label ({report.label.column})")
    axes.legend(loc="upper left")


def _residuals(axes: Any, held: Sequence[PredictionRow]) -> None:
    predicted, label = _pairs(held)
    axes.hist(predicted - label, bins=min(40, max(8, len(held) // 8)), color=_BLUE, alpha=0.8)
    axes.axvline(0.0, color=_INK, linewidth=0.8)
    axes.set(xlabel="prediction - label", ylabel="clips")


def _spread(axes: Any, folds: Sequence[FoldRecord]) -> None:
    ours = [fold.agreement.srocc for fold in folds if fold.agreement.srocc is not None]
    theirs = [fold.metadata_srocc for fold in folds if fold.metadata_srocc is not None]
    names, values = ["model"], [ours]
    if theirs:
        names.append("metadata only")
        values.append(theirs)
    _boxes(axes, values, names)
    axes.set_ylabel("SROCC of a fold")


def _by_rung(axes: Any, held: Sequence[PredictionRow]) -> None:
    rungs = sorted(
        {row.rung for row in held}, key=lambda rung: np.mean([row.label for row in held if row.rung == rung])
    )
    values = [[(row.predicted or 0.0) - row.label for row in held if row.rung == rung] for rung in rungs]
    _boxes(axes, values, rungs)
    axes.axhline(0.0, color=_INK, linewidth=0.8)
    axes.tick_params(axis="x", rotation=35 if len(rungs) > 3 else 0)
    axes.set_ylabel("prediction - label")


def _boxes(axes: Any, values: Sequence[Sequence[float]], names: Sequence[str]) -> None:
    boxes = axes.boxplot(values, patch_artist=True, widths=0.5, flierprops={"markersize": 3, "markeredgecolor": _GREY})
    for box in boxes["boxes"]:
        box.set(facecolor=_BLUE, alpha=0.6, edgecolor=_INK)
    for part in ("whiskers", "caps", "medians"):
        for line in boxes[part]:
            line.set_color(_ORANGE if part == "medians" else _INK)
    axes.set_xticks(range(1, len(names) + 1), names, ha="center" if len(names) <= 3 else "right")


def _importance(axes: Any, importance: Sequence[Importance]) -> None:
    shown = list(importance[:_MOST_BARS])[::-1]
    axes.barh(range(len(shown)), [one.rmse_growth for one in shown], color=_BLUE, alpha=0.8)
    axes.set_yticks(range(len(shown)), [one.feature for one in shown], fontsize=7)
    axes.set_xlabel("growth of RMSE where the feature is shuffled")


def _calibration(axes: Any, held: Sequence[PredictionRow]) -> None:
    """Width from one half of the groups, share held in the other half."""
    groups = sorted({row.group for row in held})
    first = set(groups[::2])
    one = [row for row in held if row.group in first]
    other = [row for row in held if row.group not in first]
    levels, shares = [], []
    for level in np.arange(0.1, 1.0, 0.05):
        half = half_width(np.abs(np.subtract(*_pairs(one))), float(level)) if one and other else None
        if half is not None:
            levels.append(float(level))
            shares.append(coverage(*_pairs(other), half))
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle="--", label="as promised")
    axes.plot(levels, shares, color=_BLUE, marker="o", markersize=3, label="measured on the other half of the groups")
    axes.set(xlabel="level of the interval", ylabel="share of labels held", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")


def _pairs(rows: Sequence[PredictionRow]) -> tuple[Any, Any]:
    return np.array([row.predicted for row in rows], np.float64), np.array([row.label for row in rows], np.float64)


def _mapping_name(report: TrainReport) -> Any:
    return report.protocol.mapping
