"""The ledger: durable transactions, failures, and what it does with a file that it cannot use."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from corekit.errors import IntegrityError, UsageError
from corekit.ledger import Failure, FileStamp, Ledger
from corekit.model import Measurement, Pooled, Probe

PROBE = Probe(
    width=16, height=16, pix_fmt="yuv420p", bit_depth=8, codec="h264", framerate="30000/1001", duration_s=0.1 + 0.2
)


def measurement(number: int = 0) -> Measurement:
    return Measurement(
        clip_sha256=f"{number:064x}",
        ref_sha256=None,
        probe=PROBE,
        ref_probe=None,
        frames_dis=3,
        frames_ref=3,
        n_frames=3,
        pooled={"motion": Pooled(1 / 3, 5e-324, -0.0, 1.7976931348623157e308, 3)},
        nulls={"vmaf": "not asked for"},
        options={"cambi_eotf": "pq"},
        backend="fake",
        versions={"fake": "1"},
        notes=("noted",),
        seconds=0.25,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "table.ledger.sqlite"


def test_what_was_done_is_there_after_reopening(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add_done("t1", "a.mp4", measurement(1))
        ledger.add_done("t2", "b.mp4", measurement(2))
    with Ledger(path) as ledger:
        assert ledger.done_tasks() == {"t1", "t2"}
        assert ledger.clips() == {"a.mp4", "b.mp4"}
        assert list(ledger.measurements(["t2", "t1"])) == [measurement(2), measurement(1)]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", ledger.finished_at("t1"))
        assert ledger.measurement("t3") is None


def test_floats_come_back_bit_for_bit(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add_done("t", "a.mp4", measurement())
        found = ledger.measurement("t")
    assert found is not None
    pooled = found.pooled["motion"]
    assert [value.hex() for value in (pooled.mean, pooled.std, pooled.p10, pooled.p90, found.probe.duration_s)] == [
        value.hex() for value in (1 / 3, 5e-324, -0.0, 1.7976931348623157e308, 0.1 + 0.2)
    ]


def test_a_lost_task_is_named(path: Path) -> None:
    with Ledger(path) as ledger, pytest.raises(IntegrityError) as caught:
        list(ledger.measurements(["gone"]))
    assert str(caught.value) == f"{path} lost task gone; run the same command again"


def test_failures_count_their_attempts_and_success_forgets_them(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add_failure(Failure("a.mp4", None, "open", "first"))
        ledger.add_failure(Failure("a.mp4", "t", "decode", "second"))
        ledger.add_failure(Failure("b.mp4", None, "open", "other"))
        assert ledger.failures_of(["a.mp4", "c.mp4"]) == {"a.mp4": Failure("a.mp4", "t", "decode", "second", 2)}
        ledger.add_done("t", "a.mp4", measurement())
        assert ledger.failures() == {"b.mp4": Failure("b.mp4", None, "open", "other", 1)}


def test_a_transaction_that_cannot_be_finished_changes_nothing(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add_failure(Failure("a.mp4", None, "open", "first"))
        with sqlite3.connect(path) as other:
            other.execute("CREATE TRIGGER refuse BEFORE DELETE ON failed BEGIN SELECT RAISE(ABORT, 'refused'); END")
        other.close()
        with pytest.raises(IntegrityError, match="refused"):
            ledger.add_done("t", "a.mp4", measurement())
        assert ledger.done_tasks() == set()
        assert list(ledger.failures()) == ["a.mp4"]


def test_digests_are_known_while_the_file_is_untouched(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "clip"
    file.write_bytes(b"one")
    stamp = FileStamp.of(file)
    with Ledger(path) as ledger:
        assert ledger.known_sha256("clip", stamp) is None
        ledger.remember_file("clip", stamp, "abc")
        assert ledger.known_sha256("clip", FileStamp.of(file)) == "abc"
        for field in ("size", "mtime_ns", "inode"):
            touched = msgspec.structs.replace(stamp, **{field: getattr(stamp, field) + 1})
            assert ledger.known_sha256("clip", touched) is None, field
        os.utime(file, ns=(0, 1))
        ledger.remember_file("clip", FileStamp.of(file), "def")
        assert ledger.known_sha256("clip", FileStamp.of(file)) == "def"
        assert ledger.known_sha256("clip", stamp) is None


def test_it_is_made_for_network_shares(path: Path) -> None:
    with Ledger(path) as ledger:
        database = ledger._database
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_that_is_no_ledger(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(IntegrityError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"{path} cannot be used as a ledger (file is not a database); restore it, or move it away to measure everything "
        "again"
    )


def test_a_ledger_damaged_inside(path: Path) -> None:
    with Ledger(path) as ledger:
        for number in range(200):
            ledger.add_done(f"t{number}", f"{number}.mp4", measurement(number))
    content = bytearray(path.read_bytes())
    content[4096 * 8 :] = bytes(len(content) - 4096 * 8)
    path.write_bytes(content)
    with Ledger(path) as ledger, pytest.raises(IntegrityError) as caught:
        list(ledger.measurements(f"t{number}" for number in range(200)))
    assert str(caught.value) == (
        f"{path} cannot be used as a ledger (database disk image is malformed); restore it, or move it away to measure "
        "everything again"
    )


def test_a_row_that_cannot_be_read(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.add_done("t", "a.mp4", measurement())
        ledger._database.execute("UPDATE done SET measurement = x'7b7d'")
        with pytest.raises(IntegrityError) as caught:
            ledger.measurement("t")
    assert str(caught.value) == (
        f"{path} cannot be used as a ledger (task t: Object missing required field `clip_sha256`); restore it, or move it "
        "away to measure everything again"
    )


def test_a_ledger_of_another_version(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger._database.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
    with pytest.raises(IntegrityError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"{path} is a ledger of version 2, this corekit writes version 1; finish it with the corekit that began it, or "
        "choose another --out"
    )


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "ledger.sqlite"
    with pytest.raises(UsageError) as caught:
        Ledger(path)
    assert str(caught.value) == f"cannot write {path}: File exists; choose another --out or --state-dir"


def test_a_folder_in_the_ledgers_place_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Ledger(tmp_path)
    assert str(caught.value) == (
        f"cannot use the ledger {tmp_path} (unable to open database file); check its disk and permissions, or choose "
        "another --out or --state-dir"
    )


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
import msgspec
from corekit.ledger import Ledger
from corekit.model import Measurement
measurement = msgspec.json.decode(sys.stdin.read(), type=Measurement)
with Ledger(Path(sys.argv[1])) as ledger:
    number = 0
    while True:
        ledger.add_done(f"t{number}", f"{number}.mp4", measurement)
        print(number, flush=True)
        number += 1
"""


@pytest.mark.parametrize("rows", [1, 23, 60])
def test_kill_9_while_writing_leaves_every_row_that_was_reported(path: Path, rows: int) -> None:
    command = [sys.executable, "-c", _WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode(measurement()))
        process.stdin.close()
        reported = [int(process.stdout.readline()) for _ in range(rows)]
        process.send_signal(signal.SIGKILL)
        reported += [int(line) for line in process.stdout.read().split()]
    with Ledger(path) as ledger:
        done = ledger.done_tasks()
        assert {f"t{number}" for number in reported} <= done <= {f"t{number}" for number in range(len(reported) + 1)}
        assert all(found == measurement() for found in ledger.measurements(sorted(done)))
        ledger.add_done("more", "more.mp4", measurement())
    assert not path.with_name(f"{path.name}-journal").exists()
