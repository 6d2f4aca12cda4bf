"""BVI-DVC as a corekit plugin: its hooks, each a thin door to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit import Clip, Column, CorpusInfo, ManifestSection, Value, hookimpl
from corekit_bvi_dvc.info import INFO, BviDvcOptions, row_values
from corekit_bvi_dvc.reader import read_clips
from corekit_bvi_dvc.section import section_content

if TYPE_CHECKING:
    from corekit import RunRecord

COREKIT_API = 1


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe BVI-DVC."""
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: BviDvcOptions) -> Iterator[Clip]:
    """Yield the sequences by their names, sorted, each with the recipe of its encode."""
    return read_clips(root, options)


@hookimpl
def corekit_shape_row(clip: Clip) -> Mapping[Column, Value]:
    """Return BVI-DVC's own columns."""
    return row_values(clip)


@hookimpl
def corekit_write_manifest(run: RunRecord) -> ManifestSection:
    """Return the section ``bvi_dvc``: the labels that rows were given, row schema version, rows, cached logs, tiers."""
    return ManifestSection(INFO.name, section_content(run))


@hookimpl
def corekit_make_sample(root: Path) -> bool:
    """Write a few small invented sequences in the layout of BVI-DVC into the empty folder ``root``."""
    from corekit_bvi_dvc.sample import write_sample

    write_sample(root)
    return True
