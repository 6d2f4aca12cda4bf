"""What the tests of the run share: a laboratory with a toy corpus, the command in this process and in another."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from msgspec import Struct

from corekit import read_manifest
from corekit.cli.main import main
from corekit.manifest import Manifest

COMMAND = [sys.executable, "-c", "from corekit.cli.main import main; main()"]
EPOCH = "1700000000"
MARK = "COREKIT_TEST_MARK"
FIELDS = ("path", "content", "rung", "ref", "mos", "tag", "split")


class Outcome(Struct, frozen=True):
    """What the command said."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line of standard error, without the program's name."""
        return self.err.strip().splitlines()[-1].removeprefix("corekit: ")


class Lab:
    """A toy corpus of two contents with a reference and three rungs each, and room for the artefacts."""

    def __init__(self, folder: Path, capsys: Any) -> None:
        self.folder = folder
        self.root = folder / "corpus"
        self.out = folder / "out" / "toy.parquet"
        self.journal = folder / "journal"
        self.trouble = folder / "trouble"
        self._capsys = capsys
        (self.root / "clips").mkdir(parents=True)
        self.rows: list[dict[str, str]] = []
        for content in ("cat", "dog"):
            self.add(f"{content}_ref.y4m", content, ref="1", rung="ref", mos="4.5", frames=video(seed=content))
            for step in (1, 2, 3):
                name = f"{content}_{step}.y4m"
                self.add(name, content, rung=str(step), mos=f"{step}.5", frames=video(seed=content, noise=8 * step))
        self.write_labels()

    def add(self, name: str, content: str, *, frames: bytes | None = None, **cells: str) -> Path:
        """Add a row (see ``FIELDS``) and, where given, its file; ``write_labels`` makes the rows last."""
        self.rows.append({"path": f"clips/{name}", "content": content, "ref": "0", "mos": "3", **cells})
        path = self.root / "clips" / name
        if frames is not None:
            path.write_bytes(frames)
        return path

    def row(self, name: str) -> dict[str, str]:
        return next(row for row in self.rows if row["path"] == f"clips/{name}")

    def write_labels(self, file: str = "labels.csv") -> None:
        with (self.root / file).open("w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, FIELDS, restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def clip(self, name: str) -> Path:
        return self.root / "clips" / name

    def make_trouble(self, **kinds: str) -> None:
        """Let the backend misbehave: stem of a ``.y4m`` clip to kind."""
        self.trouble.write_text("".join(f"{stem}.y4m {kind}\n" for stem, kind in kinds.items()))

    def arguments(self, *more: str, out: Path | None = None) -> list[str]:
        return [
            "run", "--corpus", "toy", "--root", str(self.root), "--out", str(out or self.out), "--backend", "toy",
            "--set", f"journal={self.journal}", "--set", f"trouble={self.trouble}", "--log", "none", *more,
        ]  # fmt: skip

    def run(self, *more: str, out: Path | None = None) -> Outcome:
        """`corekit run` on the toy corpus, in this process; forgets the journal first."""
        self.journal.unlink(missing_ok=True)
        return self.corekit(*self.arguments(*more, out=out))

    def corekit(self, *arguments: str) -> Outcome:
        self._capsys.readouterr()
        try:
            main(list(arguments))
        except SystemExit as ended:
            said = self._capsys.readouterr()
            assert isinstance(ended.code, int)
            return Outcome(ended.code, said.out, said.err)
        raise AssertionError("main returned")

    def measured(self) -> list[str]:
        """Clips that the last run measured, sorted."""
        return sorted(self.journal.read_text().split()) if self.journal.exists() else []

    def recorded(self) -> int:
        """Rows that the ledger holds, while another process writes it."""
        try:
            with closing(sqlite3.connect(f"file:{self.out.with_suffix('.ledger.sqlite')}?mode=ro", uri=True)) as ledger:
                return int(ledger.execute("SELECT count(*) FROM done").fetchone()[0])
        except sqlite3.OperationalError:  # not there yet, or locked at this moment
            return 0

    def table(self, out: Path | None = None) -> dict[str, dict[str, Any]]:
        """Rows by clip name, in order."""
        return table(out or self.out)

    def manifest(self) -> Manifest:
        manifest = read_manifest(self.out.with_suffix(".manifest.json"))
        assert isinstance(manifest, Manifest)
        return manifest

    def failures(self) -> dict[str, dict[str, Any]]:
        path = self.out.with_suffix(".failures.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return {record["clip_name"]: record for record in map(json.loads, lines)}

    def stray(self) -> list[str]:
        """Temporary files, locks and journals below the laboratory."""
        suffixes = (".tmp", ".lock", "-journal", ".partial")
        return sorted(path.name for path in self.folder.rglob("*") if path.name.endswith(suffixes))


def video(
    *, seed: object = 0, noise: int = 0, frames: int = 3, width: int = 64, height: int = 64, rate: str = "25:1"
) -> bytes:
    """A y4m file: pictures of a seed, disturbed by noise."""
    picture = np.random.default_rng(list(str(seed).encode()))
    spoiler = np.random.default_rng([noise, *str(seed).encode()])
    parts = [f"YUV4MPEG2 W{width} H{height} F{rate} Ip A1:1 C420jpeg\n".encode()]
    base = picture.integers(60, 180, (height, width))
    for index in range(frames):
        luma = np.roll(base, index, axis=1)
        if noise:
            luma = luma + spoiler.integers(-noise, noise + 1, luma.shape)
        parts += [
            b"FRAME\n",
            luma.astype(np.uint8).tobytes(),
            bytes([128]) * (2 * ((width + 1) // 2) * ((height + 1) // 2)),
        ]
    return b"".join(parts)


def table(path: Path) -> dict[str, dict[str, Any]]:
    rows = pq.ParquetFile(path).read().to_pylist()
    named = {row["clip_name"]: row for row in rows}
    assert len(named) == len(rows)
    return named


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """`corekit` in a process group of its own, which Ctrl-C reaches also where the tests run in a background job that ignores it."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def end(process: subprocess.Popen[str], timeout: float = 60) -> Outcome:
    out, err = process.communicate(timeout=timeout)
    return Outcome(process.returncode, out, err)


def wait_for(condition: Any, timeout: float = 20) -> bool:
    """Poll until the condition holds; whether it did."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def workers_of(mark: str) -> list[int]:
    """Pids of live processes that were started with ``MARK=mark`` in their environment, whoever their parent is now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue
        if marked and state != "Z":
            found.append(int(folder.name))
    return found


def all_gone(mark: str, timeout: float = 5) -> bool:
    """Whether every marked process ends in time; ends the others."""
    if wait_for(lambda: not workers_of(mark), timeout):
        return True
    for pid in workers_of(mark):
        os.kill(pid, signal.SIGKILL)
    return False


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file of JSON lines, read strictly."""

    def refuse(token: str) -> Any:
        raise AssertionError(f"{token} is no JSON")

    for line in path.read_text().splitlines():
        yield json.loads(line, parse_constant=refuse)
