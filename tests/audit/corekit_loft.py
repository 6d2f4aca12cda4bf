"""The yard under another description: clips may be missing, licences contradict each other, no column repeats a label."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from corekit import Clip, CorpusInfo, Licence, NoOptions, hookimpl

COREKIT_API = 1
# Only on the module path of a test, so a type checker cannot follow an import of it.
_yard = importlib.import_module("corekit_yard")


@hookimpl
def corekit_corpus() -> CorpusInfo:
    info: CorpusInfo = _yard.INFO
    licences = (Licence("CC BY 4.0", "README"), Licence("CC BY-NC 4.0", "LICENSE"))
    return replace(info, name="loft", columns=(), licences=licences, missing_is_normal=True)


@hookimpl
def corekit_read_corpus(root: Path, options: NoOptions) -> Iterator[Clip]:
    clips: Iterator[Clip] = _yard.corekit_read_corpus(root, options)
    return clips
