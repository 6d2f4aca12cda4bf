"""Every error a user can meet, ordered by consequence.

::

    CorekitError                exit 1   our own bug, where nothing more exact is known
    ├── UsageError              exit 2   a command, option or plugin that cannot work as asked
    │   ├── PluginError                  a plugin is unknown, broken or speaks another API
    │   ├── BackendError                 a backend cannot be used here
    │   └── LockedError                  another run writes this output
    ├── CorpusError             exit 3   the corpus or its label files are wrong, or there is nothing to do
    │   └── LabelError                   one line of one label file
    ├── ClipError               exit 4   one clip or pair failed; the run goes on without it
    ├── IncompleteRunError      exit 4   the run finished, with failed or missing clips
    ├── IntegrityError          exit 5   an artefact is not what its record says
    ├── GateError               exit 6   a required gate was missed
    └── InterruptedRunError     exit 130 the user stopped the run

A message is one sentence that says what is wrong, where (file, line, clip) and what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class CorekitError(Exception):
    """Base of all errors that corekit raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(CorekitError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class PluginError(UsageError):
    """A plugin is unknown, failed to load, or broke its contract."""

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(message)
        self.plugin = plugin


class BackendError(UsageError):
    """A backend cannot be used on this machine."""


class LockedError(UsageError):
    """Another run holds the output."""


class CorpusError(CorekitError):
    """The corpus on disk, or its label files, cannot be used."""

    exit_code = 3


class LabelError(CorpusError):
    """A label file is wrong at one line."""

    def __init__(self, path: Path | str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = Path(path)
        self.line = line


class ClipError(CorekitError):
    """One clip or pair cannot be measured; the others can.

    ``stage`` is one of ``label``, ``reference``, ``open``, ``decode``, ``compare``, ``worker``.
    """

    exit_code = 4

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage

    def __reduce__(self) -> tuple[type[ClipError], tuple[str, str]]:
        return type(self), (self.stage, str(self))


class IncompleteRunError(CorekitError):
    """The run finished and wrote its table, but clips failed or are missing."""

    exit_code = 4


class IntegrityError(CorekitError):
    """An artefact on disk differs from what its record says."""

    exit_code = 5


class GateError(CorekitError):
    """A quality gate that was asked for has been missed."""

    exit_code = 6


class InterruptedRunError(CorekitError):
    """The user stopped the run; what had finished is kept."""

    exit_code = 130
