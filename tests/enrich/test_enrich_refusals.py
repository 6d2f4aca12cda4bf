"""What is refused, in which words, and that nothing is written then."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corekit.errors import CorekitError, CorpusError, LabelError, LockedError, UsageError
from corekit.files import locked
from tests.enrich.kit import Bench

ROW = {"src": "a.mp4", "x_a": 1}


def refused(bench: Bench, kind: type[CorekitError], *rows: Any, **more: Any) -> str:
    before = bench.table.read_bytes()
    metadata = bench.jsonl(*rows)
    with pytest.raises(kind) as caught:
        bench.enrich(metadata, **more)
    assert bench.table.read_bytes() == before
    assert bench.beside() == ["m.jsonl", "t.parquet"]
    return str(caught.value).replace(f"{bench.folder}/", "")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("nonsense", "this line is not JSON (Expecting value at column 1)"),
        ({"x_a": 1}, "this line names no clip: it has no value in src, filename, clip_name"),
        ({"src": 5}, "this line has 5 in src, which is no file name"),
        ({"src": "folder/"}, "this line has 'folder/' in src, which is no file name"),
        ({"src": "b.mp4", "note": 5}, "this line has 5 in note, a column of text (string)"),
        ({"src": "b.mp4", "grade": "7"}, "this line has '7' in grade, a column of whole numbers (int32)"),
        ({"src": "b.mp4", "grade": 2**31}, "this line has 2147483648 in grade, a column of whole numbers (int32)"),
        ({"src": "b.mp4", "grade": True}, "this line has True in grade, a column of whole numbers (int32)"),
        ({"src": "b.mp4", "grade": 1.5}, "this line has 1.5 in grade, a column of whole numbers (int32)"),
        ({"src": "b.mp4", "x_a": "text"}, "this line has 'text' in x_a, a column of whole numbers"),
        ({"src": "b.mp4", "x_a": [1]}, "this line has [1] in x_a, which is no single value"),
    ],
)
def test_a_line_that_is_no_row_or_does_not_fit(bench: Bench, row: Any, problem: str) -> None:
    said = refused(bench, LabelError, ROW, row)
    assert said == f"m.jsonl:2: {problem}; correct it, or pass over such lines with --skip-malformed"
    report = bench.enrich(bench.jsonl(ROW, row), skip_malformed=True)
    assert report.counters["malformed_lines"] == 1
    assert bench.column("x_a") == [1, None, None, None]


def test_two_rows_that_disagree(bench: Bench) -> None:
    said = refused(bench, CorpusError, ROW, {"src": "b.mp4", "note": "x"}, {"src": "v/a.mp4", "x_a": 2})
    assert said == (
        "m.jsonl:1 and m.jsonl:3 disagree about a.mp4 in x_a; correct one of them, or choose with --on-conflict skip, "
        "first or last"
    )


def test_no_match_at_all(bench: Bench) -> None:
    assert refused(bench, CorpusError, {"src": "z.mp4", "x_a": 1}) == (
        "none of the 4 rows of t.parquet is a clip of m.jsonl (without: a.mp4, b.mp4, c.mp4); check that the two belong "
        "together, and try --key NAME or --normalize stem"
    )


def test_too_few_matches(bench: Bench) -> None:
    assert refused(bench, UsageError, ROW, min_coverage=0.95) == (
        "m.jsonl has metadata for 1 of the 4 rows of t.parquet, 0.25 of them and less than --min-coverage 0.95 (without: "
        "b.mp4, c.mp4, d.mp4); complete it, or lower --min-coverage"
    )
    assert bench.enrich(bench.jsonl(ROW), min_coverage=0.25).written


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("adm2_mean", "a feature column"), ("vmaf", "a feature column"), ("psnr_y_p90", "a feature column"),
        ("enc_internal_qp_mean", "a feature column"), ("mos", "a label column"), ("mos_std_dev", "a label column"),
        ("n_ratings", "a label column"), ("width", "a column of the run"), ("fps", "a column of the run"),
        ("src_sha256", "a column of the run"), ("split", "a split column, which follows from the content"),
    ],
)  # fmt: skip
def test_columns_that_are_never_written(bench: Bench, key: str, what: str) -> None:
    said = refused(bench, UsageError, {"src": "a.mp4", key: None}, keys=(key,))
    rest = "; --allow-labels names one that is wholly empty" if what == "a label column" else ""
    assert said == f"{key} is {what} and is never taken from metadata; leave it out of --keys{rest}"


def test_globs_do_not_take_them_in_either(bench: Bench) -> None:
    assert "mos is a label column" in refused(bench, UsageError, {"src": "a.mp4", "mos": 1}, keys=("mos*",))
    report = bench.enrich(bench.jsonl({"src": "a.mp4", "width": 5, "wide": 6}), keys=("wi*",))
    assert report.keys == ("wide",)
    assert "keys that are never taken from metadata were left out: width" in report.notes


def test_labels_that_are_there(bench: Bench) -> None:
    said = refused(bench, UsageError, {"src": "a.mp4", "mos": 1.0}, keys=(), allow_labels=("mos",))
    assert said == "--allow-labels mos: t.parquet has 4 values there; only a wholly empty column can be filled"
    said = refused(bench, UsageError, ROW, allow_labels=("mos",))
    assert said == "--allow-labels mos: m.jsonl has no such key; it has src, x_a"
    assert refused(bench, UsageError, ROW, allow_labels=("adm2",)).startswith(
        "--allow-labels adm2: this is no label column;"
    )


def test_no_key_to_take(bench: Bench) -> None:
    assert (
        refused(bench, UsageError, ROW, keys=("zzz*",))
        == "m.jsonl has the keys src, x_a, and --keys zzz* matches none of them"
    )
    assert refused(bench, UsageError, ROW, keys=()) == (
        "m.jsonl has the keys src, x_a, and nothing says of which corpus they are; give --corpus NAME, or --keys GLOB"
    )
    assert refused(bench, UsageError, ROW, keys=(), corpus="chug") == (
        "m.jsonl has the keys src, x_a, and none is declared as metadata by chug; give --keys GLOB to take others"
    )
    assert "no corpus is called 'nobody'" in refused(bench, UsageError, {**ROW, "corpus": "nobody"}, keys=())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"min_coverage": 1.5}, "--min-coverage 1.5: give a number from 0 to 1"),
        ({"min_coverage": float("nan")}, "--min-coverage nan: give a number from 0 to 1"),
        ({"key": ()}, "--key: give the name of a column"),
        ({"root": "x"}, "--metadata and --root are two sources of metadata; give one of them"),
    ],
)
def test_options_that_cannot_be(bench: Bench, more: dict[str, Any], said: str) -> None:
    assert refused(bench, UsageError, ROW, **more) == said


def test_paths_that_cannot_be(bench: Bench) -> None:
    out = bench.folder / "o.txt"
    assert refused(bench, UsageError, ROW, out=out) == "--out o.txt: give a name that ends in .parquet"
    assert refused(bench, UsageError, ROW, manifest_out=bench.table).startswith(
        "--manifest-out t.parquet: another file"
    )
    assert refused(bench, UsageError, ROW, table=bench.folder / "no.parquet").startswith("no.parquet does not exist")
    with pytest.raises(UsageError, match=r"^nothing to take metadata from; give --metadata FILE, or --corpus NAME"):
        bench.enrich(None)
    bench.table.write_bytes(b"PAR1 and no more")
    assert "t.parquet is not a Parquet file" in refused(bench, UsageError, ROW)


def test_a_table_that_names_no_clips_or_a_column_twice(bench: Bench) -> None:
    bench.write_table({"clip_name": [1, 2, 3, 4]})
    assert refused(bench, UsageError, ROW).startswith("t.parquet has no column that names its clips (clip_name, ")
    table = pa.Table.from_arrays([pa.array(["a.mp4"]), pa.array([1]), pa.array([2])], names=["clip_name", "x_a", "x_a"])
    pq.write_table(table, bench.table)
    assert refused(bench, UsageError, ROW) == "t.parquet has two columns called 'x_a'; rename one of them"


def test_a_column_of_a_type_that_cannot_be_filled(bench: Bench) -> None:
    bench.write_table({"x_a": pa.array([[1], None, None, None])})
    assert refused(bench, UsageError, ROW).startswith("column 'x_a' of the table holds list<")


def test_stems_that_two_clips_share(bench: Bench) -> None:
    bench.write_table({"clip_name": ["a.mp4", "a.mkv", "c.mp4", "d.mp4"]})
    rows = ({"src": "a.mov", "x_a": 1}, {"src": "c.mov", "x_a": 2})
    said = refused(bench, CorpusError, *rows, normalize="stem")
    assert said.startswith("a.mkv and a.mp4 of t.parquet have one stem, so the same row of m.jsonl would go to both; ")
    bench.enrich(bench.jsonl(*rows), normalize="stem", on_conflict="skip", out=bench.folder / "o.parquet")
    assert bench.read(bench.folder / "o.parquet")["x_a"].to_pylist() == [None, None, 2, None]
    bench.enrich(bench.jsonl(*rows), normalize="stem", on_conflict="first")
    assert bench.column("x_a") == [1, 1, 2, None]


def test_a_table_that_another_process_writes(bench: Bench) -> None:
    metadata = bench.jsonl(ROW)
    before = bench.table.read_bytes()
    with locked(bench.table), pytest.raises(LockedError, match=r"t\.parquet is being written by process \d+ on "):
        bench.enrich(metadata)
    assert bench.table.read_bytes() == before


def test_nothing_takes_the_place_of_what_another_command_made(bench: Bench) -> None:
    metadata = bench.jsonl(ROW)
    bench.enrich(metadata, out=bench.folder / "made.parquet")
    manifest = bench.folder / "made.manifest.json"
    before = {path: path.read_bytes() for path in bench.folder.iterdir()}
    with pytest.raises(UsageError) as caught:
        bench.enrich(metadata, out=bench.folder / "new.parquet", manifest_out=manifest)
    assert str(caught.value) == (
        f"--manifest-out {manifest}: {manifest} tells how made.parquet was made, and would be lost; choose another name"
    )
    note = bench.file("note.txt", "mine")
    with pytest.raises(UsageError, match=r"note\.txt is no manifest that can be read, and would be lost"):
        bench.enrich(metadata, manifest_out=note)
    assert note.read_text() == "mine"
    note.unlink()
    assert {path: path.read_bytes() for path in bench.folder.iterdir()} == before
    bench.enrich(metadata, out=bench.folder / "made.parquet")
