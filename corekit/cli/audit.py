"""`corekit audit`: what is wrong with a corpus, before the hours of measuring."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corekit.cli.output import print_json
from corekit.cli.settings import parse_settings
from corekit.errors import UsageError

if TYPE_CHECKING:
    from corekit.model import Pairing

_MOST_WORKERS = 8
_WIDEST = 120


def _headers(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
    """Clips to open: None for all, 0 for none."""
    if value in ("all", "none"):
        return None if value == "all" else 0
    if not (value.isascii() and value.isdecimal()):
        raise UsageError(f"--headers {value}: give all, none or a number of clips")
    return int(value)


@click.command(context_settings={"show_default": True})
@click.option("--corpus", required=True, metavar="NAME", help="Corpus, as `corekit corpora` lists it.")
@click.option("--root", type=click.Path(path_type=Path), metavar="DIR", help="Corpus root; else its variable.")
@click.option(
    "--pairing", type=click.Choice(["fr", "nr", "synthetic"]), help="How clips are compared.  [default: the corpus's]"
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=parse_settings,
    metavar="KEY=VALUE",
    help="Option of the corpus plugin; repeatable.",
)
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--split-seed", metavar="SEED", help="Seed of the content-hash split.  [default: the corpus's]")
@click.option(
    "--headers",
    default="all",
    callback=_headers,
    metavar="N|all|none",
    help="Open so many clips to read their headers, whole contents in the order of their hash.",
)
@click.option("--workers", type=int, help="Headers read at a time.  [default: one per CPU, at most 8]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(
    *, corpus: str, root: Path | None, pairing: Pairing | None, settings: dict[str, str], disable: tuple[str, ...],
    split_seed: str | None, headers: int | None, workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Look a corpus over before it is measured: labels, files, headers, copies, licences; no clip is decoded.

    Findings come first, the gravest at the top. Errors end the command with exit code 3: a run would fail those clips.
    docs/audit.md explains every finding.

    \b
    Examples:
      corekit audit --corpus chug --root /data/CHUG
      corekit audit --corpus k150k --root /data/k150k --headers 2000
      corekit audit --corpus chug --root /data/CHUG --json > audit.json
    """
    from corekit.cli.audit_text import report_lines
    from corekit.driver.audit import audit as look_over

    counter = _Counter()
    report = look_over(
        corpus,
        root,
        pairing=pairing,
        settings=settings,
        disable=disable,
        headers=headers,
        split_seed=split_seed,
        workers=min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers,
        progress=counter.tell,
    )
    counter.clear()
    if as_json:
        print_json(report)
    else:
        for line in report_lines(report, width=min(shutil.get_terminal_size().columns, _WIDEST)):
            click.echo(line)
    return 0 if report.ok else 3


class _Counter:
    """One line on a terminal's standard error that is written over; silent elsewhere."""

    _EVERY_S = 0.1

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._last = 0.0

    def tell(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._shown and now - self._last >= self._EVERY_S:
            self._last = now
            of = "" if total is None else f" of {total}"
            click.echo(f"\r\x1b[K{what}: {done}{of}", err=True, nl=False)

    def clear(self) -> None:
        if self._shown and self._last:
            click.echo("\r\x1b[K", err=True, nl=False)
