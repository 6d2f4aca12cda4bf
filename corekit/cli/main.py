"""The `corekit` command: finds the subcommand, loads only that one, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from corekit import __version__
from corekit.errors import CorekitError, UsageError

_COMMANDS = {
    "audit": "Look a corpus over before it is measured.",
    "backends": "What computes features here, and why not.",
    "corpora": "The corpora that installed plugins read.",
    "enrich": "Fill metadata columns of a table that exists.",
    "export": "Write a table in another format.",
    "evaluate": "Hold a model against rows that it has not learnt from.",
    "lineage": "Show what an artefact was made from, up to the clips.",
    "merge": "Put tables together: one schema, one scale of labels, no row twice.",
    "new": "Write a corpus plugin of your own, ready to be changed.",
    "plugins": "Every installed plugin and how its loading went.",
    "predict": "Score a clip, or the rows of a table, with a trained model.",
    "replay": "Make a table or model again from its manifest, and compare.",
    "run": "Read a corpus, measure its clips, write the table and its manifest.",
    "sample": "Write a tiny corpus in the real layout of one.",
    "verify": "Say whether tables, models and their manifests are what they say.",
    "train": "Learn a model from clip tables, and say what it is worth.",
}


_GONE = (errno.EPIPE, errno.ECONNRESET, errno.EIO)
"""Errors of an output whose reader has gone: a pipe, a connection, a terminal."""


class _LazyGroup(click.Group):
    """Imports a subcommand only when it is run or asked for help."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"corekit.cli.{name}")
        command = getattr(module, name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="corekit")
def cli() -> None:
    """Turn a video-quality corpus on disk into a training table that anyone can check.

    \b
    Exit codes:
      0  done
      1  a bug of corekit
      2  usage, plugin, backend or lock
      3  the corpus or its labels are wrong, or there is nothing to do
      4  finished, with failed or unexpectedly missing clips
      5  an artefact is not what its record says
      6  a required gate was missed
      130  interrupted
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command; never returns."""
    _open_closed_streams()
    with _streams_that_last():
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        _refuse_undecodable(sys.argv[1:] if arguments is None else arguments)
        code: Any = cli.main(args=arguments, prog_name="corekit", standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except CorekitError as error:
        _say(str(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return 130
    except (OSError, sqlite3.OperationalError) as error:
        _say(_of_the_system(error))
        return 2
    except Exception as error:
        traceback.print_exc()
        _say(f"this is a bug of corekit ({type(error).__name__}: {error}); report it with the lines above")
        return 1


def _refuse_undecodable(words: list[str]) -> None:
    """Refuse names that cannot be written down as text: workers, manifests and tables could not hold them, after hours of work."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise UsageError("the current folder does not exist any more; change to another one") from None
    for word in (*words, here):
        try:
            word.encode()
        except UnicodeEncodeError:
            system = sys.getfilesystemencoding()
            raise UsageError(
                f"{word!a} is no text in the encoding {system}; rename it, or where it is UTF-8 set PYTHONUTF8=1"
            ) from None


def _of_the_system(error: OSError | sqlite3.OperationalError) -> str:
    keep = "what has finished is kept; run the same command again to go on"
    if isinstance(error, sqlite3.OperationalError):
        return f"the ledger cannot be written ({error}); free space or check the disk: {keep}"
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}; free space: {keep}"
    return f"the system refused{where}: {error.strerror or error}; check it: {keep}"


def _say(message: str) -> None:
    click.echo(f"corekit: {message}", err=True)


def _open_closed_streams() -> None:
    """Give a command that was started without one of its streams (``2>&-``) an empty one.

    Its number would go to the next file that is opened, a ledger or a table, and libraries in C write into number 2.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w" if number else "r", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def _streams_that_last() -> Iterator[None]:
    """Let output and messages survive their readers: ``corekit run | head -1`` measures on and has its own exit code."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_lasting(stream, number) for number, stream in enumerate(before, start=1))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # a full disk, which `_run` has told of
                stream.flush()
        sys.stdout, sys.stderr = before


def _lasting(stream: Any, number: int) -> Any:
    """The stream over a file that drops what nobody reads; as it is where it is not the process's own."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # under PYTHONUNBUFFERED text goes to the file itself
    if not isinstance(raw, io.FileIO) or raw.fileno() != number:
        return stream
    stream.flush()
    lasting = _Lasting(number, "w", closefd=False)
    return io.TextIOWrapper(
        lasting if buffer is raw else io.BufferedWriter(lasting),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Lasting(io.FileIO):
    """Standard output or error; what nobody reads any more is dropped, of messages also what no disk takes."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() == 1 and error.errno not in _GONE:
                raise
            return memoryview(data).nbytes
