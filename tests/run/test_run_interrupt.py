"""Stopping a run, and two runs on one output."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid

import pytest

from tests.run.kit import MARK, Lab, all_gone, end, kill, start, wait_for, workers_of

CATS = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m"]


def started(lab: Lab, *more: str) -> tuple[subprocess.Popen[str], str]:
    """A run that has measured the cats and hangs at a dog, and its mark."""
    lab.make_trouble(dog_1="hang")
    mark = uuid.uuid4().hex
    process = start(lab.arguments(*more), {MARK: mark})
    assert wait_for(lambda: lab.measured() == CATS)
    if "--state-dir" not in more:
        assert wait_for(lambda: lab.recorded() == 3)
    return process, mark


@pytest.mark.parametrize("how", ["ctrl-c", "sigint", "sigterm"])
def test_a_stopped_run_ends_within_seconds_and_goes_on(lab: Lab, how: str) -> None:
    process, mark = started(lab)
    begun = time.monotonic()
    if how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM if how == "sigterm" else signal.SIGINT)
    outcome = end(process, timeout=10)
    assert time.monotonic() - begun < 5
    assert outcome.code == 130
    assert outcome.sentence == "stopped with 3 of 6 clips measured; run the same command again to go on"
    assert all_gone(mark, timeout=2)
    assert not lab.out.exists() and lab.stray() == []
    lab.trouble.unlink()
    assert lab.run().code == 0
    assert lab.measured() == ["dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]


def test_stopped_while_publishing_it_says_how_to_go_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **named: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    with monkeypatch.context() as patch:
        patch.setattr("corekit.driver.publish.write_parquet", stop)
        outcome = lab.run()
    assert outcome.code == 130
    assert outcome.sentence == (
        "stopped before the table was written; what has been measured is kept: run the same command again to go on"
    )
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert lab.stray() == []
    assert lab.run().code == 0
    assert lab.measured() == []


def test_a_second_run_on_one_output_is_refused_by_name_of_the_first(lab: Lab) -> None:
    process, mark = started(lab)
    journal = lab.journal.read_text()
    outcome = lab.corekit(*lab.arguments())
    assert outcome.code == 2
    prefix = f"{lab.out} is being written by process {process.pid} on {socket.gethostname()}, started 20"
    assert outcome.sentence.startswith(prefix)
    assert outcome.sentence.endswith("; wait for it or choose another --out")
    assert lab.journal.read_text() == journal
    assert lab.corekit(*lab.arguments("--dry-run")).code == 0
    kill(process)
    assert all_gone(mark)
    lab.trouble.unlink()
    assert lab.run().code == 0
    assert len(lab.table()) == 6 and lab.stray() == []


def test_a_second_run_on_one_ledger_is_refused(lab: Lab) -> None:
    state = lab.folder / "state"
    process, mark = started(lab, "--state-dir", str(state))
    other = lab.folder / "other" / "toy.parquet"
    outcome = lab.corekit(*lab.arguments("--state-dir", str(state), out=other))
    assert outcome.code == 2
    assert outcome.sentence.startswith(f"{state / 'toy.ledger.sqlite'} is being written by process {process.pid} on ")
    kill(process)
    assert all_gone(mark)
    assert workers_of(mark) == []


def test_a_snapshot_is_a_table_of_what_is_done(lab: Lab) -> None:
    """Sixty times faster than the clock on the wall, so that a minute is a second."""
    from corekit import InterruptedRunError, RunOptions, run
    from corekit.driver.progress import Silent

    lab.make_trouble(dog_1="hang")
    seen: list[list[str]] = []

    class Impatient(Silent):
        def beat(self, frames: int) -> None:
            if lab.out.exists():
                seen.append(list(lab.table()))
                raise KeyboardInterrupt

    options = RunOptions(
        corpus="toy",
        root=lab.root,
        out=lab.out,
        backend="toy",
        settings={"trouble": str(lab.trouble)},
        snapshot=1 / 60,  # type: ignore[arg-type]
    )
    with pytest.raises(InterruptedRunError, match=r"^stopped with 3 of 6 clips measured; run the same command again"):
        run(options, progress=Impatient())
    assert seen == [CATS]
    assert lab.manifest().counters["parquet_rows"] == 3
    lab.trouble.unlink()
    assert lab.run().code == 0
    assert len(lab.table()) == 6
