"""What FFmpeg logs as an error while it reads: for some damage the only sign there is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from av import logging

Report = tuple[str, str]
"""Who logged it, a demuxer's or decoder's name, and the message."""


class _Level:
    """FFmpeg's log level, which is one for the whole process: raised while any thread listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners = 0
        self._before: tuple[int | None, bool] = (None, False)

    def acquire(self) -> None:
        with self._lock:
            if not self._listeners:
                self._before = logging.get_level(), logging.get_skip_repeated()
                logging.set_skip_repeated(False)
                logging.set_level(logging.ERROR)
            self._listeners += 1

    def release(self) -> None:
        with self._lock:
            self._listeners -= 1
            if not self._listeners:
                level, skips = self._before
                logging.set_level(level)
                logging.set_skip_repeated(skips)


_level = _Level()


@contextmanager
def listen(*, active: bool = True) -> Iterator[list[Report]]:
    """Collect what FFmpeg logs as an error on this thread inside the block; the list is filled when the block ends.

    ``active`` must be false where the decoder has threads of its own: PyAV's log callback takes the interpreter's lock.
    """
    reports: list[Report] = []
    if not active:
        yield reports
        return
    _level.acquire()
    try:
        with logging.Capture() as records:
            yield reports
    finally:
        _level.release()
        reports.extend((who, message.strip()) for severity, who, message in records if severity <= logging.ERROR)
