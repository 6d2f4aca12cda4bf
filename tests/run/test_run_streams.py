"""A run whose output nobody reads, or that has none: it measures on, writes its table and has its own exit code."""

from __future__ import annotations

import errno
import io
import os
import shlex
import subprocess
from collections.abc import Callable
from typing import TextIO

import pytest

from corekit.driver.progress import Bar, JsonLines, Lines, Progress
from tests.run.kit import COMMAND, Lab


def shell(lab: Lab, redirected: str, *more: str, unbuffered: bool) -> subprocess.CompletedProcess[str]:
    """`corekit run` with its streams as the shell makes them; the exit code is the command's own."""
    script = f"set -o pipefail; {shlex.join([*COMMAND, *lab.arguments(*more)])} {redirected}"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False, env=environment
    )


READERS = [
    ("--log", "auto", "2>&-"),
    ("--log", "json", "2>&-"),
    ("--log", "none", ">&-"),
    ("--log", "json", "<&- >&- 2>&-"),
    ("--log", "json", "2>&1 >/dev/null | head -1"),
    ("--log", "json", "2>&1 | head -1"),
    ("--log", "plain", "2>&1 >/dev/null | head -c 0"),
    ("--log", "none", "| head -c 0"),
    ("--log", "json", "2>/dev/full"),
]


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("given", READERS, ids=lambda given: " ".join(given))
def test_it_goes_on_without_a_reader(lab: Lab, given: tuple[str, str, str], unbuffered: bool) -> None:
    lab.make_trouble(cat_2="clip-error")
    *log, redirected = given
    done = shell(lab, redirected, *log, unbuffered=unbuffered)
    assert (done.returncode, done.stderr) == (4, "")
    assert sorted(lab.table()) == [
        f"{content}_{step}.y4m" for content in ("cat", "dog") for step in (1, 2, 3) if (content, step) != ("cat", 2)
    ]
    assert lab.stray() == []


def test_a_full_disk_under_the_report_is_told(lab: Lab) -> None:
    done = shell(lab, ">/dev/full", unbuffered=False)
    assert (done.returncode, done.stderr.splitlines()[-1][:26]) == (2, "corekit: the disk is full;")
    assert len(lab.table()) == 6


class Gone(io.StringIO):
    """A stream of which the reader goes away after the first line."""

    def write(self, text: str) -> int:
        if "\n" in self.getvalue():
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return super().write(text)


@pytest.mark.parametrize("kind", [Lines, JsonLines, Bar])
@pytest.mark.parametrize("stream", [Gone, None])
def test_progress_survives_its_stream(
    kind: Callable[[TextIO | None], Progress], stream: type[Gone] | None, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stderr", None)
    monkeypatch.setattr(Lines, "_EVERY_S", -1.0)
    given = stream() if stream else None
    progress = kind(given)
    progress.start(total=3, done=0, failed=0)
    progress.note("one")
    progress.beat(5)
    progress.done("a")
    progress.failed("b", "two")
    if given is not None and kind is not Bar:
        given.close()
        progress.failed("c", "closed")
    progress.stop()
    assert capsys.readouterr().out == ""
