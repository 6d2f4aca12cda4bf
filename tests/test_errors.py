"""The tree of errors: one exit code by consequence, and errors that cross a process."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from corekit import errors
from corekit.errors import ClipError, CorekitError, LabelError, PluginError

CODES = {
    "CorekitError": 1,
    "UsageError": 2,
    "PluginError": 2,
    "BackendError": 2,
    "LockedError": 2,
    "CorpusError": 3,
    "LabelError": 3,
    "ClipError": 4,
    "IncompleteRunError": 4,
    "IntegrityError": 5,
    "GateError": 6,
    "InterruptedRunError": 130,
}


def test_every_error_has_its_exit_code() -> None:
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CorekitError)
    }
    assert found == CODES


@pytest.mark.parametrize("name", CODES)
def test_the_drawn_tree_says_the_same(name: str) -> None:
    (line,) = [line for line in (errors.__doc__ or "").splitlines() if f" {name} " in f" {line} "]
    said = line.partition("exit ")[2].split()
    parents = [parent.exit_code for parent in getattr(errors, name).__mro__[1:-3] if parent is not CorekitError]
    assert [int(said[0])] == [CODES[name]] if said else CODES[name] in parents


def test_errors_carry_their_object() -> None:
    label = LabelError("chug.csv", 17, "mos is 'x'; give a number")
    assert (str(label), label.path, label.line) == ("chug.csv:17: mos is 'x'; give a number", Path("chug.csv"), 17)
    assert PluginError("chug", "broken").plugin == "chug"


def test_a_clip_error_crosses_a_process() -> None:
    error = pickle.loads(pickle.dumps(ClipError("decode", "a.mp4: frame 3 is damaged")))
    assert (type(error), error.stage, str(error)) == (ClipError, "decode", "a.mp4: frame 3 is damaged")
