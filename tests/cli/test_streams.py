"""The standard streams of a command: closed ones are replaced, and a reader that goes away changes no exit code."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

_ENTER = "from corekit.cli.main import main; main()"
_LOOK = """
import os, sys
from corekit.cli.main import main
streams = sys.stdout, sys.stderr
try:
    main(["--version"])
except SystemExit as ended:
    kept = [now is before or before is None for now, before in zip((sys.stdout, sys.stderr), streams)]
    with open(sys.argv[1], "w") as file:
        print(ended.code, *kept, *(os.readlink(f"/proc/self/fd/{number}") for number in range(3)), file=file)
"""


def bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        ("corpora --json", "| head -c 0", 0),
        ("corpora --json", "2>&1 | head -c 0", 0),
        ("corpora", ">&- 2>&-", 0),
        ("enrich none.parquet --metadata none.csv", "2>&1 | head -c 0", 2),
        ("enrich none.parquet --metadata none.csv", "2>/dev/full", 2),
        ("enrich none.parquet --metadata none.csv", "<&- >&- 2>&-", 2),
        ("audit --corpus chug --root none", "2>&-", 3),
    ],
)
def test_the_exit_code_is_the_commands_own(arguments: str, redirected: str, code: int) -> None:
    done = bash(f"{shlex.join([sys.executable, '-c', _ENTER])} {arguments} {redirected}")
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at open files in /proc")
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert bash(f"{shlex.join([sys.executable, '-c', _LOOK, str(seen)])} <&- >&- 2>&-").returncode == 0
    assert seen.read_text().split() == ["0", "True", "True", *[os.devnull] * 3]
