"""The commands as a user meets them: help, JSON, exit codes and the sentences on standard error."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from corekit import __version__
from corekit.cli import main as entry
from corekit.cli.output import human_bytes, human_seconds, print_table
from corekit.errors import (
    CorekitError,
    CorpusError,
    IncompleteRunError,
    IntegrityError,
    InterruptedRunError,
    PluginError,
)

COMMANDS = tuple(entry.cli.list_commands(click.Context(entry.cli)))


def invoke(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        entry.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out, captured.err


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no strict JSON")


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=refuse_constant)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        code, out, err = invoke(capsys, flag)
        assert (code, err) == (0, "")
        listed = re.findall(r"^  (\w+)", out.partition("Commands:")[2], flags=re.MULTILINE)
        assert tuple(listed) == COMMANDS


def test_help_explains_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    codes = {subclass.exit_code for subclass in all_errors()} | {0}
    _, out, _ = invoke(capsys, "--help")
    block = out.partition("Exit codes:")[2].partition("Options:")[0]
    assert {int(line.split()[0]) for line in block.splitlines() if line.strip()} == codes


def all_errors(base: type[CorekitError] = CorekitError) -> list[type[CorekitError]]:
    return [base, *(error for child in base.__subclasses__() for error in all_errors(child))]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_mentions_every_option(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, err = invoke(capsys, name, "--help")
    assert (code, err) == (0, "")
    command = entry.cli.get_command(click.Context(entry.cli), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert all(f"{flag} " in out or f"{flag}\n" in out for flag in parameter.opts), parameter.name
            assert parameter.help
        else:
            assert (parameter.metavar or parameter.human_readable_name.upper()) in out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(capsys, "--version") == (0, f"corekit, version {__version__}\n", "")


@pytest.mark.parametrize("name", ["backends", "corpora", "plugins"])
def test_list_commands_print_a_table_and_strict_json(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, err = invoke(capsys, name, "--json")
    assert (code, err) == (0, "")
    items = strict(out)
    assert [item["name"] for item in items if item["name"] in ("libvmaf", "chug")] != []
    code, out, err = invoke(capsys, name)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == len(items) + 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "Error: No such command 'nothing'."),
        (["plugins", "--nothing"], "Error: No such option '--nothing'."),
        (["run"], "Error: Missing option '--corpus'."),
        (["run", "--corpus", "chug", "--workers", "two"], "Error: Invalid value for '--workers': 'two' is not a valid integer."),
        (["run", "--corpus", "chug", "--log", "loud"], "Error: Invalid value for '--log': 'loud' is not one of 'auto', 'json', 'plain', 'none'."),
        (["sample", "chug"], "Error: Missing argument 'FOLDER'."),
    ],
)  # fmt: skip
def test_what_click_refuses_is_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    code, out, err = invoke(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_switched_off_plugin_is_listed_so(capsys: pytest.CaptureFixture[str]) -> None:
    items = strict(invoke(capsys, "plugins", "--json", "--disable", "chug", "--disable", "libvmaf")[1])
    assert {item["name"] for item in items if item["state"] == "disabled"} == {"chug", "libvmaf"}
    assert "chug" not in [item["name"] for item in strict(invoke(capsys, "corpora", "--json", "--disable", "chug")[1])]


def test_a_sample_is_not_written_over_something(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert invoke(capsys, "sample", "chug", tmp_path) == (
        2, "", f"corekit: {tmp_path} is not an empty folder; name a new one for the sample\n",
    )  # fmt: skip
    code, _, err = invoke(capsys, "sample", "nothing", tmp_path / "new")
    assert (code, err.startswith("corekit: no corpus is called 'nothing'; installed: ")) == (2, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PluginError("p", "broken plugin"), 2, "broken plugin"),
        (CorpusError("bad labels"), 3, "bad labels"),
        (IncompleteRunError("some failed"), 4, "some failed"),
        (IntegrityError("changed"), 5, "changed"),
        (InterruptedRunError("stopped"), 130, "stopped"),
        (
            OSError(28, "No space left on device", "/data/t.parquet"),
            2,
            "the disk is full at /data/t.parquet; free space: what has finished is kept; run the same command again to go on",
        ),
        (
            PermissionError(13, "Permission denied", "/data"),
            2,
            "the system refused at /data: Permission denied; check it: what has finished is kept; run the same command "
            "again to go on",
        ),
        (
            sqlite3.OperationalError("database or disk is full"),
            2,
            "the ledger cannot be written (database or disk is full); free space or check the disk: what has finished is "
            "kept; run the same command again to go on",
        ),
    ],
)
def test_errors_become_one_sentence_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(disable: object) -> NoReturn:
        raise error

    monkeypatch.setattr("corekit.plugins.catalogue.list_plugins", fail)
    assert invoke(capsys, "plugins") == (code, "", f"corekit: {said}\n")


def test_ctrl_c_ends_its_line_first(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(disable: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("corekit.plugins.catalogue.list_plugins", interrupt)
    assert invoke(capsys, "plugins") == (130, "", "\ncorekit: interrupted\n")


def test_a_bug_of_ours_shows_where_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corekit.plugins.catalogue.list_plugins", lambda disable: 1 / 0)
    code, _, err = invoke(capsys, "plugins")
    assert code == 1
    assert "Traceback" in err
    assert err.splitlines()[-1] == (
        "corekit: this is a bug of corekit (ZeroDivisionError: division by zero); report it with the lines above"
    )


def test_tables_are_aligned_and_never_ragged(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "long name", "last"], [["xx", "y", "the end"], ["x", "", ""]], empty="none")
    assert capsys.readouterr().out == "a   long name  last\nxx  y          the end\nx\n"
    print_table(["a"], [], empty="none")
    assert capsys.readouterr().out == "none\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1536, "1.54 kB"), (25_000_000, "25 MB"), (3 * 10**15, "3e+03 TB")]
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59, "59 s"), (59.9, "1 min"), (90, "2 min"), (3599, "1 h 00 min"), (3725, "1 h 02 min"), (360000, "100 h 00 min")],
)  # fmt: skip
def test_human_seconds(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_a_name_that_is_no_text_is_refused_at_once(tmp_path: Path) -> None:
    bad = tmp_path / os.fsdecode(b"caf\xe9")
    bad.mkdir()
    command = [sys.executable, "-c", "from corekit.cli.main import main; main()", "run", "--corpus", "chug"]
    for words, cwd in ((["--out", f"{bad.name}.parquet"], tmp_path), (["--root", bad], tmp_path), ([], bad)):
        done = subprocess.run(
            [*command, *words], cwd=cwd, capture_output=True, text=True, env={**os.environ, "PYTHONUTF8": "1"}
        )
        assert done.returncode == 2
        assert done.stderr.startswith("corekit: '") and done.stderr.count("\n") == 1
        assert "\\udce9" in done.stderr and " is no text in the encoding utf-8; rename it" in done.stderr


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    script = "import os, sys; os.rmdir(os.getcwd()); from corekit.cli.main import main; main(['corpora'])"
    (tmp_path / "gone").mkdir()
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "gone", capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "corekit: the current folder does not exist any more; change to another one\n"
