"""How the figures of a report are worded: shared by terminal, page and card."""

from __future__ import annotations

from corekit.driver.train.report import Comparison, Gate, Measures, Summary, TrainReport

MEASURE_NAMES = {
    "srocc": "SROCC",
    "krocc": "KROCC",
    "plcc": "PLCC",
    "rmse": "RMSE",
    "plcc_raw": "PLCC raw",
    "rmse_raw": "RMSE raw",
}


def number(value: float | None, digits: int = 4) -> str:
    """A figure, or a dash where it is not defined."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval(ends: list[float] | None) -> str:
    """``0.7421..0.8130``, or a dash."""
    return "-" if ends is None else f"{ends[0]:.4f}..{ends[1]:.4f}"


def measure_rows(measures: Measures | TrainReport) -> list[list[str]]:
    """Name, median, mean, standard deviation, 95 % interval and folds of each measure."""
    rows = []
    for key, name in MEASURE_NAMES.items():
        found: Summary | None = getattr(measures, key)
        if found is None:
            rows.append([name, "-", "-", "-", "-", "0"])
        else:
            shown = [number(found.median), number(found.mean), number(found.std), interval(found.ci95)]
            rows.append([name, *shown, str(found.folds)])
    return rows


MEASURE_HEADER = ("measure", "median", "mean", "std", "95 % interval", "folds")


def pooled(report: TrainReport) -> str:
    """The figures over all held-out clips together, in one line."""
    found = report.pooled
    if found is None:
        return "no clip was held out"
    figures = f"SROCC {number(found.srocc)}, PLCC {number(found.plcc)}, RMSE {number(found.rmse)}"
    return f"all {found.n} held-out clips together: {figures}"


def comparison(found: Comparison | None) -> str:
    """How the model compares to a baseline, in one clause."""
    if found is None:
        return "not comparable: no fold defines both"
    verdict = "the model is better" if found.better else "the model is not shown to be better"
    p = "" if found.p is None else f", p = {found.p:.2g}"
    return f"{found.measure} differs by {found.difference:+.4f}{p} ({found.method}): {verdict}"


def gate(found: Gate) -> str:
    """One gate and how it went."""
    sign = "<=" if found.name in ("rmse", "plcc_spread") else ">="
    if found.passed is None:
        return f"{found.name} {sign} {found.limit:g}: not applied, {found.reason}"
    shown = f"{found.value:g}" if found.name == "groups" and found.value is not None else number(found.value)
    return f"{found.name} {sign} {found.limit:g}: {shown}, {'passed' if found.passed else 'missed'}"


def protocol(report: TrainReport) -> str:
    """The protocol in one line."""
    found = report.protocol
    share = f", {found.test_fraction:.0%} held out" if found.test_fraction is not None else ""
    folds = "1 fold" if found.repeats == 1 else f"{found.repeats} folds"
    return f"{found.name}, {folds}{share}, whole {found.group}s, seed {found.seed}, mapping {found.mapping}"


def status(report: TrainReport) -> str:
    """What ``passed`` or ``proposed`` means."""
    if report.status == "passed":
        return "passed: it met every gate that applies"
    return "proposed: it has not passed its gates and is no released model"
