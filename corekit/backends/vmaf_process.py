"""A libvmaf program at work: two raw streams in, one JSON log out, all through pipes that one thread serves."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence

from corekit.errors import ClipError

WINDOW = 4
"""Frames of each side that may wait for a process; with its own queues this bounds the memory."""

STALL_S = 120.0
EXIT_S = 10.0
_READ = 1 << 16


class VmafProcess:
    """One running program.

    ``command(reference, distorted)`` gives the command line for the two file descriptors that it reads frames from. It
    prints its log to standard output.
    """

    def __init__(self, command: Callable[[int, int], list[str]]) -> None:
        reference, self._reference_in = os.pipe()
        distorted, self._distorted_in = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(reference, distorted),
                pass_fds=(reference, distorted),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError:
            os.close(self._reference_in)
            os.close(self._distorted_in)
            raise
        finally:
            os.close(reference)
            os.close(distorted)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._pending: dict[int, deque[memoryview]] = {self._reference_in: deque(), self._distorted_in: deque()}
        self._outputs = {stream.fileno(): stream for stream in (self._process.stdout, self._process.stderr)}
        self._collected = {descriptor: bytearray() for descriptor in self._outputs}
        self._closing = False
        for descriptor in (*self._pending, *self._collected):
            os.set_blocking(descriptor, False)

    def feed(self, reference: bytes, distorted: bytes) -> None:
        """Queue one frame of each side; ``pump`` moves it."""
        for descriptor, frame in ((self._reference_in, reference), (self._distorted_in, distorted)):
            if descriptor in self._pending:
                self._pending[descriptor].append(memoryview(frame))

    def end_input(self) -> None:
        """No more frames: the pipes are closed as soon as they are drained."""
        self._closing = True
        for descriptor in list(self._pending):
            self._close_if_drained(descriptor)

    @property
    def waiting(self) -> int:
        """Frames that wait on the side that has fewer (a program may read one side ahead of the other)."""
        return min((len(queue) for queue in self._pending.values()), default=0)

    @property
    def ended(self) -> bool:
        """Whether the program has closed its outputs."""
        return not self._outputs

    def result(self) -> bytes:
        """What the program printed, once it has ended.

        Raises
        ------
        ClipError
            It failed: says how.
        """
        stdout, stderr = (bytes(content) for content in self._collected.values())
        try:
            code = self._process.wait(timeout=EXIT_S)
        except subprocess.TimeoutExpired as error:
            raise ClipError(
                "compare", f"libvmaf closed its output but did not end in {EXIT_S:g} s and was stopped"
            ) from error
        if code != 0:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            words = " ".join(stderr.decode(errors="replace").split())[-300:]
            raise ClipError("compare", f"libvmaf {how}{f' ({words})' if words else ''}")
        return stdout

    def close(self) -> None:
        """Stop the program if it still runs, and free everything."""
        for descriptor in list(self._pending):
            self._drop_input(descriptor)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in self._outputs.values():
            stream.close()
        self._outputs.clear()

    def register(self, selector: selectors.BaseSelector) -> None:
        """Ask for what this process can move now."""
        for descriptor, queue in self._pending.items():
            if queue:
                selector.register(descriptor, selectors.EVENT_WRITE, self)
        for descriptor in self._outputs:
            selector.register(descriptor, selectors.EVENT_READ, self)

    def move(self, descriptor: int) -> None:
        """Write or read what the pipe takes or gives without waiting."""
        if descriptor in self._pending:
            self._write(descriptor)
        else:
            self._read(descriptor)

    def _write(self, descriptor: int) -> None:
        queue = self._pending[descriptor]
        try:
            while queue:
                written = os.write(descriptor, queue[0])
                if written < len(queue[0]):
                    queue[0] = queue[0][written:]
                    return
                queue.popleft()
        except BlockingIOError:
            return
        except BrokenPipeError:  # the program ended early: its result says why
            self._drop_input(descriptor)
            return
        self._close_if_drained(descriptor)

    def _read(self, descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            content = os.read(descriptor, _READ)
            if content:
                self._collected[descriptor] += content
            else:
                self._outputs.pop(descriptor).close()

    def _close_if_drained(self, descriptor: int) -> None:
        if self._closing and descriptor in self._pending and not self._pending[descriptor]:
            self._drop_input(descriptor)

    def _drop_input(self, descriptor: int) -> None:
        if self._pending.pop(descriptor, None) is not None:
            os.close(descriptor)


def pump(processes: Sequence[VmafProcess], *, until: Callable[[], bool], stall_s: float | None = None) -> None:
    """Move data between us and the processes until the condition holds.

    Raises
    ------
    ClipError
        Nothing moved for ``stall_s`` seconds (``STALL_S`` unless given).
    """
    patience = STALL_S if stall_s is None else stall_s
    last_move = time.monotonic()
    while not until():
        with selectors.DefaultSelector() as selector:
            for process in processes:
                process.register(selector)
            events = selector.select(timeout=min(1.0, patience))
        for key, _ in events:
            key.data.move(key.fd)
        if events:
            last_move = time.monotonic()
        elif time.monotonic() - last_move > patience:
            raise ClipError("compare", f"libvmaf moved nothing for {patience:g} s and was stopped")
