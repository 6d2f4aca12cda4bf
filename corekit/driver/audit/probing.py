"""Headers of many clips at once, each read in a process of its own kind: one that crashes or hangs harms no other clip."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import msgspec

from corekit.driver.prober import Answer, Question
from corekit.model import Clip

TIMEOUT_S = 60.0


def probe_all(root: Path, clips: Sequence[Clip], *, workers: int) -> Iterator[tuple[Clip, Answer]]:
    """The answer for each of ``clips``, in their order; few are held at a time."""
    idle: SimpleQueue[_Prober] = SimpleQueue()
    probers = [_Prober(root) for _ in range(min(workers, len(clips)))]
    for prober in probers:
        idle.put(prober)

    def ask(clip: Clip) -> Answer:
        prober = idle.get()
        try:
            return prober.ask(clip)
        finally:
            idle.put(prober)

    pool = ThreadPoolExecutor(max(1, len(probers)))
    rest = iter(clips)
    window: deque[tuple[Clip, Future[Answer]]] = deque()
    try:
        while True:
            window.extend((clip, pool.submit(ask, clip)) for clip in islice(rest, 8 * workers - len(window)))
            if not window:
                return
            clip, answer = window.popleft()
            yield clip, answer.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for prober in probers:
            prober.close()
        pool.shutdown()


class _Prober:
    """A process that reads headers, started when it is first needed and after it has died."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._late = False

    def ask(self, clip: Clip) -> Answer:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        self._late = False
        timer = threading.Timer(TIMEOUT_S, self._give_up, [process])
        timer.start()
        try:
            process.stdin.write(msgspec.json.encode(Question(clip.path, clip.raw, clip.archive)) + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if line:
            return msgspec.json.decode(line, type=Answer)
        self.close()
        reason = (
            f"reading its header took more than {TIMEOUT_S:g} s" if self._late else "the decoder crashed on its header"
        )
        return Answer(problem=f"{clip.path}: {reason}; fetch it again")

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # The prober must find the modules of this process, and never those of the working folder.
        modules = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "corekit.driver.prober", str(self._root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": modules},
            start_new_session=True,
        )

    def _give_up(self, process: subprocess.Popen[bytes]) -> None:
        self._late = True
        process.kill()
