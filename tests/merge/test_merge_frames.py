"""Frame tables: one order of columns, every row kept, nothing mixed that was measured differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from corekit.errors import CorpusError, UsageError
from corekit.files import sha256_file
from corekit.manifest import Artefact, BackendRecord, encode_manifest
from corekit.schema import FRAME_COLUMNS
from tests.merge.rows import frame_rows, label_row, merged, write_jsonl, write_parquet
from tests.test_manifest import MANIFEST


def test_the_locked_order_then_the_inputs_own(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [dict(reversed(row.items())) for row in frame_rows(mine="x")])
    second = write_parquet(tmp_path / "b.parquet", frame_rows("b", other=1, mine=None))
    rows, result = merged(tmp_path / "o.parquet", first, second)
    assert list(rows[0]) == [*(column.name for column in FRAME_COLUMNS), "mine", "other"]
    assert [(row["clip_name"], row["frame_index"]) for row in rows] == [(c, i) for c in "ab" for i in range(3)]
    assert [row["other"] for row in rows] == [None] * 3 + [1] * 3
    assert result.manifest.merge.kind == "frame"


def test_frames_that_repeat_are_kept(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", frame_rows() + frame_rows())
    assert len(merged(tmp_path / "o.parquet", path)[0]) == 6


def test_one_shard_named_twice_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", frame_rows())
    copy = tmp_path / "b.parquet"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", path, copy)
    assert str(caught.value) == f"{path} and {copy} are the same bytes; name one of them"


def test_two_teacher_models_are_refused_with_both_names(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", frame_rows())
    second = write_parquet(tmp_path / "b.parquet", frame_rows(teacher_model="vmaf_4k_v0.6.1"))
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", first, second)
    assert str(caught.value) == (
        f"teacher models vmaf_v0.6.1 and vmaf_4k_v0.6.1 are mixed (vmaf_v0.6.1 in {first}, vmaf_4k_v0.6.1 in {second}); "
        "merge them apart"
    )


def test_a_table_without_a_teacher_needs_one_to_be_assumed(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "teacher_model"} for row in frame_rows()]
    path = write_parquet(tmp_path / "a.parquet", rows)
    with pytest.raises(UsageError, match="names no teacher model; give --assume-teacher MODEL, which is recorded"):
        merged(tmp_path / "o.parquet", path)
    kept, result = merged(tmp_path / "o.parquet", path, assume_teacher="vmaf_v0.6.1")
    assert {row["teacher_model"] for row in kept} == {"vmaf_v0.6.1"}
    assert result.manifest.merge.assumed_teacher == "vmaf_v0.6.1"
    other = write_parquet(tmp_path / "b.parquet", frame_rows("b"))
    with pytest.raises(UsageError, match=r"teacher models vmaf_4k and vmaf_v0\.6\.1 are mixed"):
        merged(tmp_path / "o.parquet", path, other, assume_teacher="vmaf_4k")


def test_a_table_without_vmaf_needs_no_teacher(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", frame_rows())
    second = write_parquet(tmp_path / "b.parquet", frame_rows("b", vmaf=None, teacher_model=None))
    rows, result = merged(tmp_path / "o.parquet", first, second)
    assert [row["teacher_model"] for row in rows] == ["vmaf_v0.6.1"] * 3 + [None] * 3
    assert [given.missing_features for given in result.manifest.merge.inputs] == [[], ["vmaf"]]


def test_a_row_without_a_corpus_takes_the_label_and_is_refused_without_one(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", frame_rows(corpus=None))
    rows, _ = merged(tmp_path / "o.parquet", f"toy={path}")
    assert {row["corpus"] for row in rows} == {"toy"}
    with pytest.raises(CorpusError) as caught:
        merged(tmp_path / "o.parquet", path)
    assert str(caught.value) == f"{path}, row 1 names no corpus; write LABEL=PATH with the corpus as the label"
    assert not list(tmp_path.glob(".*"))


def test_values_that_are_not_finite_and_narrow_types(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(frame_rows(motion=float("nan"), cambi=float("inf")))
    table = table.set_column(
        table.column_names.index("clip_name"), "clip_name", table.column("clip_name").dictionary_encode()
    )
    narrow = table.column("adm2").cast(pa.float32())
    pq.write_table(table.set_column(table.column_names.index("adm2"), "adm2", narrow), tmp_path / "a.parquet")
    rows, _ = merged(tmp_path / "o.parquet", tmp_path / "a.parquet")
    assert [(row["motion"], row["cambi"], row["adm2"]) for row in rows] == [(None, None, float(i)) for i in range(3)]


def test_clip_rows_and_frame_rows_do_not_go_together(tmp_path: Path) -> None:
    frames = write_parquet(tmp_path / "a.parquet", frame_rows())
    clips = write_jsonl(tmp_path / "b.jsonl", [label_row()])
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", frames, clips)
    assert str(caught.value) == f"{frames} has a row per frame and {clips} a row per clip; merge them apart"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "0-100"}, "--scale 0-100 is for clip tables; frame rows have no labels"),
        ({"report_duplicates": True}, "--report-duplicates is for clip tables; no frame row is ever dropped"),
    ],
)
def test_options_that_are_for_clips(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", frame_rows())
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", path, **options)
    assert str(caught.value) == message


def test_types_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", frame_rows(mine="x"))
    second = write_parquet(tmp_path / "b.parquet", frame_rows("b", mine=1))
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", first, second)
    assert str(caught.value) == (
        f"column mine holds text in {first} and whole numbers in {second}; convert one of them"
    )
    lists = write_parquet(tmp_path / "c.parquet", frame_rows("c", mine=[1]))
    with pytest.raises(UsageError, match=r"column mine is list<.*>, and a merged table holds text, numbers"):
        merged(tmp_path / "o.parquet", lists)


def measured(path: Path, clip: str, backend: str, **identity: str) -> Path:
    """A frame table of a run by a backend, with the run's manifest."""
    write_parquet(path, frame_rows(clip))
    artefact = Artefact(
        file=path.name, kind="frame-table", rows=3, size_bytes=1, sha256=sha256_file(path), logical_sha256="0" * 64
    )
    record = BackendRecord(name=backend, identity=identity, versions=[])
    manifest = replace(MANIFEST, artefacts={"frames": artefact}, backend=record)
    path.with_name(path.name.replace(".frames.parquet", ".manifest.json")).write_bytes(encode_manifest(manifest))
    return path


def test_backends_of_one_numeric_class_go_together(tmp_path: Path) -> None:
    first = measured(tmp_path / "a.frames.parquet", "a", "cpu", **{"class": "corekit", "motion": "3.2"})
    second = measured(tmp_path / "b.frames.parquet", "b", "cuda", **{"class": "corekit", "motion": "3.2"})
    _, result = merged(tmp_path / "o.parquet", first, second)
    assert [given.manifest for given in result.manifest.merge.inputs] == ["current", "current"]
    assert result.manifest.merge.notes == []


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"class": "libvmaf", "motion": "3.2"}, "numeric class: corekit and libvmaf"),
        ({"class": "corekit", "motion": "2.0"}, "definition of motion: 3.2 and 2.0"),
    ],
)
def test_other_classes_and_definitions_are_refused_with_both_names(
    other: dict[str, str], words: str, tmp_path: Path
) -> None:
    first = measured(tmp_path / "a.frames.parquet", "a", "cpu", **{"class": "corekit", "motion": "3.2"})
    second = measured(tmp_path / "b.frames.parquet", "b", "other", **other)
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.parquet", first, second)
    assert str(caught.value) == (
        f"{first} (backend cpu) and {second} (backend other) differ in {words}; measure one of them again with the "
        "backend of the other"
    )
