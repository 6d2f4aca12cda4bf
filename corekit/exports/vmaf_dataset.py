"""The dataset module of VMAF's own tools: reference and distorted videos with their scores, as Python literals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from msgspec import Struct

from corekit.errors import CorpusError
from corekit.exports.base import ExportFormat, ExportSource

_NEEDED = (
    "clip_name",
    "content",
    "src",
    "pairing",
    "ref_clip_name",
    "label_kind",
    "mos_native",
    "width",
    "height",
    "pix_fmt",
)
_SCORES = {"mos": "mos", "dmos": "dmos"}
_Shape = tuple[str, int, int]


class VmafDatasetOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of ``vmaf-dataset``."""

    dataset_name: str = ""
    """Empty takes the corpus's name."""


def _write(source: ExportSource, file: BinaryIO, options: VmafDatasetOptions) -> int:
    source.require(_NEEDED, "vmaf-dataset")
    every = list(source.rows())
    rows = [row for row in every if row["ref_clip_name"] is not None]
    unpaired = next((row for row in every if row["pairing"] != "fr"), None)
    if unpaired is not None or not rows:
        found = (
            f"{unpaired['clip_name']} is a row of the pairing {unpaired['pairing']}"
            if unpaired
            else "no row has a reference"
        )
        raise CorpusError(
            f"{source.path}: {found}, and a VMAF dataset pairs files with references; export a table of `--pairing fr`"
        )
    shape = Counter(_shape(row) for row in rows).most_common(1)[0][0]
    contents = list(dict.fromkeys(row["content"] for row in rows))
    references = {row["content"]: row["ref_clip_name"] for row in rows}
    rated = {(row["content"], row["clip_name"]): row for row in every}
    paths = _paths(source)
    lines = [
        f"dataset_name = {(options.dataset_name or rows[0].get('corpus') or source.path.stem)!r}",
        f"yuv_fmt = {shape[0]!r}",
        f"width = {shape[1]}",
        f"height = {shape[2]}",
        "",
        "ref_videos = [",
    ]  # fmt: skip
    for number, content in enumerate(contents):
        name = references[content]
        row = rated.get((content, name))
        path, own = (name, {}) if row is None else (row["src"], _own_shape(row, shape))
        lines.append(f"    {_entry(content_id=number, content_name=content, path=paths.get(name, path), **own)},")
    lines += ["]", "", "dis_videos = ["]
    for asset, row in enumerate(rows):
        lines.append(f"    {_distorted(row, contents.index(row['content']), asset, shape)},")
    lines.append("]")
    file.write(("\n".join(lines) + "\n").encode())
    return len(rows)


def _shape(row: Mapping[str, Any]) -> _Shape:
    return row["pix_fmt"], row["width"], row["height"]


def _own_shape(row: Mapping[str, Any], common: _Shape) -> dict[str, Any]:
    """What a video says of its geometry: where it differs from the common one."""
    named = zip(("yuv_fmt", "width", "height"), _shape(row), common, strict=True)
    return {name: value for name, value, usual in named if value != usual}


def _distorted(row: Mapping[str, Any], content_id: int, asset_id: int, common: _Shape) -> str:
    fields: dict[str, Any] = {"content_id": content_id, "asset_id": asset_id}
    score = _SCORES.get(row["label_kind"])
    if score is not None and row["mos_native"] is not None:
        fields[score] = row["mos_native"]
    return _entry(**fields, path=row["src"], **_own_shape(row, common))


def _entry(**fields: Any) -> str:
    return "{" + ", ".join(f"{name!r}: {value!r}" for name, value in fields.items()) + "}"


def _paths(source: ExportSource) -> dict[str, str]:
    """Basename to path below the corpus root of every clip that the manifest names."""
    if source.manifest is None:
        return {}
    clips = source.manifest.run_provenance.inputs.get("clips", [])
    records = clips if isinstance(clips, list) else [clips]
    found = [PurePosixPath(record.path.removeprefix("{corpus}/")) for record in records]
    return {path.name: str(path) for path in found}


VMAF_DATASET = ExportFormat(
    name="vmaf-dataset",
    title="dataset module of VMAF's training and testing tools",
    suffix=".dataset.py",
    write=_write,
    options=VmafDatasetOptions,
)
