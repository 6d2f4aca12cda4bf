"""A worker process: starts the one backend, then measures the jobs that come over a socket until it closes.

Run as ``python -m corekit.driver.worker FD`` by the pool; messages are msgspec structs, nothing is pickled.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection

import msgspec

from corekit.backends.base import Extractor
from corekit.driver.measure import StateError, measure_job
from corekit.driver.tasks import Beat, Done, Failed, FromWorker, Job, JobDone, Ready, Settings, Task, Unusable
from corekit.errors import ClipError, CorekitError
from corekit.plugins.composition import Composition, parse_options

_BEAT_S = 0.5


class RunGone(BaseException):
    """The run closed the socket or died; no backend can take it for an error of its own."""


class Channel:
    """The worker's end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._encoder = msgspec.msgpack.Encoder()
        self._last_beat = 0.0
        self._frames = 0

    def receive_settings(self) -> Settings:
        return msgspec.msgpack.decode(self._receive(), type=Settings)

    def receive_job(self) -> Job:
        return msgspec.msgpack.decode(self._receive(), type=Job)

    def send(self, message: FromWorker) -> None:
        content = self._encoder.encode(message)
        try:
            self._connection.send_bytes(content)
        except OSError as error:
            raise RunGone from error

    def _receive(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise RunGone from error

    def beat(self, frames: int) -> None:
        """Say at most twice a second that work goes on."""
        self._frames += frames
        now = time.monotonic()
        if now - self._last_beat >= _BEAT_S:
            self.send(Beat(self._frames))
            self._last_beat, self._frames = now, 0

    def flush_beat(self) -> None:
        self._last_beat = 0.0
        self.beat(0)


def main(descriptor: int) -> None:
    """Serve jobs until the run closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to handle
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    channel = Channel(descriptor)
    try:
        settings = channel.receive_settings()
        try:
            extractor = open_extractor(settings)
        except CorekitError as error:
            channel.send(Unusable(str(error)))
            return
        if extractor is not None:
            extractor.notify = lambda text: channel.send(Beat(0, text))  # type: ignore[method-assign]
        channel.send(Ready())
        while True:
            job = channel.receive_job()
            _serve(job, settings, extractor, channel)
    except StateError as error:
        channel.send(Unusable(str(error)))
    except RunGone:
        _end_group()


def open_extractor(settings: Settings) -> Extractor | None:
    """Start the backend that the settings name; None where no feature is measured."""
    if settings.backend is None:
        return None
    composition = Composition(settings.disable)
    info = composition.add_backend(settings.backend)
    options = parse_options(info.options, settings.backend_settings, info.name)
    return composition.extractor(settings.features, device=settings.device, options=options)


def _end_with_parent(parent: int) -> None:
    """A run that was killed cannot stop its workers: they, and what they started, must notice."""
    while os.getppid() == parent:
        time.sleep(1.0)
    _end_group()


def _end_group() -> None:
    """End this process and all that the backend started: the pool made them a group of their own."""
    os.killpg(0, signal.SIGKILL)


def _serve(job: Job, settings: Settings, extractor: Extractor | None, channel: Channel) -> None:
    _measure(job, settings, extractor, channel)
    channel.flush_beat()
    channel.send(JobDone(job.number))


def _measure(job: Job, settings: Settings, extractor: Extractor | None, channel: Channel) -> None:
    """Measure a job; where the backend breaks over several tasks, each alone, so that only the guilty one fails."""
    answered = set()
    try:
        for message in measure_job(job, settings, extractor, channel.beat):
            channel.send(message)
            if isinstance(message, Done | Failed):
                answered.add(message.clip)
    except StateError:
        raise
    except Exception as error:
        left = [task for task in job.tasks if task.clip.name not in answered]
        for task in left:
            if len(job.tasks) == 1:
                channel.send(_broken(task, error))
            else:
                _measure(msgspec.structs.replace(job, tasks=(task,)), settings, extractor, channel)


def _broken(task: Task, error: Exception) -> Failed:
    if isinstance(error, ClipError):
        return Failed(None, task.clip.name, error.stage, str(error))
    traceback.print_exception(error)
    reason = f"{type(error).__name__}: {error}; report this as a bug of corekit or of the backend"
    return Failed(None, task.clip.name, "worker", reason)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # decoder threads must not hold up the exit
