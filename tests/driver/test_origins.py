"""Where label files may lie: below the root, in the folder above, or where the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit.driver.origins import LabelPlaces, label_files_of
from corekit.model import Clip, Label


def test_the_files_of_a_clip_are_those_of_all_its_origins() -> None:
    clip = Clip(
        name="a",
        path="a",
        content="a",
        label=Label(kind="mos"),
        origin="x:y.csv:7",
        other_origins=("b.csv:1", "x:y.csv:9"),
    )
    assert list(label_files_of(clip)) == ["x:y.csv", "b.csv"]
    assert list(label_files_of(Clip(name="a", path="a", content="a", label=Label(kind="none")))) == []


@pytest.mark.parametrize("file", ["a.csv", "deep/er/a.csv", "..a.csv", "../a.py"])
def test_places_that_hold_labels(tmp_path: Path, file: str) -> None:
    assert LabelPlaces(tmp_path, {}).astray([file]) == ""


@pytest.mark.parametrize("file", ["/etc/passwd", "../../a.csv", "../b/a.csv", "b/../../a.csv", "b/..", "..", "a\0.csv"])
def test_places_that_hold_none(tmp_path: Path, file: str) -> None:
    assert LabelPlaces(tmp_path, {}).astray(["a.csv", file]) == file


def test_a_place_that_the_user_names(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    other = tmp_path / "else" / "labels.csv"
    relative = LabelPlaces(root, {"labels": "../else/labels.csv", "part": "a\0b"})
    assert relative.astray(["../else/labels.csv", str(other)]) == ""
    assert LabelPlaces(root, {"labels": str(other)}).astray(["../else/labels.csv"]) == ""
    assert relative.astray(["../else/other.csv"]) == "../else/other.csv"
