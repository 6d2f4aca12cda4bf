"""`corekit run`: the main job on the command line."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corekit.cli.output import human_bytes, human_seconds, print_json
from corekit.cli.settings import parse_settings
from corekit.errors import UsageError

if TYPE_CHECKING:
    from corekit.driver.options import RunOptions
    from corekit.driver.progress import Progress
    from corekit.driver.run import PlanReport, RunResult

_PATH = click.Path(path_type=Path)


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make the file's values the defaults of the other options."""
    if path is None:
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}; name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: {error}; correct the TOML") from error
    options = [
        option for option in context.command.params if isinstance(option, click.Option) and option.name != "config"
    ]
    by_flag = {flag.lstrip("-"): option for option in options for flag in option.opts}
    defaults: dict[str, Any] = {}
    for key, value in content.items():
        option = by_flag.get(key.replace("_", "-"))
        if option is None or option.name is None:
            raise UsageError(f"--config {path}: unknown option {key!r}; known: {', '.join(sorted(by_flag))}")
        given = _as_on_the_command_line(option, value)
        if given is None:
            kind = "true or false" if option.is_flag else "a list of texts" if option.multiple else "one text or number"
            raise UsageError(f"--config {path}: {key} is {value!r}; give {kind}")
        defaults[option.name] = given
    context.default_map = {**(context.default_map or {}), **defaults}


def _as_on_the_command_line(option: click.Option, value: Any) -> bool | str | list[str] | None:
    """A value of the file as typing it would have given it, or None where it is of another kind than the option."""
    if option.name == "settings" and isinstance(value, dict):
        return [f"{key}={str(item).lower() if isinstance(item, bool) else item}" for key, item in value.items()]
    if option.is_flag:
        return value if isinstance(value, bool) else None
    if option.multiple:
        return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
    return None if isinstance(value, bool) or not isinstance(value, str | int | float) else str(value)


@click.command(context_settings={"show_default": True})
@click.option(
    "--config",
    type=_PATH,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    metavar="FILE.toml",
    help="Take options from a TOML file; its keys are the long option names, [set] holds --set.",
)
@click.option("--corpus", required=True, metavar="NAME", help="Corpus, as `corekit corpora` lists it.")
@click.option("--root", type=_PATH, metavar="DIR", help="Corpus root; else the plugin's environment variable.")
@click.option("--out", type=_PATH, metavar="FILE.parquet", help="Table to write.  [default: <corpus>.parquet]")
@click.option(
    "--features", metavar="LIST", help="canonical, full, none, or names, comma-separated.  [default: the corpus's]"
)
@click.option("--backend", default="auto", metavar="NAME", help="Backend, as `corekit backends` lists it.")
@click.option("--device", default="auto", metavar="DEVICE", help="Device of the backend; auto takes every GPU.")
@click.option(
    "--decode",
    type=click.Choice(["cpu", "nvdec", "auto"]),
    default="cpu",
    help="Decode on the CPU, on the backend's GPU, or there where it is checked to give the same frames.",
)
@click.option(
    "--fallback",
    default="",
    metavar="NAME",
    help="Go on with this backend where --backend cannot start or its GPU is lost.",
)
@click.option(
    "--pairing", type=click.Choice(["fr", "nr", "synthetic"]), help="How clips are compared.  [default: the corpus's]"
)
@click.option(
    "--identity",
    type=click.Choice(["null", "floor", "compute"]),
    default="null",
    help="Full-reference features of a clip compared with itself: none, their documented constants, or computed.",
)
@click.option("--include-references", is_flag=True, help="Give the references rows of their own.")
@click.option(
    "--frame-mismatch",
    type=click.Choice(["error", "shortest"]),
    default="error",
    help="What to do where reference and clip have different numbers of frames.",
)
@click.option("--split-seed", metavar="SEED", help="Seed of the content-hash split.  [default: the corpus's]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=parse_settings,
    metavar="KEY=VALUE",
    help="Option of the corpus plugin or the backend; repeatable.",
)
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option(
    "--workers", type=int, default=1, help="Contents measured at once: processes, or threads that feed a GPU."
)
@click.option("--shard", default="", metavar="I/N", help="Take the I-th of N parts of the contents.")
@click.option("--limit", type=int, metavar="N", help="Whole contents, in the order of their hash, until N rows.")
@click.option(
    "--only", multiple=True, metavar="CLIP", help="Measure this clip alone, of all that would be; repeatable."
)
@click.option("--state-dir", type=_PATH, metavar="DIR", help="Where the ledger lies.  [default: beside the table]")
@click.option("--frames", is_flag=True, help="Also write <out>.frames.parquet, a row per frame.")
@click.option("--jsonl", is_flag=True, help="Also write <out>.jsonl, the v3 rows as strict JSON.")
@click.option(
    "--nan-literal", is_flag=True, help="Bare NaN in the JSONL where the v3 contract has it, for old readers."
)
@click.option("--snapshot", type=int, metavar="MINUTES", help="Write the table on the way, every so many minutes.")
@click.option("--manifest-out", type=_PATH, metavar="FILE", help="Manifest to write.  [default: <out>.manifest.json]")
@click.option("--record-host", is_flag=True, help="Let the manifest name the machine and the user.")
@click.option("--retry-failed", is_flag=True, help="Measure clips again that failed before.")
@click.option("--max-failures", type=int, metavar="N", help="Stop when more than N clips have failed in this run.")
@click.option("--allow-missing", is_flag=True, help="Missing clips do not make the run incomplete.")
@click.option("--rehash", is_flag=True, help="Hash every input again, whatever its size and time say.")
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    default=300.0,
    metavar="SECONDS",
    help="Replace a worker that shows no progress for so long.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result (or the dry run) as JSON.")
@click.option(
    "--log",
    type=click.Choice(["auto", "json", "plain", "none"]),
    default="auto",
    help="Progress on standard error: a bar on a terminal, JSON lines, plain lines, or nothing.",
)
@click.pass_context
def run(context: click.Context, /, *, dry_run: bool, as_json: bool, log: str, **given: Any) -> int:
    """Read a corpus, measure its clips, and write one v3 row per clip with a manifest beside the table.

    What has been measured is kept in a ledger: after an interruption, new clips or a changed option the same command
    measures only what is missing. Clips that fail are listed in <out>.failures.jsonl and in the manifest (exit code 4).

    \b
    Examples:
      corekit run --corpus chug --root /data/CHUG --dry-run
      corekit run --corpus chug --root /data/CHUG --out chug.parquet --workers 8
      corekit run --corpus chug --root /data/CHUG --features canonical,vmaf --limit 100
      corekit run --corpus chug --root /data/CHUG --retry-failed
    """
    from corekit.driver.options import RunOptions
    from corekit.driver.run import plan
    from corekit.driver.run import run as run_job

    options = RunOptions(**given)
    if dry_run:
        report = plan(options)
        print_json(report) if as_json else _show_plan(report)
        return 0
    result = run_job(options, progress=_progress(log))
    if as_json:
        print_json({"table": str(result.table), "manifest": str(result.manifest_path), "complete": result.complete,
                    "counters": result.counters})  # fmt: skip
    else:
        _show_result(result, options)
    return 0 if result.complete else 4


def _progress(log: str) -> Progress:
    from corekit.driver import progress

    if log == "json":
        return progress.JsonLines()
    if log == "none":
        return progress.Silent()
    return progress.Bar() if log == "auto" and sys.stderr.isatty() else progress.Lines()


def _show_plan(report: PlanReport) -> None:
    estimate = report.estimate
    splits = ", ".join(
        f"{name} {split['contents']} contents ({split['clips']} clips, {split['rows']} rows)"
        for name, split in report.splits.items()
    )
    lines = [
        ("corpus", f"{report.corpus} at {report.root}"),
        ("clips", f"{report.clips} named, {report.missing} missing, {report.contents} contents"),
        ("rows", f"{report.rows} to be: {report.done} measured already, {report.to_measure} to measure"),
        *(("problems", f"{count} clips ({stage})") for stage, count in report.problems.items()),
        ("splits", splits),
        ("pairing", report.pairing),
        ("backend", report.backend),
        ("features", f"{len(report.features)}: {', '.join(report.features) or 'none'}"),
        ("time", _time_of(report)),
        (
            "space",
            f"about {human_bytes(estimate.table_bytes)} of tables and {human_bytes(estimate.state_bytes)} of state",
        ),
    ]
    for name, text in lines:
        click.echo(f"{name:<9} {text}")


def _time_of(report: PlanReport) -> str:
    estimate = report.estimate
    if estimate.seconds is None:
        return "unknown: no header could be read"
    if not report.to_measure:
        return "nothing to measure"
    return f"about {human_seconds(estimate.seconds)}, a guess from the headers of {estimate.sampled_clips} clips"


def _show_result(result: RunResult, options: RunOptions) -> None:
    counters = result.counters
    click.echo(f"table     {result.table} ({counters['parquet_rows']} rows)")
    for artefact in result.manifest.artefacts.values():
        if artefact.kind not in ("clip-table", "failures"):
            click.echo(f"          {result.table.with_name(artefact.file)} ({artefact.rows} rows)")
    click.echo(f"manifest  {result.manifest_path}")
    click.echo(
        f"clips     {counters['ok']} measured now, {counters['done_before']} before, {counters['failed']} failed, "
        f"{counters['missing']} missing"
    )
    if result.failures:
        first = result.failures[0]
        click.echo(f"failures  {result.table.with_name(f'{result.table.stem}.failures.jsonl')}")
        click.echo(f"          the first: {first.clip_name}: {first.message}")
        if counters["failed"] and not options.retry_failed:
            click.echo("          after a repair, or to try again: the same command with --retry-failed")
