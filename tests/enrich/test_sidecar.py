"""Metadata files: what is a row, what is not, and on which line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corekit.driver.sidecar import Line, Sidecar
from corekit.errors import LabelError, UsageError


def read(path: Path, content: bytes) -> list[Line]:
    path.write_bytes(content)
    return list(Sidecar.of(path).lines())


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b'{"src": "a"}', {"src": "a"}),
        (b'\xef\xbb\xbf{"src": "a"}\r', {"src": "a"}),
        (b'{"x": NaN, "y": -Infinity}', {"x": None, "y": None}),
        ('{"src": "é\u2028b"}'.encode(), {"src": "é\u2028b"}),
        (b'{"src": "\\ud83d\\ude00"}', {"src": "\U0001f600"}),
        (b'{"x": [1, {"y": null}]}', {"x": [1, {"y": None}]}),
    ],
)
def test_a_line_of_jsonl(tmp_path: Path, content: bytes, values: dict[str, Any]) -> None:
    assert read(tmp_path / "m.jsonl", content) == [Line(1, values)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON (Expecting property name enclosed in double quotes at column 2)"),
        (b'{"a": 1} x', "is not JSON (Extra data at column 10)"),
        (b"[1]", "is a JSON list, not an object"),
        (b"null", "is a JSON null, not an object"),
        (b"7", "is a JSON number, not an object"),
        (b'{"src": "\xff"}', "is not UTF-8 (invalid start byte at byte 9)"),
        (b'{"src": "\\ud800"}', "holds half of a surrogate pair, which is no text"),
        (b'{"a": 1, "b": 2, "a": 1}', "is not JSON (the key 'a' stands there twice)"),
    ],
)
def test_a_malformed_line_of_jsonl(tmp_path: Path, content: bytes, problem: str) -> None:
    lines = read(tmp_path / "m.jsonl", b'{"src": "a"}\n\n  \r\n' + content + b'\n{"src": "b"}')
    assert lines == [Line(1, {"src": "a"}), Line(4, None, problem), Line(5, {"src": "b"})]


def test_deep_nesting_and_huge_numbers_are_malformed(tmp_path: Path) -> None:
    lines = read(tmp_path / "m.jsonl", b"[" * 200_000 + b"\n" + b'{"x": ' + b"9" * 5000 + b"}\n")
    assert [line.values for line in lines] == [None, None]
    assert all(line.problem.startswith("is not JSON (") for line in lines)


def test_csv(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfsrc, x ,y\r\na,"1, 2",\r\n,,\r\n"b\nc",3,4\r\nd,5\r\ne,6,\xff\r\nf,"7"8,9\r\ng,10,11\r\n'
    lines = read(tmp_path / "m.csv", content)
    assert lines == [
        Line(2, {"src": "a", "x": "1, 2", "y": None}),
        Line(4, {"src": "b\nc", "x": "3", "y": "4"}),
        Line(6, None, "has 2 cells where the header has 3"),
        Line(7, None, "is not UTF-8"),
        Line(8, None, "is not CSV (',' expected after '\"')"),
        Line(9, {"src": "g", "x": "10", "y": "11"}),
    ]
    assert Sidecar.of(tmp_path / "m.csv").untyped


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"src,x,x\n", "the header names 'x' twice; rename one of the two columns"),
        (b"src,,x\n", "column 2 of the header has no name; give it one"),
        (b"src,\xff\n", "the header is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_header_that_cannot_be_trusted(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.csv"
    with pytest.raises(LabelError) as caught:
        read(path, content)
    assert str(caught.value) == f"{path}:1: {message}"


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"src": ["a", None], "x": [1, 2]}), path)
    assert list(Sidecar.of(path).lines()) == [Line(1, {"src": "a", "x": 1}), Line(2, {"src": None, "x": 2})]
    assert Sidecar.of(path).where(2) == f"{path}:2"


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv"])
def test_an_empty_file_has_no_lines(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / name, b"") == read(tmp_path / name, b"\n\r\n") == []


def test_what_is_no_sidecar(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--metadata .*m\.txt: give a file that ends in \.jsonl, "):
        Sidecar.of(tmp_path / "m.txt")
    with pytest.raises(
        UsageError, match=r"^--metadata .*m\.csv: there is no such file; give a JSONL, CSV or Parquet file$"
    ):
        Sidecar.of(tmp_path / "m.csv")
    (tmp_path / "m.parquet").write_text("no")
    with pytest.raises(UsageError, match="is not a Parquet file"):
        list(Sidecar.of(tmp_path / "m.parquet").lines())
