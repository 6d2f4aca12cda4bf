"""Files that appear whole or not at all, their digests, and the lock on an output."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corekit.errors import LockedError, UsageError
from corekit.files import locked, prepare, publish, sha256_file, temporary_beside, write_atomic

_HOLD = """
import sys
from pathlib import Path
from corekit.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def other_process_holding(output: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_prepared_content_is_seen_only_after_publish(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"old")
    with prepare(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == [".table.tmp", "table"]
    publish(path)
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["table"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_while_preparing_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"old")
    with pytest.raises(error), prepare(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["table"]


def test_write_atomic_makes_the_folder_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert names_in(path.parent) == ["file"]


def test_the_temporary_lies_in_the_same_folder(tmp_path: Path) -> None:
    assert temporary_beside(tmp_path / "a.parquet") == tmp_path / ".a.parquet.tmp"


@given(st.binary(max_size=3 << 20))
def test_sha256_is_that_of_the_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hashed"
    path.write_bytes(content)
    heard: list[int] = []
    assert sha256_file(path, heard.append) == hashlib.sha256(content).hexdigest()
    assert sum(heard) == len(content)


def test_a_second_process_is_refused_by_the_name_of_the_first(tmp_path: Path) -> None:
    output = tmp_path / "table.parquet"
    with other_process_holding(output) as process, pytest.raises(LockedError) as caught, locked(output):
        pass
    expected = (
        rf"{re.escape(str(output))} is being written by process {process.pid} on {re.escape(socket.gethostname())}, "
        r"started \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00; wait for it or choose another --out"
    )
    assert re.fullmatch(expected, str(caught.value))
    assert caught.value.exit_code == 2


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    output = tmp_path / "table.parquet"
    with other_process_holding(output) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names_in(tmp_path) == ["table.parquet.lock"]
        with locked(output):
            assert names_in(tmp_path) == ["table.parquet.lock"]
    assert names_in(tmp_path) == []


def test_a_lock_is_released_on_leaving_and_on_an_exception(tmp_path: Path) -> None:
    output = tmp_path / "table.parquet"
    with pytest.raises(ValueError, match="inside"), locked(output):
        raise ValueError("inside")
    assert names_in(tmp_path) == []
    with locked(output), locked(tmp_path / "other.parquet"):
        assert names_in(tmp_path) == ["other.parquet.lock", "table.parquet.lock"]
    assert names_in(tmp_path) == []


def test_folders_made_for_a_lock_go_where_nothing_came_into_them(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b" / "table.parquet"
    (tmp_path / "there").mkdir()
    with locked(output), locked(tmp_path / "there" / "table.parquet"):
        pass
    assert names_in(tmp_path) == ["there"]
    with pytest.raises(ValueError, match="inside"), locked(output):
        write_atomic(output.parents[1] / "kept", b"x")
        raise ValueError("inside")
    assert names_in(tmp_path / "a") == ["kept"]


def test_one_process_cannot_lock_twice(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "table"),
        pytest.raises(LockedError, match=f"being written by process {os.getpid()} on "),
        locked(tmp_path / "table"),
    ):
        pass


def test_a_lock_without_a_holders_name_still_refuses(tmp_path: Path) -> None:
    output = tmp_path / "table"
    with locked(output):
        (tmp_path / "table.lock").write_bytes(b"")
        with pytest.raises(LockedError) as caught, locked(output):
            pass
    assert str(caught.value) == f"{output} is being written by another run; wait for it or choose another --out"


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "table.parquet"
    with pytest.raises(UsageError) as caught, locked(output):
        pass
    assert str(caught.value) == f"cannot write beside {output}: File exists; choose another --out"
