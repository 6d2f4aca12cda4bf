"""How a run says where it is: a bar on a terminal, JSON lines for machines, a line now and then otherwise, or nothing."""

from __future__ import annotations

import io
import sys
import time
from contextlib import suppress
from typing import Any, Protocol, TextIO, cast

import msgspec


class Progress(Protocol):
    """What a run tells while it goes on."""

    def start(self, *, total: int, done: int, failed: int) -> None: ...

    def beat(self, frames: int) -> None: ...

    def done(self, clip: str) -> None: ...

    def failed(self, clip: str, message: str) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...


class Silent:
    """Says nothing."""

    def start(self, *, total: int, done: int, failed: int) -> None: ...

    def beat(self, frames: int) -> None: ...

    def done(self, clip: str) -> None: ...

    def failed(self, clip: str, message: str) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...


class _Lasting:
    """A stream of text that drops what cannot be written: no run of many hours ends because nobody reads of it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # gone, or closed
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def isatty(self) -> bool:
        with suppress(ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Where a terminal's width is asked for."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()


class _Counting:
    """Counts clips and frames, and their rates since the start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = _Lasting(stream or sys.stderr)
        self.total = self.finished = self.at_start = self.frames = 0
        self._begun = time.monotonic()
        self._noted: set[str] = set()

    def start(self, *, total: int, done: int, failed: int) -> None:
        self.total, self.finished, self.at_start = total, done + failed, done + failed
        self._begun = time.monotonic()

    def beat(self, frames: int) -> None:
        self.frames += frames

    def done(self, clip: str) -> None:
        self.finished += 1

    def failed(self, clip: str, message: str) -> None:
        self.finished += 1

    def note(self, text: str) -> None:
        """Say something that is worth a line, once."""
        if text not in self._noted:
            self._noted.add(text)
            self.say_note(text)

    def say_note(self, text: str) -> None:
        print(f"note: {text}", file=self.stream, flush=True)

    def stop(self) -> None: ...

    @property
    def elapsed_s(self) -> float:
        return max(time.monotonic() - self._begun, 1e-9)

    @property
    def clips_per_s(self) -> float:
        return (self.finished - self.at_start) / self.elapsed_s

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.elapsed_s

    @property
    def eta_s(self) -> float | None:
        rate = self.clips_per_s
        return (self.total - self.finished) / rate if rate else None


class Lines(_Counting):
    """One line every ten seconds and one for every failure, for logs that people read."""

    _EVERY_S = 10.0

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._last = time.monotonic()

    def beat(self, frames: int) -> None:
        super().beat(frames)
        if time.monotonic() - self._last >= self._EVERY_S:
            self._last = time.monotonic()
            self._say()

    def failed(self, clip: str, message: str) -> None:
        super().failed(clip, message)
        print(f"failed: {clip}: {message}", file=self.stream, flush=True)

    def _say(self) -> None:
        eta = f", {_clock(self.eta_s)} to go" if self.eta_s is not None else ""
        print(
            f"{self.finished} of {self.total} clips, {self.clips_per_s:.2f} clip/s, {self.frames_per_s:.0f} frame/s{eta}",
            file=self.stream,
            flush=True,
        )


class JsonLines(_Counting):
    """One JSON object a line: ``start``, ``done``, ``failed``, ``progress`` (at most once a second) and ``stop``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._last = 0.0

    def start(self, *, total: int, done: int, failed: int) -> None:
        super().start(total=total, done=done, failed=failed)
        self._say("start", total=total, done=done, failed=failed)

    def beat(self, frames: int) -> None:
        super().beat(frames)
        if time.monotonic() - self._last >= 1.0:
            self._last = time.monotonic()
            self._say("progress", **self._state())

    def done(self, clip: str) -> None:
        super().done(clip)
        self._say("done", clip=clip)

    def failed(self, clip: str, message: str) -> None:
        super().failed(clip, message)
        self._say("failed", clip=clip, message=message)

    def say_note(self, text: str) -> None:
        self._say("note", message=text)

    def stop(self) -> None:
        self._say("stop", **self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "finished": self.finished,
            "total": self.total,
            "clips_per_s": round(self.clips_per_s, 3),
            "frames_per_s": round(self.frames_per_s, 1),
            "eta_s": None if self.eta_s is None else round(self.eta_s, 1),
        }

    def _say(self, event: str, **fields: Any) -> None:
        print(msgspec.json.encode({"event": event, **fields}).decode(), file=self.stream, flush=True)


class Bar(_Counting):
    """A progress bar on a terminal, with clip/s, frame/s and the time to go; failures scroll by above it."""

    def start(self, *, total: int, done: int, failed: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        super().start(total=total, done=done, failed=failed)
        self._console = Console(file=cast("TextIO", self.stream), highlight=False)
        self._bar = RichProgress(
            TextColumn("measuring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("clips  {task.fields[rates]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, completed=done + failed, rates="")
        self._bar.start()

    def beat(self, frames: int) -> None:
        super().beat(frames)
        self._update()

    def done(self, clip: str) -> None:
        super().done(clip)
        self._update()

    def failed(self, clip: str, message: str) -> None:
        super().failed(clip, message)
        self._console.print(f"failed: {clip}: {message}", style="red", markup=False, soft_wrap=True)
        self._update()

    def say_note(self, text: str) -> None:
        self._console.print(f"note: {text}", style="yellow", markup=False, soft_wrap=True)

    def stop(self) -> None:
        self._bar.stop()

    def _update(self) -> None:
        eta = "--:--" if self.eta_s is None else _clock(self.eta_s)
        rates = f"{self.clips_per_s:.2f} clip/s  {self.frames_per_s:.0f} frame/s  {eta} to go"
        self._bar.update(self._task, completed=self.finished, rates=rates)


def _clock(seconds: float | None) -> str:
    whole = int(seconds or 0)
    hours, rest = divmod(whole, 3600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{last:02d}" if hours else f"{minutes}:{last:02d}"
