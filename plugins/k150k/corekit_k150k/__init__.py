"""KoNViD-150k as a corekit plugin: its hooks, each a thin door to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit import Clip, Column, CorpusInfo, ManifestSection, Value, hookimpl
from corekit_k150k.info import INFO, K150kOptions, row_values
from corekit_k150k.reader import read_clips
from corekit_k150k.section import section_content

if TYPE_CHECKING:
    from corekit import RunRecord

COREKIT_API = 1


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe KoNViD-150k."""
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: K150kOptions) -> Iterator[Clip]:
    """Yield the labelled clips of parts a and b, sorted by clip name."""
    return read_clips(root, options)


@hookimpl
def corekit_shape_row(clip: Clip) -> Mapping[Column, Value]:
    """Return KoNViD-150k's own columns."""
    return row_values(clip)


@hookimpl
def corekit_write_manifest(run: RunRecord) -> ManifestSection:
    """Return the section ``k150k``: labels, rows by part, features that were computed, restart counters."""
    return ManifestSection(INFO.name, section_content(run))


@hookimpl
def corekit_make_sample(root: Path) -> bool:
    """Write a small invented corpus in the layout of KoNViD-150k into the empty folder ``root``."""
    from corekit_k150k.sample import write_sample

    write_sample(root)
    return True
