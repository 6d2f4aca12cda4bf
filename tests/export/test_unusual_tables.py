"""Tables that are not as `corekit run` writes most of them: without rows, with lists, with references of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corekit import UsageError
from corekit.driver.export import ExportOptions, export


def written(table: pa.Table, to: str, folder: Path) -> str:
    pq.write_table(table, folder / "t.parquet")
    return export(ExportOptions(table=folder / "t.parquet", to=to, out=folder / "out")).out.read_text()


def test_csv_of_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    table = pa.table({"clip_name": pa.array([], pa.string()), "mos": pa.array([], pa.float64())})
    assert written(table, "csv", tmp_path) == '"clip_name","mos"\n'


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (pa.array([[1.0, 2.0]]), r"list<\w+: double>"),
        (pa.array([{"a": 1}]), r"struct<a: int64>"),
        (pa.array([b"\xff"]), "binary"),
        (pa.array(["a"], pa.string_view()), "string_view"),
    ],
)
def test_csv_names_a_column_that_it_cannot_hold(values: pa.Array, name: str, tmp_path: Path) -> None:
    table = pa.table({"clip_name": ["a.mp4"], "odd": values})
    with pytest.raises(
        UsageError, match=rf"t\.parquet: column odd is {name}, which no cell of a CSV holds; convert it"
    ):
        written(table, "csv", tmp_path)
    assert not (tmp_path / "out").exists()


def test_csv_holds_dictionaries_and_times(tmp_path: Path) -> None:
    table = pa.table({"clip_name": pa.array(["a"]).dictionary_encode(), "day": pa.array([0], pa.date32())})
    assert written(table, "csv", tmp_path) == '"clip_name","day"\n"a",1970-01-01\n'


def _rated(name: str, reference: str | None, width: int, height: int, pix_fmt: str = "yuv420p") -> dict[str, Any]:
    return {
        "clip_name": name, "content": "c", "src": f"d/{name}", "pairing": "fr", "ref_clip_name": reference, "corpus": "toy",
        "label_kind": "mos", "mos_native": 3.0, "width": width, "height": height, "pix_fmt": pix_fmt,
    }  # fmt: skip


def _dataset(rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(written(pa.Table.from_pylist(rows), "vmaf-dataset", folder), namespace)  # as VMAF's own tools do
    return namespace


def test_a_reference_of_another_size_says_so(tmp_path: Path) -> None:
    rows = [
        _rated("r.mp4", None, 128, 96, "yuv420p10le"), _rated("a.mp4", "r.mp4", 64, 48), _rated("b.mp4", "r.mp4", 64, 48),
        _rated("c.mp4", "r.mp4", 32, 48),
    ]  # fmt: skip
    dataset = _dataset(rows, tmp_path)
    assert (dataset["yuv_fmt"], dataset["width"], dataset["height"]) == ("yuv420p", 64, 48)
    assert dataset["ref_videos"] == [
        {"content_id": 0, "content_name": "c", "path": "d/r.mp4", "yuv_fmt": "yuv420p10le", "width": 128, "height": 96}
    ]
    assert [set(video) - {"content_id", "asset_id", "mos", "path"} for video in dataset["dis_videos"]] == [
        set(), set(), {"width"},
    ]  # fmt: skip


def test_a_reference_without_a_row_says_nothing(tmp_path: Path) -> None:
    [reference] = _dataset([_rated("a.mp4", "r.mp4", 64, 48)], tmp_path)["ref_videos"]
    assert reference == {"content_id": 0, "content_name": "c", "path": "r.mp4"}
