"""The Netflix Public dataset as a corekit plugin: its hooks, each a thin door to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit import Clip, Column, CorpusInfo, ManifestSection, Value, hookimpl
from corekit_netflix.info import INFO, NetflixOptions, row_values
from corekit_netflix.reader import read_clips
from corekit_netflix.section import section_content

if TYPE_CHECKING:
    from corekit import RunRecord

COREKIT_API = 1


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe the Netflix Public dataset."""
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: NetflixOptions) -> Iterator[Clip]:
    """Yield the clips of the label file, sorted by content, reference first, then height and bitrate."""
    return read_clips(root, options)


@hookimpl
def corekit_shape_row(clip: Clip) -> Mapping[Column, Value]:
    """Return the dataset's own columns: the nominal height and bitrate of the encode."""
    return row_values(clip)


@hookimpl
def corekit_write_manifest(run: RunRecord) -> ManifestSection:
    """Return the section ``netflix``: pairs, rows, features, and what the label file holds."""
    return ManifestSection(INFO.name, section_content(run))


@hookimpl
def corekit_make_sample(root: Path) -> bool:
    """Write a small invented corpus in the layout of the Netflix Public dataset into the empty folder ``root``."""
    from corekit_netflix.sample import write_sample

    write_sample(root)
    return True
