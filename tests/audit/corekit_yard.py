"""A stranger's corpus for the tests of the audit: ``yard.csv`` and the clips that its rows name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from corekit import Clip, Column, CorpusInfo, Label, Licence, NoOptions, Value, hookimpl
from corekit.model import Encode, Split

COREKIT_API = 1
SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}
COLUMNS = (
    Column(name="yard_width_manifest", type="int", description="width of the label file"),
    Column(name="yard_height_manifest", type="int", description="height of the label file"),
    Column(name="yard_framerate_manifest", type="float", description="frame rate of the label file"),
)
INFO = CorpusInfo(
    name="yard",
    title="The yard",
    version="yard-1",
    homepage="https://example.org/yard",
    licences=(Licence("CC0", "README"),),
    treat_as="CC0",
    pairings=("fr", "nr", "synthetic"),
    label_kind="mos",
    label_min=1.0,
    label_max=5.0,
    columns=COLUMNS,
    split_seed="yard",
    root_env="COREKIT_YARD_ROOT",
    notes=("The yard is no data.",),
)


@hookimpl
def corekit_corpus() -> CorpusInfo:
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: NoOptions) -> Iterator[Clip]:
    with (root / "yard.csv").open(newline="", encoding="utf-8") as lines:
        for line, row in enumerate(csv.DictReader(lines), start=2):
            size = {"yard_width_manifest": row["width"], "yard_height_manifest": row["height"]}
            yield Clip(
                name=row["path"].rpartition("/")[2],
                path=row["path"],
                content=row["content"],
                label=Label(kind="mos", value=float(row["mos"]) if row["mos"] else None),
                origin=f"yard.csv:{line}",
                is_reference=row["ref"] == "1",
                split=SPLITS.get(row["split"]),
                archive=row["path"].partition("/")[0] if ".zip/" in row["path"] else "",
                encode=Encode(preset="veryfast", crf=35, pix_fmt="yuv420p"),
                extra={
                    **{key: int(value) if value else None for key, value in size.items()},
                    "yard_framerate_manifest": float(row["rate"]) if row["rate"] else None,
                    "repeated_on_lines": row["repeated"] or None,
                },
            )


@hookimpl
def corekit_shape_row(clip: Clip) -> Mapping[Column, Value]:
    return {column: clip.extra[column.name] for column in COLUMNS}
