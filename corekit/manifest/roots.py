"""Named roots: how absolute paths leave a manifest and how they are found again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

WORKING = "working"
OUTPUT = "output"
CORPUS = "corpus"

_PLACE = re.compile(r"\{([a-z]+\d*)\}(?=/|$)")


class Roots:
    """Folders by name. A path below several of them is written from the deepest."""

    def __init__(self, *, output: Path, home: Path | None = None, corpus: Path | None = None) -> None:
        """``home`` is the manifest's own folder, where it is not that of the output."""
        self._home = (home or output).absolute()
        self._folders = {WORKING: Path.cwd(), OUTPUT: output.absolute()}
        if corpus is not None:
            self._folders[CORPUS] = corpus.absolute()

    def add(self, path: Path) -> None:
        """Let the folder of a path be named, where no root holds it yet."""
        absolute = Path(os.path.normpath(path.absolute()))
        # Everything lies below the root of the file system, which is no folder to write paths from.
        folders = (folder for folder in self._folders.values() if folder != Path(folder.anchor))
        if not any(absolute.is_relative_to(folder) for folder in folders):
            name = f"folder{sum(name.startswith('folder') for name in self._folders) + 1}"
            self._folders[name] = absolute.parent

    def relations(self) -> dict[str, str | None]:
        """Each root as it lies from the manifest's folder.

        None where the names on the way would say something of the machine: unless both are inside the working folder, or one lies
        in the other.
        """
        return {name: self._relation(folder) for name, folder in sorted(self._folders.items())}

    def _relation(self, folder: Path) -> str | None:
        working, home = self._folders[WORKING], self._home
        both_inside = home.is_relative_to(working) and folder.is_relative_to(working)
        one_in_other = folder.is_relative_to(home) or home.is_relative_to(folder)
        return os.path.relpath(folder, home) if both_inside or one_in_other else None

    def hide(self, text: str) -> str:
        """JSON text with every absolute path below a root written from that root.

        Of equally deep roots the corpus goes before the output, and that before the working folder.
        """
        order = {CORPUS: 0, OUTPUT: 1, WORKING: 2}
        for name, folder in sorted(
            self._folders.items(), key=lambda item: (-len(item[1].parts), order.get(item[0], 3), item[0])
        ):
            written = json.dumps(str(folder), ensure_ascii=False)[1:-1]
            if written != "/":
                text = re.sub(rf"(?<![\w.-]){re.escape(written)}(?![\w.-])", f"{{{name}}}", text)
        return text


def resolve(text: str, roots: Mapping[str, Path]) -> Path:
    """The path that a manifest wrote, on this machine; a relative one is taken from the working folder.

    Raises
    ------
    KeyError
        The root that it begins with is not known here: the error names it.
    """
    match = _PLACE.match(text)
    if match is None:
        path = Path(text)
        return path if path.is_absolute() else roots.get(WORKING, Path.cwd()) / path
    return roots[match[1]] / text[match.end() :].lstrip("/")


def restore(text: str, roots: Mapping[str, Path]) -> str:
    """Text with every ``{root}`` that is known here replaced by its folder."""
    return _PLACE.sub(lambda match: str(roots[match[1]]) if match[1] in roots else match[0], text)


def roots_here(relations: Mapping[str, str | None], folder: Path, given: Mapping[str, Path]) -> dict[str, Path]:
    """Where the roots of a manifest in ``folder`` lie: as given, else as they lay from there."""
    found = {
        name: Path(os.path.normpath(folder.absolute() / relation))
        for name, relation in relations.items()
        if relation is not None
    }
    found.setdefault(OUTPUT, folder.absolute())
    return {**found, **{name: path.absolute() for name, path in given.items()}}
