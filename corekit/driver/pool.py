"""The worker processes of a run: started, watched, replaced when they die or hang, stopped within seconds."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from corekit.driver.tasks import (
    DEVICE_LOST,
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
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""For glibc: keep what is freed. Frames come and go by the thousand, and each would be pages that the kernel zeroes and maps anew."""


class _Open(Struct):
    """A job that a worker is at: what of it is not answered yet, and when it was last heard of."""

    job: Job
    tasks: dict[str, Task]
    seen: float
    alone: bool
    """No other job may be given beside it."""


class _Worker:
    """One process, its socket and the jobs it is at."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair()
        self.settings = settings
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "corekit.driver.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={**worker_environment(os.environ), "PYTHONPATH": _module_path()},
            start_new_session=True,
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.ready = False
        self.jobs: dict[int, _Open] = {}
        self._send(settings)

    @property
    def has_room(self) -> bool:
        """Whether it can take another job; until it is ready it holds the one that it was started for."""
        return self.ready and len(self.jobs) < self.settings.threads and not any(o.alone for o in self.jobs.values())

    def give(self, job: Job, *, alone: bool) -> None:
        tasks = {task.clip.name: task for task in job.tasks}
        self.jobs[job.number] = _Open(job, tasks, time.monotonic(), alone)
        self._send(job)

    def heard_of(self, job: int | None) -> None:
        """Something was heard of a job; of all jobs, where no single one is named."""
        now = time.monotonic()
        for number, entry in self.jobs.items():
            if job is None or number == job:
                entry.seen = now

    def answered(self, clip: str) -> None:
        for number, entry in self.jobs.items():
            if entry.tasks.pop(clip, None) is not None:
                self.heard_of(number)

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
    """Runs jobs on worker processes; iterate over ``answers``, leave the context to stop everything.

    There is one process for each of ``workers``. Where one cannot be started, or loses its device, ``fallback`` takes its place.
    """

    def __init__(self, workers: Sequence[Settings], *, fallback: Sequence[Settings] = ()) -> None:
        self._places = list(workers)
        self._fallback = list(fallback)
        self._workers: list[_Worker] = []
        self._again: deque[Job] = deque()
        """Jobs of workers that died: tried where nothing else is going on."""
        self._numbers = itertools.count()
        self._stillborn = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: Any) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def answers(self, jobs: Iterable[Job]) -> Iterator[Done | Failed | Hashed | Beat]:
        """Messages of the workers until every task of every job is answered.

        A worker that dies or hangs is replaced. Where its jobs had several tasks, each is tried once more alone, so that
        only the guilty one is marked.

        Raises
        ------
        BackendError
            No worker can start the backend, and no other takes its place.
        """
        queue = iter(jobs)
        while True:
            self._hand_out(queue)
            if not any(worker.jobs for worker in self._workers):
                return
            for worker in self._readable():
                yield from self._listen(worker)
            yield from self._look_after()
            yield Beat()

    def _hand_out(self, queue: Iterator[Job]) -> None:
        while True:
            worker = self._with_room()
            free = self._free_place()
            if worker is None and free is None:
                return
            again = bool(self._again)
            job = self._again.popleft() if again else next(queue, None)
            if job is None:
                return
            if worker is None:
                assert free is not None
                worker = _Worker(free)
                self._workers.append(worker)
            # Numbers are the pool's own: two parts of one job may be tried at once.
            worker.give(msgspec.structs.replace(job, number=next(self._numbers)), alone=again)

    def _with_room(self) -> _Worker | None:
        """A worker that may be given a job: the least busy one, and for a job that is tried again one that is idle."""
        able = [worker for worker in self._workers if worker.has_room and not (self._again and worker.jobs)]
        return min(able, key=lambda worker: len(worker.jobs), default=None)

    def _free_place(self) -> Settings | None:
        free = list(self._places)
        for worker in self._workers:
            if worker.settings in free:
                free.remove(worker.settings)
        return free[0] if free else None

    def _readable(self) -> list[_Worker]:
        by_connection: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        return [by_connection[item] for item in wait(list(by_connection), timeout=_POLL_S)]

    def _listen(self, worker: _Worker) -> Iterator[Done | Failed | Hashed | Beat]:
        try:
            message = _DECODER.decode(worker.connection.recv_bytes())
        except (EOFError, OSError):
            cause, lost_device = self._cause_of_death(worker)
            yield from self._lose(worker, cause, lost_device=lost_device)
            return
        if isinstance(message, Unusable):
            if not message.backend:
                raise BackendError(message.message)
            yield self._go_without(worker.settings, message.message)
            yield from self._bury(worker, message.message, blamed=False)
        elif isinstance(message, Ready):
            worker.ready = True
            worker.heard_of(None)
        elif isinstance(message, JobDone):
            worker.jobs.pop(message.number, None)
        else:
            if isinstance(message, Done | Failed):
                worker.answered(message.clip)
            elif isinstance(message, Beat):
                worker.heard_of(message.job)
            yield message

    def _look_after(self) -> Iterator[Failed | Beat]:
        now = time.monotonic()
        for worker in list(self._workers):
            timeout = worker.settings.timeout_s
            limit = timeout if worker.ready else max(timeout, _START_S)
            late = [number for number, entry in worker.jobs.items() if now - entry.seen > limit]
            if late:
                cause = f"no progress for {limit:g} s (--timeout); the worker was stopped"
                yield from self._lose(worker, cause, guilty=late)

    def _lose(
        self, worker: _Worker, cause: str, *, lost_device: bool = False, guilty: Sequence[int] | None = None
    ) -> Iterator[Failed | Beat]:
        """A worker died, or has to: replace it, by the fallback where it is its device that failed."""
        blamed = worker.ready
        if lost_device and self._can_go_without(worker.settings):
            yield self._go_without(worker.settings, cause)
            blamed = False
        elif not worker.ready:
            self._stillborn += 1
            if self._stillborn > _MAX_STILLBORN:
                cause = f"{self._stillborn} workers ended before they could start: {cause}"
                yield self._go_without(worker.settings, cause)
        yield from self._bury(worker, cause, blamed=blamed, guilty=guilty)

    def _can_go_without(self, place: Settings) -> bool:
        return bool(self._fallback) and place not in self._fallback

    def _go_without(self, place: Settings, cause: str) -> Beat:
        """Let the fallback take a place whose backend does not work here."""
        if not self._can_go_without(place):
            raise BackendError(cause)
        if place in self._places:
            self._places.remove(place)
        if not any(other in self._fallback for other in self._places):
            self._places += self._fallback
        return Beat(0, f"going on with {self._fallback[0].backend}: {cause}")

    def _bury(
        self, worker: _Worker, cause: str, *, blamed: bool, guilty: Sequence[int] | None = None
    ) -> Iterator[Failed]:
        """Take a worker away; what it was at is tried again, or marked where it was the cause.

        ``blamed``: its jobs, or those of the numbers ``guilty``, may be why. Which of several was is found by trying each task alone.
        """
        worker.kill()
        self._workers.remove(worker)
        left = {number: entry for number, entry in worker.jobs.items() if entry.tasks}
        suspects = list(left) if guilty is None else [number for number in guilty if number in left]
        for number, entry in left.items():
            tasks = tuple(entry.tasks.values())
            if not blamed or number not in suspects:
                self._again.append(msgspec.structs.replace(entry.job, tasks=tasks))
            elif len(suspects) == 1 and len(tasks) == 1:
                yield Failed(None, tasks[0].clip.name, "worker", cause)
            else:
                self._again.extend(msgspec.structs.replace(entry.job, tasks=(task,)) for task in tasks)

    def _cause_of_death(self, worker: _Worker) -> tuple[str, bool]:
        """Why a worker ended, and whether it was its device that it lost."""
        try:
            code = worker.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        words = worker.last_words()
        if code == DEVICE_LOST:
            return words, True
        if code is not None and code < 0:
            cause = f"the worker was killed by {_signal_name(-code)}"
            hint = "; out of memory?" if -code == signal.SIGKILL else ""
            cause += hint
        else:
            cause = f"the worker ended with code {code}"
        return f"{cause} ({words})" if words else cause, False


def worker_environment(own: Mapping[str, str]) -> dict[str, str]:
    """What a worker finds in its environment beside ``own``, of which what is said of memory stands."""
    return {**_MALLOC, **own, **_ONE_THREAD}


def _module_path() -> str:
    """Where the run itself finds its modules: a worker must find the same, and never those of the working folder."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name of its own
        return f"signal {number}"
