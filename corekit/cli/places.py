"""The options by which the commands that follow manifests learn where things lie: `--root NAME=DIR` and `--search DIR`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from corekit.errors import UsageError


def _roots(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Path]:
    roots = {}
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        roots[name if equals else "corpus"] = Path(folder if equals else name)
    for name, path in roots.items():
        if not path.is_dir():
            raise UsageError(f"--root {name}={path}: there is no such folder")
    return roots


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--root`` and ``--search`` to a command, as ``roots`` and ``search``."""
    search = click.option(
        "--search",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="Look here, by digest, for a file that is not where it was; repeatable.",
    )
    root = click.option(
        "--root",
        "roots",
        multiple=True,
        callback=_roots,
        metavar="[NAME=]DIR",
        help="Where a root of the manifest's paths lies here, such as corpus=DIR; DIR alone is the corpus; repeatable.",
    )
    return root(search(command))
