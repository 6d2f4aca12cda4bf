"""How a worker answers for what breaks: the guilty task alone, and none for a device that was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from corekit.backends.base import DeviceLost
from corekit.driver.tasks import Failed, FromWorker, Job, Task
from corekit.driver.worker import _measure
from corekit.errors import ClipError
from corekit.model import Clip, Label


class Heard:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: FromWorker) -> None:
        self.messages.append(message)


def job(*names: str) -> Job:
    tasks = tuple(
        Task(clip=Clip(name=n, path=n, content="c", label=Label(kind="none")), reference=None, pairing="nr")
        for n in names
    )
    return Job(number=0, content="c", tasks=tasks, known=())


def measured(
    answer: Callable[[Job], Iterator[FromWorker]], work: Job, *, tries: int = 1, lost: bool = False
) -> list[Any]:
    channel = Heard()
    _measure(work, answer, channel, lambda: lost, tries)  # type: ignore[arg-type]
    return channel.messages


def breaking(*guilty: str, times: int = 99) -> tuple[Callable[[Job], Iterator[FromWorker]], list[list[str]]]:
    asked: list[list[str]] = []

    def answer(part: Job) -> Iterator[FromWorker]:
        names = [task.clip.name for task in part.tasks]
        asked.append(names)
        if set(names) & set(guilty) and sum(bool(set(n) & set(guilty)) for n in asked) <= times:
            raise RuntimeError("a spring broke\nand more")
        for name in names:
            yield Failed("id", name, "decode", f"{name} is a picture of a clip")

    return answer, asked


def test_only_the_guilty_task_is_called_broken() -> None:
    answer, asked = breaking("b")
    messages = measured(answer, job("a", "b", "c"))
    assert [(message.clip, message.stage) for message in messages] == [
        ("a", "decode"),
        ("b", "worker"),
        ("c", "decode"),
    ]
    assert messages[1].message == "RuntimeError: a spring broke; report this as a bug of corekit or of the backend"
    assert asked == [["a", "b", "c"], ["a"], ["b"], ["c"]]


def test_a_task_that_shares_batches_gets_another_try() -> None:
    answer, asked = breaking("a", times=1)
    assert [message.stage for message in measured(answer, job("a"), tries=2)] == ["decode"]
    assert asked == [["a"], ["a"]]
    answer, asked = breaking("a")
    assert [message.stage for message in measured(answer, job("a"), tries=2)] == ["worker"]
    assert asked == [["a"], ["a"]]


def test_nothing_on_a_lost_device_is_a_clips_fault() -> None:
    answer, _ = breaking()
    with pytest.raises(DeviceLost, match="the device was lost: a is a picture of a clip"):
        measured(answer, job("a"), lost=True)
    answer, _ = breaking("a")
    with pytest.raises(DeviceLost, match="the device was lost: a spring broke"):
        measured(answer, job("a", "b"), lost=True)


def test_a_clips_own_error_is_not_tried_again() -> None:
    def answer(part: Job) -> Iterator[FromWorker]:
        raise ClipError("compare", "it is short")
        yield

    (message,) = measured(answer, job("a"), tries=2)
    assert (message.stage, message.message) == ("compare", "it is short")
