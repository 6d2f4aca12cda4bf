"""Per-frame values on disk: parts that are checked when they are read, and the rows that they become."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corekit.errors import IntegrityError
from corekit.frames import frame_batch, has_part, part_path, write_part
from corekit.schema import FEATURES, FRAME_COLUMNS
from corekit.table import arrow_schema

TASK = "ab" + "0" * 62


def rows(folder: Path, sha256: str | None, *, teacher: bool = True) -> list[dict[str, Any]]:
    batch = frame_batch(
        folder, TASK, sha256, corpus="c", source="scene", clip_name="a.mp4", codec="hevc", teacher=teacher
    )
    assert batch.schema.equals(arrow_schema(FRAME_COLUMNS, {}))
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def test_values_become_rows_in_frame_order(tmp_path: Path) -> None:
    digest = write_part(tmp_path, TASK, {"vmaf": np.array([90.0, 91.0]), "adm2": np.array([1 / 3, 5e-324])})
    assert digest == hashlib.sha256(part_path(tmp_path, TASK).read_bytes()).hexdigest()
    first, second = rows(tmp_path, digest)
    keys = {"corpus": "c", "source": "scene", "clip_name": "a.mp4", "codec": "hevc", "teacher_model": "vmaf_v0.6.1"}
    nothing = dict.fromkeys(FEATURES)
    assert first == {**keys, "frame_index": 0, **nothing, "vmaf": 90.0, "adm2": 1 / 3}
    assert second == {**keys, "frame_index": 1, **nothing, "vmaf": 91.0, "adm2": 5e-324}


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    digest = write_part(tmp_path, TASK, {"psnr_hvs": np.array([math.inf, math.nan, -math.inf, 40.0])})
    assert [row["psnr_hvs"] for row in rows(tmp_path, digest)] == [None, None, None, 40.0]


def test_the_teacher_is_named_only_where_there_is_its_score(tmp_path: Path) -> None:
    digest = write_part(tmp_path, TASK, {"adm2": np.array([1.0])})
    assert rows(tmp_path, digest)[0]["teacher_model"] is None
    digest = write_part(tmp_path, TASK, {"vmaf": np.array([1.0])})
    assert rows(tmp_path, digest, teacher=False)[0]["teacher_model"] is None


def test_a_part_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    values = {"vmaf": np.array([1.0]), "adm2": np.array([2.0])}
    assert write_part(tmp_path, TASK, values) == write_part(tmp_path / "again", TASK, dict(reversed(values.items())))


def test_parts_are_found(tmp_path: Path) -> None:
    assert not has_part(tmp_path, TASK)
    write_part(tmp_path, TASK, {})
    assert has_part(tmp_path, TASK)
    assert part_path(tmp_path, TASK) == next(tmp_path.glob("??/*.arrow"))


def test_a_part_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        rows(tmp_path, "0" * 64)
    assert str(caught.value) == (
        f"{part_path(tmp_path, TASK)} is gone (a.mp4); run the same command again to measure it anew"
    )


@pytest.mark.parametrize("sha256", ["0" * 64, None])
def test_a_part_that_was_changed(tmp_path: Path, sha256: str | None) -> None:
    write_part(tmp_path, TASK, {"vmaf": np.array([1.0])})
    with pytest.raises(IntegrityError) as caught:
        rows(tmp_path, sha256)
    assert str(caught.value) == (
        f"{part_path(tmp_path, TASK)} was changed (a.mp4); delete it and run the same command again"
    )
