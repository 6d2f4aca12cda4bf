"""kill -9 at any moment, then the same command: the table of an undisturbed run, byte for byte, and nothing left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from corekit.table import read_table
from tests.run.kit import EPOCH, MARK, Lab, all_gone, end, kill, sha256, start, wait_for, workers_of
from tests.shared_data import SHARED, needs_shared

KILL_AT = """
import os, signal, sys
from pathlib import Path
left = int(sys.argv.pop(1))

def counted(function):
    def stand_in(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*arguments, **named)
    return stand_in

os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
from corekit.cli.main import main
main()
"""
"""The command, which dies at the n-th step that makes something visible or durable."""

VIEWS = ("--jsonl", "--frames")


@pytest.fixture
def calm(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A laboratory with the artefacts of an undisturbed run of the same name in ``calm/``."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert lab.run(*VIEWS, out=lab.folder / "calm" / "toy.parquet").code == 0
    return lab


def artefacts(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in folder.iterdir() if path.suffix in (".parquet", ".jsonl")}


def test_killed_at_every_step_of_publishing(calm: Lab) -> None:
    expected = artefacts(calm.folder / "calm")
    assert sorted(expected) == ["toy.frames.parquet", "toy.jsonl", "toy.parquet"]
    steps = 0
    while True:
        shutil.rmtree(calm.out.parent, ignore_errors=True)
        shutil.copytree(calm.folder / "calm", calm.out.parent)
        for path in calm.out.parent.glob("toy.[!l]*"):  # the ledger alone is left, or an older table
            if path.is_file() and steps % 2:
                path.unlink()
            elif path.suffix == ".parquet":
                path.write_bytes(b"an older table")
        done = subprocess.run(
            [sys.executable, "-c", KILL_AT, str(steps), *calm.arguments(*VIEWS)], capture_output=True, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        assert calm.run(*VIEWS).code == 0
        assert artefacts(calm.out.parent) == expected, f"killed at step {steps}"
        assert calm.stray() == []
        steps += 1
    assert steps > 15


def test_killed_while_measuring_at_random_moments(calm: Lab) -> None:
    expected = artefacts(calm.folder / "calm")
    calm.make_trouble(**dict.fromkeys(["cat_1", "cat_2", "dog_1", "dog_3"], "slow"))
    moments = random.Random(7)
    for _ in range(4):
        mark = uuid.uuid4().hex
        process = start(calm.arguments(*VIEWS, "--workers", "2"), {MARK: mark})
        time.sleep(moments.uniform(0.3, 1.6))
        kill(process)
        assert all_gone(mark)
    assert calm.run(*VIEWS).code == 0
    assert artefacts(calm.out.parent) == expected
    assert calm.stray() == []


def test_what_was_measured_before_the_kill_is_not_measured_again(lab: Lab) -> None:
    lab.make_trouble(dog_2="hang")
    mark = uuid.uuid4().hex
    process = start(lab.arguments(), {MARK: mark})
    assert wait_for(lambda: lab.recorded() == 3)
    assert len(workers_of(mark)) == 2
    kill(process)
    assert all_gone(mark)
    lab.trouble.unlink()
    assert lab.run().code == 0
    assert lab.measured() == ["dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]
    assert len(lab.table()) == 6


def test_without_an_epoch_the_logical_digest_is_equal(lab: Lab) -> None:
    calm = lab.folder / "calm" / "toy.parquet"
    assert lab.run(out=calm).code == 0
    lab.make_trouble(dog_2="slow", cat_3="slow")
    process = start(lab.arguments())
    time.sleep(1.0)
    kill(process)
    time.sleep(1.0)
    assert lab.run().code == 0
    digests = []
    for path in (calm, lab.out):
        manifest = read_table(path).manifest
        assert manifest is not None
        digests.append(manifest.artefacts["table"].logical_sha256)
        assert manifest.artefacts["table"].sha256 == sha256(path)
    assert digests[0] == digests[1]


def test_a_killed_worker_costs_its_clip_alone(lab: Lab) -> None:
    """Somebody, or the kernel, kills a worker from outside."""
    hanging = lab.folder / "hanging"
    lab.make_trouble(cat_2=f"hang {hanging}")
    mark = uuid.uuid4().hex
    process = start(lab.arguments("--timeout", "60"), {MARK: mark})
    for _ in range(2):  # the second time its clips are tried one by one: cat_1 is done, cat_2 hangs again
        assert wait_for(hanging.exists)
        hanging.unlink()
        for pid in workers_of(mark):
            if pid != process.pid:
                os.kill(pid, signal.SIGKILL)
    outcome = end(process)
    assert outcome.code == 4
    assert list(lab.failures()) == ["cat_2.y4m"]
    assert lab.failures()["cat_2.y4m"]["message"].startswith("the worker was killed by SIGKILL; out of memory?")
    assert len(lab.table()) == 5


@needs_shared
def test_the_shared_corpus_killed_at_ten_random_moments(tmp_path: Path) -> None:
    arguments = [
        "run", "--corpus", "chug", "--root", str(SHARED / "corpora" / "chug"), "--backend", "libvmaf",
        "--features", "canonical,psnr_y", "--log", "none", "--workers", "2",
    ]  # fmt: skip
    environment = {"SOURCE_DATE_EPOCH": EPOCH}
    assert end(start([*arguments, "--out", str(tmp_path / "calm.parquet")], environment)).code == 0
    moments = random.Random(11)
    out = tmp_path / "killed.parquet"
    for _ in range(10):
        mark = uuid.uuid4().hex
        process = start([*arguments, "--out", str(out)], {**environment, MARK: mark})
        time.sleep(moments.uniform(0.2, 1.2))
        kill(process)
        assert all_gone(mark)
    assert end(start([*arguments, "--out", str(out)], environment)).code == 0
    assert sha256(out) == sha256(tmp_path / "calm.parquet")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith((".tmp", ".lock", "-journal"))] == []
