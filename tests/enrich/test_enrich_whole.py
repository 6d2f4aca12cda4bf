"""The old table or the new one, whole, whatever happens in between; and the command as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import corekit.driver.enrich.job as job
import corekit.driver.enrich.write as write
from corekit.errors import UsageError
from corekit.files import sha256_file
from tests.command import corekit
from tests.enrich.kit import Bench

ROW = {"src": "a.mp4", "x_a": 1}
_SLOWLY = """
import sys, time
import corekit.driver.enrich.job as job
import corekit.driver.enrich.write as write
from corekit.cli.main import main

def slowed(name):
    inner = getattr(job, name)
    def wait(*arguments, **more):
        print(name, flush=True)
        time.sleep(30)
        return inner(*arguments, **more)
    setattr(job, name, wait)

slowed(sys.argv.pop(1))
main()
"""


def killed_before(step: str, *arguments: str) -> None:
    """Run the command, and kill -9 it when it reaches a step."""
    process = subprocess.Popen([sys.executable, "-c", _SLOWLY, step, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == f"{step}\n"
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("step", ["prepare_table", "write_atomic", "publish"])
def test_a_kill_leaves_the_old_table_and_the_next_start_goes_on(bench: Bench, step: str) -> None:
    before = bench.table.read_bytes()
    metadata = bench.jsonl(ROW)
    killed_before(step, "enrich", str(bench.table), "--metadata", str(metadata), "--keys", "x_*", "--min-coverage", "0")
    assert bench.table.read_bytes() == before
    report = bench.enrich(metadata)
    assert report.written == (step != "publish")  # the manifest was there: the start itself finished the work
    assert bench.column("x_a") == [1, None, None, None]
    assert bench.manifest().artefacts["table"].sha256 == sha256_file(bench.table)
    assert not [name for name in bench.beside() if name.endswith((".tmp", ".lock"))]


def test_a_symbolic_link_stays_one_and_permissions_stay(bench: Bench) -> None:
    real = bench.folder / "real" / "r.parquet"
    real.parent.mkdir()
    bench.table.rename(real)
    real.chmod(0o640)
    bench.table.symlink_to(real)
    bench.enrich(bench.jsonl(ROW))
    assert bench.table.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert pq.read_table(real)["x_a"].to_pylist() == [1, None, None, None]
    assert sorted(path.name for path in real.parent.iterdir()) == ["r.manifest.json", "r.parquet"]


def test_a_table_that_changes_under_its_hands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = bench.jsonl(ROW)
    inner = write.prepare_table

    def meddle(*arguments: object, **more: object) -> object:
        artefact = inner(*arguments, **more)  # type: ignore[arg-type]
        os.utime(bench.table, ns=(1, time.time_ns()))
        return artefact

    monkeypatch.setattr(job, "prepare_table", meddle)
    with pytest.raises(UsageError, match=r"t\.parquet was changed while it was read; run the command again$"):
        bench.enrich(metadata)
    monkeypatch.undo()
    assert bench.enrich(metadata).written


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_cannot_be_written(bench: Bench) -> None:
    metadata = bench.jsonl(ROW)
    bench.folder.chmod(0o555)
    try:
        with pytest.raises(UsageError, match=r"^cannot write beside .*t\.parquet: Permission denied"):
            bench.enrich(metadata)
    finally:
        bench.folder.chmod(0o755)


def arguments(bench: Bench, metadata: Path) -> list[str | Path]:
    return ["enrich", bench.table, "--metadata", metadata, "--keys", "x_*", "--keys", "note", "--min-coverage", "0"]


def test_the_dry_run_as_a_table_and_as_json(bench: Bench) -> None:
    before = bench.table.read_bytes()
    command = [*arguments(bench, bench.jsonl(ROW, {"src": "b.mp4", "note": "n\u001bw"})), "--dry-run"]
    done = corekit(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == [
        "row  clip   column  before  after",
        "0    a.mp4  x_a     -       1",
        "1    b.mp4  note    -       n\\x1bw",
    ]
    report = json.loads(corekit(*command, "--json").stdout)
    assert report["cells"][0] == {"row": 0, "clip_name": "a.mp4", "column": "x_a", "before": None, "after": 1}
    assert (report["written"], report["counters"]["updated_cells"]) == (False, 2)
    assert bench.table.read_bytes() == before
    assert bench.beside() == ["m.jsonl", "t.parquet"]


def test_the_command_writes_and_says_so(bench: Bench) -> None:
    command = arguments(bench, bench.jsonl(ROW))
    done = corekit(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"table       {bench.table} (written)"
    again = corekit(*command)
    assert again.stdout.splitlines()[0] == f"table       {bench.table} (as it was: nothing to change)"


@pytest.mark.parametrize(("row", "code"), [("{", 3), ({"src": "z"}, 2), ({"src": "z", "x_a": 1}, 3)])
def test_exit_codes(bench: Bench, row: object, code: int) -> None:
    done = corekit(*arguments(bench, bench.jsonl(row)))  # type: ignore[arg-type]
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("corekit: ")
