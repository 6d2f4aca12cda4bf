"""A plugin under examination: what was found out of it, each fact at most once."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from corekit.plugins import discovery
from corekit.testing import child

_PATIENCE_S = 600.0


class ChildAnswer(Struct, frozen=True):
    """How a process of the kit ended: its exit code (negative for a signal), last words, and what it found."""

    code: int
    words: str
    found: Any


class HookFailedError(Exception):
    """A plugin's hook raised; the text says what."""


class PluginSubject:
    """What corpora and backends have in common."""

    kind: ClassVar[discovery.PluginKind]
    wanted_hooks: tuple[str, ...] = ()
    """Hooks that the plugin is said to implement, beside those that its kind demands."""

    def __init__(self, name: str, work: Path) -> None:
        self.name = name
        self.work = work
        self._children = 0

    @cached_property
    def entry_points(self) -> list[EntryPoint]:
        """The entry points of that name in the group of the kind."""
        return [point for point in discovery.installed(self.kind) if point.name == self.name]

    @cached_property
    def plugin(self) -> Any:
        """The plugin's module or object, whether it keeps the contract or not."""
        return self.entry_points[0].load()

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call one hook of the plugin with those arguments that it names.

        Raises
        ------
        HookFailedError
            The hook raised.
        """
        function = getattr(self.plugin, hook)
        names = inspect.signature(function).parameters
        try:
            return function(**{name: arguments[name] for name in names})
        except Exception as error:
            raise HookFailedError(f"{hook} raised {type(error).__name__}: {error}") from error

    def child(self, verb: str, *arguments: str, env: Mapping[str, str] | None = None) -> ChildAnswer:
        """Do something of ``corekit.testing.child`` in a process that sees the same packages as this one."""
        self._children += 1
        result = self.work / f"child-{self._children}.json"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COREKIT_")}
        path = os.pathsep.join(entry for entry in sys.path if entry)
        done = subprocess.run(
            [sys.executable, "-P", child.__file__, verb, *arguments, str(result)],
            env={**kept, "PYTHONPATH": path, **(env or {})},
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        words = done.stderr.strip().splitlines()
        found = msgspec.json.decode(result.read_bytes()) if done.returncode == 0 else None
        return ChildAnswer(done.returncode, words[-1] if words else f"exit code {done.returncode}", found)
