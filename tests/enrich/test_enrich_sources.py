"""Files that are no metadata as a whole: what is said of them is about the file, and not about one of its lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corekit.errors import CorekitError, CorpusError, LabelError, UsageError
from tests.enrich.kit import Bench


def refused(bench: Bench, kind: type[CorekitError], metadata: Path, **more: Any) -> str:
    with pytest.raises(kind) as caught:
        bench.enrich(metadata, **more)
    return str(caught.value).replace(f"{bench.folder}/", "")


NONE = "the file has no column src, filename, clip_name"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"clip_name;x_a\na.mp4;1\n", f"1: {NONE}: semicolons separate its cells; write commas"),
        (b"\xef\xbb\xbf\nclip_name;x_a\na.mp4;1,5\n", f"2: {NONE}: semicolons separate its cells; write commas"),
        (b"clip_name\tx_a\na.mp4\t1\n", f"1: {NONE}: tabs separate its cells; write commas"),
        (b"clip,x;a\na.mp4,1\n", f"1: {NONE}; give the one that names the clips with --key (it has clip, x;a)"),
        (b"clip\xff,x\na.mp4,1\n", "1: the header is not UTF-8; save the file as UTF-8"),
    ],
)
@pytest.mark.parametrize("skip_malformed", [True, False])
def test_csv_of_which_no_column_names_a_clip(bench: Bench, content: bytes, said: str, skip_malformed: bool) -> None:
    metadata = bench.file("m.csv", content)
    assert refused(bench, LabelError, metadata, skip_malformed=skip_malformed) == f"m.csv:{said}"


def test_parquet_of_which_no_column_names_a_clip(bench: Bench) -> None:
    path = bench.folder / "m.parquet"
    pq.write_table(pa.table({"clip": ["a.mp4"], "x_a": [1]}), path)
    said = refused(bench, CorpusError, path)
    assert said == f"m.parquet: {NONE}; give the one that names the clips with --key (it has clip, x_a)"
    assert bench.enrich(path, key=("clip",)).written


@pytest.mark.parametrize(
    ("name", "content"), [("m.csv", b"src,x_a\n"), ("m.csv", b""), ("m.jsonl", b"\n"), ("m.parquet", b"")]
)
def test_a_file_without_rows(bench: Bench, name: str, content: bytes) -> None:
    path = bench.file(name, content)
    if name == "m.parquet":
        pq.write_table(pa.table({"src": pa.array([], pa.string()), "x_a": pa.array([], pa.int64())}), path)
    assert refused(bench, CorpusError, path) == f"{name} has no rows; give a file that has one for each clip"


def test_a_file_of_which_every_line_was_passed_over(bench: Bench) -> None:
    said = refused(bench, CorpusError, bench.jsonl("{", {"x_a": 1}), skip_malformed=True)
    assert said == (
        "no line of m.jsonl is left: all 2 were passed over, the first because m.jsonl:1 is not JSON (Expecting property "
        "name enclosed in double quotes at column 2); correct them"
    )


@pytest.mark.parametrize("keeps_footer", [True, False])
def test_parquet_that_cannot_be_read(bench: Bench, keeps_footer: bool) -> None:
    path = bench.folder / "m.parquet"
    pq.write_table(pa.table({"src": ["a.mp4"], "x_a": [1]}), path, compression="none")
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 40 + whole[44:] if keeps_footer else whole[:40])
    said = refused(bench, UsageError, path)
    assert said.startswith("--metadata m.parquet cannot be read (")
    assert said.endswith("); give a whole JSONL, CSV or Parquet file")
    assert "corekit run" not in said
