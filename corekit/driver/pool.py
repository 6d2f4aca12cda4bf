"""The worker processes of a run: started, watched, replaced when they die or hang, stopped within seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from corekit.driver.tasks import (
    Beat,
    Done,
    Failed,
    FromWorker,
    Hashed,
    Job,
    JobDone,
    Ready,
    Settings,
    Task,
    Unusable,
)
from corekit.errors import BackendError

_DECODER = msgspec.msgpack.Decoder(FromWorker)
_POLL_S = 0.2
_MAX_STILLBORN = 3
_START_S = 120.0
"""What a worker may take to start its backend, however short the timeout of a clip is."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class _Worker:
    """One process, its socket and the job it is at."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair()
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": _module_path()}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "corekit.driver.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=environment,
            start_new_session=True,
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.last_seen = time.monotonic()
        self.ready = False
        self.job: Job | None = None
        self.open_tasks: dict[str, Task] = {}
        self._send(settings)

    def give(self, job: Job) -> None:
        self.job = job
        self.open_tasks = {task.clip.name: task for task in job.tasks}
        self.last_seen = time.monotonic()
        self._send(job)

    def last_words(self) -> str:
        """The end of what the process printed, on one line."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 2000))
        lines = [line.strip() for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""

    def kill(self) -> None:
        """End the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
        self.log.close()

    def _send(self, message: Struct) -> None:
        with contextlib.suppress(OSError):  # its death is seen where messages are read
            self.connection.send_bytes(msgspec.msgpack.encode(message))


class Pool:
    """Runs jobs on worker processes; iterate over ``answers``, leave the context to stop everything."""

    def __init__(self, settings: Settings, *, workers: int) -> None:
        self._settings = settings
        self._count = workers
        self._workers: list[_Worker] = []
        self._again: deque[Job] = deque()
        self._stillborn = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: Any) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def answers(self, jobs: Iterable[Job]) -> Iterator[Done | Failed | Hashed | Beat]:
        """Messages of the workers until every task of every job is answered.

        A worker that dies or hangs is replaced. Where its job had several tasks, each is tried once more alone, so that
        only the guilty one is marked.

        Raises
        ------
        BackendError
            No worker can start the backend.
        """
        queue = iter(jobs)
        while True:
            self._hand_out(queue)
            if not any(worker.job for worker in self._workers):
                return
            for worker in self._readable():
                yield from self._listen(worker)
            yield from self._look_after()
            yield Beat()

    def _hand_out(self, queue: Iterator[Job]) -> None:
        while True:
            idle = next((worker for worker in self._workers if worker.job is None and worker.ready), None)
            if idle is None and len(self._workers) >= self._count:
                return
            job = self._again.popleft() if self._again else next(queue, None)
            if job is None:
                return
            if idle is None:
                idle = _Worker(self._settings)
                self._workers.append(idle)
            idle.give(job)

    def _readable(self) -> list[_Worker]:
        by_connection: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        return [by_connection[item] for item in wait(list(by_connection), timeout=_POLL_S)]

    def _listen(self, worker: _Worker) -> Iterator[Done | Failed | Hashed | Beat]:
        try:
            message = _DECODER.decode(worker.connection.recv_bytes())
        except (EOFError, OSError):
            yield from self._bury(worker, self._cause_of_death(worker))
            return
        worker.last_seen = time.monotonic()
        if isinstance(message, Unusable):
            raise BackendError(message.message)
        if isinstance(message, Ready):
            worker.ready = True
        elif isinstance(message, JobDone):
            worker.job = None
        else:
            if isinstance(message, Done | Failed):
                worker.open_tasks.pop(message.clip, None)
            yield message

    def _look_after(self) -> Iterator[Failed]:
        now = time.monotonic()
        for worker in list(self._workers):
            timeout = self._settings.timeout_s
            limit = timeout if worker.ready else max(timeout, _START_S)
            if worker.job is not None and now - worker.last_seen > limit:
                yield from self._bury(worker, f"no progress for {limit:g} s (--timeout); the worker was stopped")

    def _bury(self, worker: _Worker, cause: str) -> Iterator[Failed]:
        worker.kill()
        self._workers.remove(worker)
        lost = list(worker.open_tasks.values())
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn > _MAX_STILLBORN:
                raise BackendError(f"{self._stillborn} workers ended before they could start: {cause}")
        if worker.job is None or not lost:
            return
        if worker.ready and len(lost) == 1:
            yield Failed(None, lost[0].clip.name, "worker", cause)
        elif worker.ready:
            self._again.extend(msgspec.structs.replace(worker.job, tasks=(task,)) for task in lost)
        else:
            self._again.append(worker.job)

    def _cause_of_death(self, worker: _Worker) -> str:
        try:
            code = worker.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        if code is not None and code < 0:
            cause = f"the worker was killed by {_signal_name(-code)}"
            hint = "; out of memory?" if -code == signal.SIGKILL else ""
            cause += hint
        else:
            cause = f"the worker ended with code {code}"
        words = worker.last_words()
        return f"{cause} ({words})" if words else cause


def _module_path() -> str:
    """Where the run itself finds its modules: a worker must find the same, and never those of the working folder."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name of its own
        return f"signal {number}"
