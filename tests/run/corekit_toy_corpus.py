"""A stranger's corpus for the tests of the run: ``labels.csv`` and whatever files its rows name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from corekit import Clip, Column, CorpusInfo, Label, Licence, NoOptions, Probe, RowContext, Value, hookimpl
from corekit.model import Split

COREKIT_API = 1
TAG = Column(name="toy_tag", type="str", description="the tag of the label file")
SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}


@hookimpl
def corekit_corpus() -> CorpusInfo:
    return CorpusInfo(
        name="toy",
        title="Toy corpus",
        version="toy-1",
        homepage="https://example.org/toy",
        licences=(Licence("CC0", "README"),),
        treat_as="CC0",
        pairings=("fr", "nr"),
        label_kind="mos",
        label_min=1.0,
        label_max=5.0,
        default_features="psnr_y,motion2",
        columns=(TAG,),
        split_seed="toy",
        root_env="COREKIT_TOY_ROOT",
        notes=("Toys are not data.",),
    )


@hookimpl
def corekit_read_corpus(root: Path, options: NoOptions) -> Iterator[Clip]:
    """Columns: path, content, rung, ref, mos, tag, split; a blank mos is a problem, ``none`` is no label."""
    for file in sorted(root.glob("**/labels.csv")):
        origin = file.relative_to(root).as_posix()
        with file.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
            for line, row in enumerate(csv.DictReader(lines), start=2):
                yield Clip(
                    name=PurePosixPath(row["path"]).name,
                    path=row["path"],
                    content=row["content"],
                    label=_label(row["mos"], f"{origin}:{line}"),
                    origin=f"{origin}:{line}",
                    rung=row["rung"],
                    is_reference=row["ref"] == "1",
                    split=SPLITS.get(row["split"]),
                    extra={"tag": row["tag"]},
                )


def _label(cell: str, where: str) -> Label:
    if not cell:
        return Label(kind="mos", problem=f"{where}: mos is blank; the clip has no label")
    if cell in ("none", "unrated"):
        return Label(kind="none" if cell == "none" else "mos")
    return Label(kind="mos", value=float(cell))


@hookimpl
def corekit_shape_row(clip: Clip, probe: Probe, row: RowContext) -> Mapping[Column, Value]:
    if clip.extra["tag"] == "another-column":
        return {Column(name="toy_other", type="str", description="not the same for every clip"): "x"}
    return {TAG: str(clip.extra["tag"])}
