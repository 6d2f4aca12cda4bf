"""Which backend ``auto`` takes, and what it says of those that it passes over."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from corekit import RunOptions
from corekit.driver import backends
from corekit.driver.backends import Choice, choose_backend
from corekit.errors import BackendError, UsageError
from corekit.plugins.composition import Composition


def choose(tmp_path: Path, *disable: str, device: str = "auto") -> Choice:
    options = RunOptions(corpus="chug", root=tmp_path, out=tmp_path / "t.parquet", disable=disable, device=device)
    return choose_backend(Composition(options.disable), options)


def test_a_machine_without_a_gpu_hears_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_DRIVER_FILES", (str(tmp_path / "nothing"),))
    choice = choose(tmp_path)
    assert (choice.info.name, choice.note) == ("cpu", "")


def test_torch_that_is_missing_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_DRIVER_FILES", (str(tmp_path),))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose(tmp_path).note == ""


def test_a_gpu_that_cannot_be_used_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    monkeypatch.setattr(backends, "_DRIVER_FILES", (str(tmp_path),))
    choice = choose(tmp_path)
    assert choice.info.name == "cpu"
    assert choice.note.startswith("cuda: ") and choice.note.endswith("; using cpu")


def test_the_first_that_works_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "AUTO_ORDER", ("recorded", "libvmaf", "cpu"))
    assert choose(tmp_path).info.name == "libvmaf"
    assert choose(tmp_path, "libvmaf").info.name == "cpu"


def test_a_device_that_is_named_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_DRIVER_FILES", (str(tmp_path),))
    choice = choose(tmp_path, device="cpu")
    assert (choice.info.name, choice.note) == ("cpu", "")
    monkeypatch.setattr(backends, "_DRIVER_FILES", ())
    with pytest.raises(BackendError, match=r"^no backend works here \(cuda: "):
        choose(tmp_path, device="cuda:77")


def test_a_wrong_value_is_not_a_reason_to_pass_over_a_backend(tmp_path: Path) -> None:
    options = RunOptions(
        corpus="chug", root=tmp_path, out=tmp_path / "t.parquet", device="cpu", settings={"motion": "3.3"}
    )
    with pytest.raises(UsageError, match=r"^--set for cpu: Invalid enum value '3\.3' - at `\$\.motion`"):
        choose_backend(Composition(), options)
