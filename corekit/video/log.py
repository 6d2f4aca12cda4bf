"""What FFmpeg logs as an error while it reads: for some damage the only sign there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from av import logging

Report = tuple[str, str]
"""Who logged it, a demuxer's or decoder's name, and the message."""


@contextmanager
def listen(*, active: bool = True) -> Iterator[list[Report]]:
    """Collect what FFmpeg logs as an error on this thread inside the block; the list is filled when the block ends.

    ``active`` must be false where the decoder has threads of its own: PyAV's log callback takes the interpreter's lock.
    """
    reports: list[Report] = []
    if not active:
        yield reports
        return
    level, skips = logging.get_level(), logging.get_skip_repeated()
    logging.set_skip_repeated(False)
    logging.set_level(logging.ERROR)
    try:
        with logging.Capture() as records:
            yield reports
    finally:
        logging.set_level(level)
        logging.set_skip_repeated(skips)
        reports.extend((who, message.strip()) for severity, who, message in records if severity <= logging.ERROR)
