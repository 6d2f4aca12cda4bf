"""A disk that is full or cannot be written: one sentence, nothing lost, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.kit import EPOCH, Lab, sha256

ENDING = "what has finished is kept; run the same command again to go on"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB; only root may mount one, and not everywhere."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("views", [[], ["--frames", "--jsonl"]])
@pytest.mark.parametrize("free", [0, 8192, 40_000, 80_000])
def test_a_full_disk_costs_nothing(
    lab: Lab, small_disk: Path, monkeypatch: pytest.MonkeyPatch, free: int, views: list[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    lab.run(*views)
    out = small_disk / "toy.parquet"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((1 << 20) - 4096 - free))
    outcome = lab.run(*views, out=out)
    assert outcome.code == 2, outcome
    assert len(outcome.err.strip().splitlines()) == 1
    assert outcome.sentence.endswith(ENDING) or "disk is full" in outcome.sentence, outcome.sentence
    before = lab.measured()
    ballast.unlink()
    assert lab.run(*views, out=out).code == 0
    assert len(before) + len(lab.measured()) <= 9  # at most the content in hand is measured twice
    for suffix in (".parquet", ".jsonl", ".frames.parquet"):
        if (other := lab.out.with_name(f"toy{suffix}")).exists():
            assert sha256(small_disk / f"toy{suffix}") == sha256(other)
    assert sorted(path.name for path in small_disk.rglob(".*")) == []


def test_a_disk_that_fails_while_the_table_is_written(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device", str(lab.out))

    with monkeypatch.context() as patch:
        patch.setattr("corekit.driver.publish.write_parquet", full)
        outcome = lab.run()
    assert (outcome.code, outcome.sentence) == (2, f"the disk is full at {lab.out}; free space: {ENDING}")
    assert lab.stray() == [] and not lab.out.exists()
    assert lab.run().code == 0 and lab.measured() == []


def test_what_a_worker_cannot_keep_is_no_fault_of_the_clip(lab: Lab) -> None:
    parts = lab.out.parent / "toy.frames"
    parts.parent.mkdir(parents=True)
    parts.write_text("a file where the folder must be")
    outcome = lab.run("--frames")
    assert outcome.code == 2
    assert outcome.sentence.startswith(f"per-frame values cannot be written to {parts}: ")
    assert outcome.sentence.endswith(ENDING)
    assert lab.failures() == {}
    parts.unlink()
    assert lab.run("--frames").code == 0
    assert len(lab.table()) == 6


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused_at_once(lab: Lab) -> None:
    lab.out.parent.mkdir(mode=0o500)
    outcome = lab.run()
    expected = f"cannot write beside {lab.out}: Permission denied; choose another --out"
    assert (outcome.code, outcome.sentence) == (2, expected)
