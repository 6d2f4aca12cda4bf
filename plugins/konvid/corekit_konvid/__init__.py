"""KoNViD-1k as a corekit plugin: its hooks, each a thin door to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit import Clip, Column, CorpusInfo, ManifestSection, Value, hookimpl
from corekit_konvid.info import INFO, KonvidOptions, row_values
from corekit_konvid.reader import read_clips
from corekit_konvid.section import section_content

if TYPE_CHECKING:
    from corekit import RunRecord

COREKIT_API = 1


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe KoNViD-1k."""
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: KonvidOptions) -> Iterator[Clip]:
    """Yield the labelled clips, sorted by clip name, each with the recipe of its encode."""
    return read_clips(root, options)


@hookimpl
def corekit_shape_row(clip: Clip) -> Mapping[Column, Value]:
    """Return KoNViD-1k's own columns; the MOS of the pristine clip among them, whatever the row's label is."""
    return row_values(clip)


@hookimpl
def corekit_write_manifest(run: RunRecord) -> ManifestSection:
    """Return the section ``konvid``: labels, recipe, cache policy, selected, processed and failed clips, frames."""
    return ManifestSection(INFO.name, section_content(run))


@hookimpl
def corekit_make_sample(root: Path) -> bool:
    """Write a small invented corpus in the layout of KoNViD-1k into the empty folder ``root``."""
    from corekit_konvid.sample import write_sample

    write_sample(root)
    return True
