"""Write a plugin's sample corpus into an empty folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from corekit.errors import UsageError
from corekit.plugins.composition import Composition


def make_sample(corpus: str, root: Path | str, *, disable: Sequence[str] = ()) -> Path:
    """Let the corpus's plugin write its sample below ``root``, which is made and must be empty; returns it.

    Raises
    ------
    PluginError
        No usable plugin of that name, or it makes no sample.
    UsageError
        The folder holds something already.
    """
    folder = Path(root).expanduser().absolute()
    composition = Composition(disable)
    composition.add_corpus(corpus)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name a new one for the sample")
    folder.mkdir(parents=True, exist_ok=True)
    composition.make_sample(folder)
    return folder
