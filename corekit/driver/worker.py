"""A worker process: starts the one backend, then measures the jobs that come over a socket until it closes.

Run as ``python -m corekit.driver.worker FD`` by the pool; messages are msgspec structs, nothing is pickled. A worker whose backend
holds a device measures several jobs at once, each in a thread of its own: decoding and hashing leave Python's lock.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import msgspec

from corekit.backends.base import DeviceLost, Extractor
from corekit.driver.measure import StateError, measure_job
from corekit.driver.tasks import (
    DEVICE_LOST,
    Beat,
    Done,
    Failed,
    FromWorker,
    Job,
    JobDone,
    Ready,
    Settings,
    Task,
    Unusable,
)
from corekit.errors import ClipError, CorekitError
from corekit.plugins.composition import Composition, parse_options

if TYPE_CHECKING:
    from corekit.video.nvdec import DeviceDecoder

_BEAT_S = 0.5


class RunGone(BaseException):
    """The run closed the socket or died; no backend can take it for an error of its own."""


class Channel:
    """The worker's end of the socket; any thread may send."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._lock = threading.Lock()

    def receive_settings(self) -> Settings:
        return msgspec.msgpack.decode(self._receive(), type=Settings)

    def receive_job(self) -> Job:
        return msgspec.msgpack.decode(self._receive(), type=Job)

    def send(self, message: FromWorker) -> None:
        content = msgspec.msgpack.encode(message)
        try:
            with self._lock:
                self._connection.send_bytes(content)
        except OSError as error:
            raise RunGone from error

    def _receive(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise RunGone from error


class Pulse:
    """The beats of one job."""

    def __init__(self, channel: Channel, job: int) -> None:
        self._channel = channel
        self._job = job
        self._last = 0.0
        self._frames = 0

    def beat(self, frames: int) -> None:
        """Say at most twice a second that work goes on."""
        self._frames += frames
        now = time.monotonic()
        if now - self._last >= _BEAT_S:
            self._channel.send(Beat(self._frames, job=self._job))
            self._last, self._frames = now, 0

    def flush(self) -> None:
        self._last = 0.0
        self.beat(0)


def main(descriptor: int) -> None:
    """Serve jobs until the run closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to handle
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    channel = Channel(descriptor)
    _or_end(channel, partial(_serve_all, channel))


def _serve_all(channel: Channel) -> None:
    settings = channel.receive_settings()
    try:
        extractor = open_extractor(settings)
    except CorekitError as error:
        channel.send(Unusable(str(error), backend=True))
        return
    if extractor is not None:
        extractor.notify = lambda text: channel.send(Beat(0, text))  # type: ignore[method-assign]
    decoder = device_decoder(settings, extractor)
    channel.send(Ready())
    if settings.threads == 1:
        while True:
            _serve(channel.receive_job(), settings, extractor, decoder, channel)
    with ThreadPoolExecutor(settings.threads) as threads:
        while True:
            job = channel.receive_job()
            threads.submit(_or_end, channel, partial(_serve, job, settings, extractor, decoder, channel))


def _or_end(channel: Channel, work: Callable[[], None]) -> None:
    """Do a worker's work; where it cannot go on, the process ends, whichever thread notices."""
    try:
        work()
    except DeviceLost as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(DEVICE_LOST)
    except StateError as error:
        channel.send(Unusable(str(error)))
        os._exit(1)
    except RunGone:
        _end_group()
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def open_extractor(settings: Settings) -> Extractor | None:
    """Start the backend that the settings name; None where no feature is measured."""
    if settings.backend is None:
        return None
    composition = Composition(settings.disable)
    info = composition.add_backend(settings.backend)
    options = parse_options(info.options, settings.backend_settings, info.name)
    return composition.extractor(settings.features, device=settings.device, options=options)


def device_decoder(settings: Settings, extractor: Extractor | None) -> DeviceDecoder | None:
    """The decoder of the backend's GPU; None where the CPU decodes."""
    if settings.decode == "cpu" or extractor is None or not extractor.frames_on:
        return None
    from corekit.video.nvdec import DeviceDecoder

    return DeviceDecoder(extractor.frames_on, settings.decode)


def _end_with_parent(parent: int) -> None:
    """A run that was killed cannot stop its workers: they, and what they started, must notice."""
    while os.getppid() == parent:
        time.sleep(1.0)
    _end_group()


def _end_group() -> None:
    """End this process and all that the backend started: the pool made them a group of their own."""
    os.killpg(0, signal.SIGKILL)


def _serve(
    job: Job, settings: Settings, extractor: Extractor | None, decoder: DeviceDecoder | None, channel: Channel
) -> None:
    pulse = Pulse(channel, job.number)
    is_lost = extractor.is_lost if extractor else lambda: False
    # Jobs side by side share batches, and one that breaks a batch breaks the others in it: they get another try.
    tries = 2 if settings.threads > 1 else 1
    _measure(job, lambda part: measure_job(part, settings, extractor, pulse.beat, decoder), channel, is_lost, tries)
    pulse.flush()
    channel.send(JobDone(job.number))


def _measure(
    job: Job,
    measure: Callable[[Job], Iterator[FromWorker]],
    channel: Channel,
    is_lost: Callable[[], bool],
    tries: int = 1,
) -> None:
    """Measure a job; where the backend breaks over several tasks, each alone, so that only the guilty one fails.

    A task alone is tried ``tries`` times.
    Nothing that happens on a lost device is a clip's fault, whatever it looks like.
    """
    answered = set()
    try:
        for message in measure(job):
            if isinstance(message, Failed) and is_lost():
                raise DeviceLost(f"the device was lost: {message.message}")
            channel.send(message)
            if isinstance(message, Done | Failed):
                answered.add(message.clip)
    except StateError:
        raise
    except Exception as error:
        if is_lost():
            raise DeviceLost(f"the device was lost: {error}") from error
        left = [task for task in job.tasks if task.clip.name not in answered]
        for task in left:
            if len(job.tasks) > 1:
                _measure(msgspec.structs.replace(job, tasks=(task,)), measure, channel, is_lost, tries)
            elif tries > 1 and not isinstance(error, ClipError):
                _measure(job, measure, channel, is_lost, tries - 1)
            else:
                channel.send(_broken(task, error))


def _broken(task: Task, error: Exception) -> Failed:
    if isinstance(error, ClipError):
        return Failed(None, task.clip.name, error.stage, str(error))
    traceback.print_exception(error)
    said = (str(error).strip() or "no word of why").splitlines()[0]
    reason = f"{type(error).__name__}: {said}; report this as a bug of corekit or of the backend"
    return Failed(None, task.clip.name, "worker", reason)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # decoder threads must not hold up the exit
