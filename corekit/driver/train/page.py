"""The report as one HTML page that needs nothing else: figures, plots, warnings; light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from corekit.driver.train import words
from corekit.driver.train.plots import draw
from corekit.driver.train.report import FoldRecord, PredictionRow, Subset, TrainReport

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --ink: #1b1d21; --rule: #d9dadd; --card: #fff; --warn: #a4521a; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e4e6ea; --rule: #3a3e46; --card: #1e2127; --warn: #e7a063; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 66rem; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--rule); padding: .25rem .9rem .25rem 0; text-align: left; }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
figure { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; margin: 0; padding: .8rem; }
figure svg { height: auto; width: 100%; } figcaption { font-weight: 600; margin-bottom: .4rem; }
.warning { border-left: 3px solid var(--warn); margin: .4rem 0; padding-left: .7rem; }
.quiet { opacity: .75; } .wide { overflow-x: auto; }
"""


def report_page(report: TrainReport, predictions: Sequence[PredictionRow], folds: Sequence[FoldRecord]) -> str:
    """The page as text; equal results give equal text."""
    figures = "".join(
        f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"
        for title, svg in draw(report, predictions, folds).items()
    )
    sections = [
        f"<h1>{escape(report.model_id)}</h1><p>{escape(report.title)}. {escape(words.status(report))}.</p>",
        _warnings(report.warnings),
        "<h2>Figures</h2>" + _table(words.MEASURE_HEADER, words.measure_rows(report)),
        f"<p class='quiet'>{escape(words.protocol(report))}; 95 % interval: {escape(report.protocol.interval)}. "
        f"{report.n} clips of {report.n_groups} {escape(report.protocol.group)}s, {report.n_trained} learnt from; {escape(words.pooled(report))}.</p>",
        "<h2>Against what needs no pixel</h2>" + _baselines(report),
        f"<h2>Plots</h2><div class='plots'>{figures}</div>" if figures else "",
        *(
            f"<h2>By {title}</h2>" + _subsets(subsets)
            for title, subsets in (
                ("corpus", report.per_corpus),
                ("rung", report.per_rung),
                ("resolution", report.per_resolution),
            )
            if len(subsets) > 1
        ),
        "<h2>Clips judged worst</h2>" + _worst(report),
        "<h2>Gates</h2>" + _list([words.gate(gate) for gate in report.gates]),
        "<h2>Model</h2>" + _list(_model(report)),
        "<h2>Notes</h2>" + _list(report.notes) if report.notes else "",
    ]
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(report.model_id)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body></html>\n"
    )


def _warnings(lines: Sequence[str]) -> str:
    return "".join(f"<p class='warning'>{escape(line)}</p>" for line in lines)


def _baselines(report: TrainReport) -> str:
    rows = []
    for one in report.baselines:
        found = [one.measures.srocc, one.measures.plcc, one.measures.rmse]
        medians = [words.number(summary.median if summary else None) for summary in found]
        rows.append([f"{one.name}: {one.title}", *medians, words.comparison(one.comparison)])
    ours = [words.number(summary.median if summary else None) for summary in (report.srocc, report.plcc, report.rmse)]
    return _table(("", "SROCC", "PLCC", "RMSE", "the model against it"), [["the model", *ours, ""], *rows])


def _subsets(subsets: Sequence[Subset]) -> str:
    rows = [
        [
            one.name,
            str(one.agreement.n),
            *(words.number(value) for value in (one.agreement.srocc, one.agreement.plcc, one.agreement.rmse)),
        ]
        for one in subsets
    ]
    return _table(("", "clips", "SROCC", "PLCC", "RMSE"), rows)


def _worst(report: TrainReport) -> str:
    rows = [
        [one.clip, one.group, f"{one.label:.3f}", f"{one.predicted:.3f}", f"{one.predicted - one.label:+.3f}"]
        for one in report.worst
    ]
    return _table(("clip", report.protocol.group, "label", "prediction", "residual"), rows)


def _model(report: TrainReport) -> list[str]:
    chosen = ", ".join(f"{key} = {value}" for key, value in report.chosen.items())
    lines = [f"{report.model}: {chosen}" if chosen else report.model]
    lines.append(f"{len(report.features)} features: " + ", ".join(feature.name for feature in report.features))
    lines += report.licences
    lines += [f"SHA-256 of {name}: {digest}" for name, digest in report.hashes.items()]
    return lines


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
