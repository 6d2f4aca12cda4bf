"""Which cells are filled, with what, and that nothing else moves."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corekit.files import sha256_file
from corekit.schema import fingerprint
from corekit.table import columns_of
from tests.enrich.kit import CLIPS, Bench


def test_only_missing_cells_are_filled(bench: Bench) -> None:
    report = bench.enrich(
        bench.jsonl(
            {"src": "clips/a.mp4", "note": "new", "grade": 1},
            {"src": "b.mp4", "note": "new", "grade": 2},
            {"src": "x\\y\\c.mp4", "note": None, "x_new": True},
            {"src": "other.mp4", "note": "nobody's"},
        )
    )
    assert bench.column("note") == ["old", "new", "kept", None]
    assert bench.column("grade") == [1, 7, None, None]
    assert bench.column("x_new") == [None, None, True, None]
    assert bench.read().schema.field("grade").type == pa.int32()
    assert report.updated_cells == {"note": 1, "grade": 1, "x_new": 1}
    assert report.new_columns == {"x_new": "bool"}
    assert (report.counters["matched_rows"], report.counters["unused_metadata_clips"]) == (3, 1)
    assert report.missing == ("d.mp4",)


def test_overwriting_replaces_what_differs_and_null_erases_nothing(bench: Bench) -> None:
    report = bench.enrich(
        bench.jsonl({"src": "a.mp4", "note": "new"}, {"src": "b.mp4", "grade": 7}, {"src": "c.mp4", "note": None}),
        overwrite_metadata=True,
    )
    assert bench.column("note") == ["new", None, "kept", None]
    assert report.counters["updated_cells"] == 1


def written(path: Path) -> tuple[int, int, int]:
    """What a write would change."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def test_nothing_to_change_leaves_the_files_alone(bench: Bench) -> None:
    metadata = bench.jsonl({"src": "a.mp4", "note": "new"})
    before = written(bench.table)
    report = bench.enrich(metadata)
    assert not report.written
    assert written(bench.table) == before
    assert bench.beside() == ["m.jsonl", "t.parquet"]
    assert bench.enrich(metadata, out=bench.folder / "o.parquet").written
    assert bench.read(bench.folder / "o.parquet").equals(bench.read())


def test_foreign_types_metadata_and_order_stay(bench: Bench) -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
    columns = {
        "when": pa.array([moment, None, moment, None], pa.timestamp("us", tz="UTC")),
        "kind": pa.array(["u", None, "v", "u"]).dictionary_encode(),
        "small": pa.array([1.5, float("nan"), None, 2.5], pa.float32()),
        "parts": pa.array([[1], [], None, [2, 3]], pa.list_(pa.int16())),
        "big": pa.array(["a", "b", None, ""], pa.large_string()),
        "nothing": pa.nulls(4),
    }
    bench.write_table(columns, metadata={"pandas": "{}", "mine": "yes"})
    before = bench.read()
    bench.enrich(
        bench.jsonl(
            {"src": "b.mp4", "kind": "w", "small": 0.1, "nothing": 3, "big": "c"}, {"src": "c.mp4", "big": "d"}
        ),
        keys=("kind", "small", "nothing", "big"),
    )
    after = bench.read()
    assert after.schema.metadata == {b"pandas": b"{}", b"mine": b"yes"}
    assert [(f.name, f.type) for f in after.schema if f.name != "nothing"] == [
        (f.name, f.type) for f in before.schema if f.name != "nothing"
    ]
    assert after.column_names == before.column_names
    assert after["kind"].to_pylist() == ["u", "w", "v", "u"]
    assert after["small"].to_pylist() == [1.5, pytest.approx(0.1), None, 2.5]
    assert after["big"].to_pylist() == ["a", "b", "d", ""]
    assert (after["nothing"].type, after["nothing"].to_pylist()) == (pa.int64(), [None, 3, None, None])
    for name in ("when", "parts", "mos", "adm2_mean"):
        assert after[name].equals(before[name])


def test_a_nan_of_the_table_is_a_missing_cell_and_a_nan_feature_stays(bench: Bench) -> None:
    bench.write_table({"x_a": [float("nan"), 1.0, None, 2.0], "psnr_y": [float("nan"), 1.0, None, 2.0]})
    bench.enrich(bench.jsonl({"src": "a.mp4", "x_a": 5}))
    assert bench.column("x_a") == [5.0, 1.0, None, 2.0]
    assert str(bench.column("psnr_y")) == "[nan, 1.0, None, 2.0]"


def test_csv_is_typed_by_the_column_or_by_its_looks(bench: Bench) -> None:
    bench.enrich(
        bench.file(
            "m.csv",
            "filename,grade,x_id,x_number,x_count,x_flag,note\r\n"
            "a.mp4,1.0,007,1.5,1,true,\r\nb.mp4,,012,2,2,FALSE,text\r\nd.mp4,3,1,,,,\r\n",
        )
    )
    types = {name: str(bench.read().schema.field(name).type) for name in ("x_id", "x_number", "x_count", "x_flag")}
    assert types == {"x_id": "string", "x_number": "double", "x_count": "int64", "x_flag": "bool"}
    assert bench.column("grade") == [1, 7, None, 3]
    assert bench.column("x_id") == ["007", "012", None, "1"]
    assert bench.column("x_flag") == [True, False, None, None]


def test_a_parquet_sidecar(bench: Bench) -> None:
    path = bench.folder / "m.parquet"
    pq.write_table(pa.table({"clip_name": ["a.mp4", "d.mp4"], "x_s": pa.array([1, 2], pa.uint8())}), path)
    bench.enrich(path)
    assert bench.column("x_s") == [1, None, None, 2]


def test_rows_that_agree_are_one_and_complete_each_other(bench: Bench) -> None:
    report = bench.enrich(
        bench.jsonl(
            {"src": "d.mp4", "note": None, "grade": 3},
            {"src": "b.mp4", "note": "b"},
            {"src": "copy/d.mp4", "note": "n", "grade": None},
            {"src": "b.mp4", "note": "b", "unasked": 1},
            {"src": "b.mp4", "note": "b", "unasked": 2},
        )
    )
    assert bench.column("note") == ["old", "b", "kept", "n"]
    assert bench.column("grade") == [None, 7, None, 3]
    assert report.counters["repeated_metadata_rows"] == 3


@pytest.mark.parametrize(("policy", "note"), [("skip", None), ("first", "one"), ("last", "two")])
def test_conflicts(bench: Bench, policy: str, note: str | None) -> None:
    report = bench.enrich(
        bench.jsonl(
            {"src": "b.mp4", "note": "one"}, {"src": "a.mp4", "grade": 1}, {"src": "b.mp4", "note": "two", "grade": 1}
        ),
        on_conflict=policy,
    )
    assert bench.column("note")[1] == note
    (conflict,) = bench.manifest().enrich.conflicts
    path = bench.folder / "m.jsonl"
    assert (conflict.clip_name, conflict.columns, conflict.where) == (
        "b.mp4",
        ["note"],
        [f"{{output}}/{path.name}:{line}" for line in (1, 3)],
    )
    assert report.counters["conflicting_clips"] == 1


def test_stems(bench: Bench) -> None:
    report = bench.enrich(bench.jsonl({"src": "v/b.1.mov", "x_a": 1}, {"src": "d.mkv", "x_a": 2}), normalize="stem")
    assert bench.column("x_a") == [None, None, None, 2]
    assert "clips were joined by their names without extensions (--normalize stem)" in report.notes


def test_other_names_of_the_key(bench: Bench) -> None:
    bench.enrich(bench.jsonl({"file": "q/b.mp4", "src": "a.mp4", "x_a": 1}), key=("file",))
    assert bench.column("x_a") == [None, 1, None, None]


def test_an_empty_label_column_may_be_filled_if_named(bench: Bench) -> None:
    bench.write_table({"mos": pa.nulls(4, pa.float64())})
    bench.enrich(
        bench.jsonl({"src": "a.mp4", "mos": 3, "n_ratings": 5}), keys=("note",), allow_labels=("mos", "n_ratings")
    )
    assert bench.column("mos") == [3.0, None, None, None]
    assert bench.column("n_ratings") == [5, None, None, None]


def test_the_manifest_says_what_was_done(bench: Bench) -> None:
    bench.write_table({}, metadata={"corekit.schema_fingerprint": "before"})
    first = sha256_file(bench.table)
    sidecar = bench.jsonl({"src": "a.mp4", "x_a": 1, "unasked": 0}, {"src": "b.mp4", "x_a": "no"})
    bench.enrich(sidecar, skip_malformed=True)
    second = sha256_file(bench.table)
    manifest = bench.manifest()
    artefact = manifest.artefacts["table"]
    assert (artefact.kind, artefact.rows, artefact.sha256) == ("clip-table", 4, second)
    assert artefact.size_bytes == bench.table.stat().st_size
    assert [(parent.file, parent.sha256, parent.manifest_sha256) for parent in manifest.parents] == [
        ("t.parquet", first, None)
    ]
    assert manifest.run_provenance.inputs["table"].sha256 == first  # type: ignore[union-attr]
    assert manifest.run_provenance.inputs["metadata"].sha256 == sha256_file(sidecar)  # type: ignore[union-attr]
    assert manifest.enrich.available_keys == ["src", "x_a", "unasked"]
    assert manifest.enrich.keys == ["x_a"]
    assert [bad.where for bad in manifest.enrich.malformed] == [f"{{output}}/{sidecar.name}:2"]
    assert manifest.counters["malformed_lines"] == 1
    schema = bench.read().schema
    assert manifest.table.schema_fingerprint == fingerprint(columns_of(schema))
    assert schema.metadata == {b"corekit.schema_fingerprint": manifest.table.schema_fingerprint.encode()}


def test_earlier_manifests_are_kept_and_linked(bench: Bench) -> None:
    bench.enrich(bench.jsonl({"src": "a.mp4", "x_a": 1}))
    old = (bench.folder / "t.manifest.json").read_bytes()
    sha256 = sha256_file(bench.folder / "t.manifest.json")
    bench.enrich(bench.jsonl({"src": "b.mp4", "x_a": 2}))
    kept = bench.folder / f"t.manifest.{sha256[:12]}.json"
    assert kept.read_bytes() == old
    manifest = bench.manifest()
    assert manifest.parents[0].manifest_sha256 == sha256
    assert manifest.enrich.earlier_manifest == f"{{output}}/{kept.name}"


def test_elsewhere_leaves_table_and_manifest(bench: Bench) -> None:
    bench.enrich(bench.jsonl({"src": "a.mp4", "x_a": 1}))
    before = {path: path.read_bytes() for path in bench.folder.iterdir()}
    out = bench.folder / "new" / "o.parquet"
    bench.enrich(
        bench.jsonl({"src": "b.mp4", "x_a": 2}, name="n.jsonl"), out=out, manifest_out=bench.folder / "own.json"
    )
    assert {path: path.read_bytes() for path in before} == before
    assert bench.read(out)["x_a"].to_pylist() == [1, 2, None, None]
    assert sorted(path.name for path in out.parent.iterdir()) == ["o.parquet"]
    assert (bench.folder / "own.json").is_file()


def test_a_table_of_several_corpora_is_joined_within_each(bench: Bench) -> None:
    bench.write_table({"clip_name": ["a.mp4", "a.mp4", "b.mp4", "b.mp4"], "corpus": ["one", "two", "one", "two"]})
    bench.enrich(bench.jsonl({"src": "a.mp4", "corpus": "two", "x_a": 2}, {"src": "b.mp4", "corpus": "one", "x_a": 1}))
    assert bench.column("x_a") == [None, 2, 1, None]


CELL = st.none() | st.integers(-5, 5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(CELL, min_size=4, max_size=4),
    said=st.dictionaries(st.sampled_from([*CLIPS, "z.mp4"]), CELL, min_size=1),
    overwrite=st.booleans(),
)
def test_against_the_rule_cell_by_cell(
    bench: Bench, before: list[int | None], said: dict[str, int | None], overwrite: bool
) -> None:
    bench.write_table({"x_a": pa.array(before, pa.int64())})
    expected: list[Any] = [
        said[clip] if said.get(clip) is not None and (old is None or overwrite) else old
        for clip, old in zip(CLIPS, before, strict=True)
    ]
    rows = [{"src": clip, "x_a": value} for clip, value in said.items()]
    if not set(said) & set(CLIPS):
        return
    report = bench.enrich(bench.jsonl(*rows), overwrite_metadata=overwrite)
    assert bench.column("x_a") == expected
    assert report.counters["updated_cells"] == sum(old != new for old, new in zip(before, expected, strict=True))
