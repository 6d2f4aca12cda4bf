"""The report of an audit as lines for a terminal: what is wrong first, then what is there."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from corekit.cli.output import human_bytes, human_seconds

if TYPE_CHECKING:
    from corekit.driver.audit import AuditReport, Finding
    from corekit.driver.audit.report import Headers, LabelSummary

_LABEL = 10
_BAR = 40
_MOST_ROWS = 10
_MOST_ITEMS = 8
_EXAMPLES = {"error": 5, "warning": 3, "note": 3}


def report_lines(report: AuditReport, *, width: int) -> Iterator[str]:
    """Yield the lines of a report; running text is wrapped at ``width``, tables and file names are not."""
    for line in _lines(report, width):
        yield "".join(character if character.isprintable() else repr(character)[1:-1] for character in line).rstrip()


def verdict(report: AuditReport) -> str:
    """One line: how many findings of each severity, and whether a run can start."""
    counts = Counter(finding.severity for finding in report.findings)
    said = [_n(counts[level], f"{level}s") for level in ("error", "warning", "note")]
    return f"{', '.join(said)}: {'ready for a run' if report.ok else 'see to the errors before a run'}"


def _lines(report: AuditReport, width: int) -> Iterator[str]:
    yield f"{report.title} ({report.version})"
    yield report.root
    yield verdict(report)
    for finding in report.findings:
        yield ""
        yield from _finding_lines(finding, width)
    yield ""
    for name, text in _facts(report):
        yield from _wrapped(f"{name:<{_LABEL}} ", text, width)
    if report.labels:
        yield ""
        yield from _label_lines(report.labels)
    if report.headers and report.headers.asked:
        yield ""
        yield from _header_lines(report.headers, width)
    if report.notes:
        yield ""
        yield "what the plugin says of this corpus"
        for note in report.notes:
            yield from _wrapped("  - ", note, width)
    yield ""
    yield verdict(report)


def _finding_lines(finding: Finding, width: int) -> Iterator[str]:
    indent = " " * 9
    yield f"{finding.severity:<8} {finding.code}: {_n(finding.count, finding.unit)}"
    yield from _wrapped(indent, finding.what, width)
    yield from _wrapped(f"{indent}to do: ", finding.remedy, width)
    shown = finding.examples[: _EXAMPLES[finding.severity]]
    for example in shown:
        yield f"{indent}  {example}"
    if finding.count > len(shown):
        yield f"{indent}  and {finding.count - len(shown)} more"


def _n(count: int, units: str) -> str:
    """``1 group of files`` of a count and ``groups of files``."""
    if count != 1:
        return f"{count} {units}"
    first, space, rest = units.partition(" ")
    return f"1 {'corpus' if first == 'corpora' else first.removesuffix('s')}{space}{rest}"


def _wrapped(first: str, text: str, width: int) -> list[str]:
    rest = " " * len(first)
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _facts(report: AuditReport) -> Iterator[tuple[str, str]]:
    counts = report.counts
    references = f", {counts.references} of them references" if counts.references else ""
    yield (
        "clips",
        f"{counts.clips} named{references}; {_n(counts.contents, 'contents')}, {_n(counts.rows, 'rows')} to be measured",
    )
    yield (
        "on disk",
        (
            f"{counts.present} present ({human_bytes(counts.bytes_present)}), {counts.missing} missing, "
            f"{_n(counts.orphans, 'video files')} that no label names"
        ),
    )
    if report.label_files:
        files = (
            f"{file.name} ({_n(file.clips, 'clips')}, {human_bytes(file.size_bytes)})" for file in report.label_files
        )
        yield "labels", _some(files, "; ")
    for number, folder in enumerate(report.folders[:_MOST_ITEMS]):
        yield (
            "folders" if not number else "",
            f"{folder.path}: {folder.present} of {_n(folder.named, 'clips')}, {_n(folder.files, 'video files')}",
        )
    if len(report.folders) > _MOST_ITEMS:
        yield "", f"and {len(report.folders) - _MOST_ITEMS} more"
    if report.names:
        yield "names", _some((f"{name.pattern} ({name.clips})" for name in report.names), ", ")
    if report.rungs:
        yield "rungs", _counted(report.rungs)
    if report.pairing:
        yield "pairing", report.pairing
    if report.splits:
        parts = (
            f"{name} {_n(split['contents'], 'contents')} ({_n(split['clips'], 'clips')}, {_n(split['rows'], 'rows')})"
            for name, split in report.splits.items()
        )
        yield "splits", f"{', '.join(parts)}; {report.split_policy}"
    yield "licence", report.treat_as
    if report.estimate and counts.rows:
        yield "estimate", _estimate(report)


def _estimate(report: AuditReport) -> str:
    guess = report.estimate
    assert guess is not None
    time = "unknown time" if guess.seconds is None else f"about {human_seconds(guess.seconds)}"
    return (
        f"{time} with one worker on the CPU and the default features, a guess from the headers of {guess.sampled_clips} "
        f"clips; {human_bytes(guess.table_bytes)} of tables, {human_bytes(guess.state_bytes)} of state"
    )


def _label_lines(labels: LabelSummary) -> Iterator[str]:
    low = "" if labels.scale_min is None else f"{labels.scale_min:g}"
    high = "" if labels.scale_max is None else f"{labels.scale_max:g}"
    scale = f" on {low}..{high}" if low or high else ""
    yield (
        f"{labels.labelled} {labels.kind} labels{scale}: {labels.minimum:.4g} to {labels.maximum:.4g}, mean "
        f"{labels.mean:.4g}; {labels.with_spread} with a spread, {labels.with_ratings} with a number of ratings"
    )
    most = max(bar.clips for bar in labels.histogram)
    edges = [(f"{bar.low:.4g}", f"{bar.high:.4g}") for bar in labels.histogram]
    left, right = (max(len(edge[side]) for edge in edges) for side in (0, 1))
    for bar, (start, end) in zip(labels.histogram, edges, strict=True):
        hashes = "#" * -(-bar.clips * _BAR // most)
        yield f"  {start:>{left}} - {end:>{right}}  {bar.clips:>{len(str(most))}}  {hashes}"


def _header_lines(headers: Headers, width: int) -> Iterator[str]:
    yield (
        f"{headers.read} of {headers.asked} headers read: {human_seconds(headers.declared_s)} of video"
        f"{f', {headers.rotated} stored turned' if headers.rotated else ''}"
    )
    rows = [
        (
            str(each.clips), f"{each.width}x{each.height}", each.codec, each.pix_fmt, str(each.bit_depth),
            each.transfer or "-", each.primaries or "-", "HDR" if each.hdr else each.transfer_class,
        )
        for each in headers.formats[:_MOST_ROWS]
    ]  # fmt: skip
    if rows:
        yield from _table(("clips", "geometry", "codec", "pix_fmt", "bits", "transfer", "primaries", "class"), rows)
    if len(headers.formats) > _MOST_ROWS:
        others = headers.formats[_MOST_ROWS:]
        yield f"  and {len(others)} more formats of {sum(each.clips for each in others)} clips (all with --json)"
    if headers.rates:
        yield from _wrapped("  Hz  ", _counted(headers.rates), width)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    for row in (header, *rows):
        yield "  " + "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True))


def _counted(counts: Mapping[str, int]) -> str:
    return _some((f"{name} ({count})" for name, count in counts.items()), ", ")


def _some(items: Iterable[str], joint: str) -> str:
    listed = list(items)
    more = [f"{len(listed) - _MOST_ITEMS} more"] if len(listed) > _MOST_ITEMS else []
    return joint.join([*listed[:_MOST_ITEMS], *more])
