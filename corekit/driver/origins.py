"""Which label files the origins of clips name, and which they may name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from corekit.model import Clip


def label_files_of(clip: Clip) -> Iterator[str]:
    """The label files that a clip's origins name, each once, as they name them."""
    yield from dict.fromkeys(filter(None, map(file_of, (clip.origin, *clip.other_origins))))


def file_of(origin: str) -> str:
    """The label file of ``<file>:<line>``; empty where there is none."""
    return origin.rpartition(":")[0]


class LabelPlaces:
    """Where label files may lie: below the root, beside it in the folder above, or where the user says with ``--set``."""

    def __init__(self, root: Path, settings: Mapping[str, str]) -> None:
        self._root = root
        self._named = frozenset(self._real(value) for value in settings.values() if "\0" not in value)
        self._held: dict[str, bool] = {}

    def astray(self, files: Iterable[str]) -> str:
        """The first file that lies elsewhere; empty where none does."""
        return next((file for file in files if not self._holds(file)), "")

    def _holds(self, file: str) -> bool:
        if file not in self._held:
            parts = PurePosixPath(file).parts
            inside = not file.startswith("/") and ".." not in (parts[1:] if len(parts) == 2 else parts)
            self._held[file] = "\0" not in file and (inside or self._real(file) in self._named)
        return self._held[file]

    def _real(self, path: str) -> str:
        return os.path.realpath(self._root / path)
