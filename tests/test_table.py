"""Tables on disk: Parquet from the one definition of a row, the logical digest, the strict-JSON view."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corekit.errors import IntegrityError, UsageError
from corekit.model import Column, Value
from corekit.schema import CORE_COLUMNS, FRAME_COLUMNS, fingerprint
from corekit.table import (
    LogicalDigest,
    Row,
    Written,
    arrow_schema,
    json_row,
    read_table,
    source_date_epoch,
    write_batches,
    write_json_lines,
    write_parquet,
)

SOME: dict[str, Value] = {"str": "x", "int": 1, "float": 1.0, "bool": True}


def column(name: str, type_: Any, **more: Any) -> Column:
    return Column(name=name, type=type_, description="", **more)


COLUMNS = (
    column("text", "str"),
    column("count", "int"),
    column("number", "float"),
    column("flag", "bool"),
    column("when", "str", volatile=True),
)
ROWS: list[Row] = [
    {"text": "a", "count": 1, "number": 0.5, "flag": True, "when": "now"},
    {"text": "", "count": 0, "number": 0.0, "flag": False, "when": "then"},
    {},
    {"text": "é\n\0", "count": -(2**63), "number": -0.0, "flag": True},
]


def write(columns: Sequence[Column] = COLUMNS, rows: Sequence[Row] = ROWS) -> tuple[Written, bytes]:
    file = io.BytesIO()
    written = write_parquet(file, columns, rows, {"kind": "clip"})
    return written, file.getvalue()


def logical(columns: Sequence[Column] = COLUMNS, rows: Sequence[Row] = ROWS) -> str:
    return write(columns, rows)[0].logical_sha256


def changed(rows: Sequence[Row], index: int, **cells: Value) -> list[Row]:
    return [{**row, **cells} if number == index else row for number, row in enumerate(rows)]


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no strict JSON")


def strict(line: bytes) -> Any:
    return json.loads(line, parse_constant=refuse_constant)


def test_types_nullability_and_metadata() -> None:
    columns = (column("id", "str", required=True), *COLUMNS)
    schema = arrow_schema(columns, {"run_id": "r", "corpus": "c"})
    assert [(f.name, str(f.type), f.nullable) for f in schema] == [
        ("id", "string", False),
        ("text", "string", True),
        ("count", "int64", True),
        ("number", "double", True),
        ("flag", "bool", True),
        ("when", "string", True),
    ]
    assert schema.metadata == {
        b"corekit.corpus": b"c",
        b"corekit.run_id": b"r",
        b"corekit.schema_fingerprint": fingerprint(columns).encode(),
    }


def test_values_come_back_and_absent_ones_are_null() -> None:
    written, content = write()
    table = pq.read_table(io.BytesIO(content))
    assert table.to_pylist() == [{c.name: row.get(c.name) for c in COLUMNS} for row in ROWS]
    assert table.schema.equals(arrow_schema(COLUMNS, {"kind": "clip"}), check_metadata=True)
    assert written.rows == 4


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_not_finite_is_null(value: float) -> None:
    _, content = write(rows=[{"number": value}])
    assert pq.read_table(io.BytesIO(content)).column("number").to_pylist() == [None]
    assert logical(rows=[{"number": value}]) == logical(rows=[{}])


def test_a_required_column_refuses_null() -> None:
    columns = (column("clip_name", "str", required=True), column("content", "str", required=True))
    with pytest.raises(ValueError, match=r"^required column 'content' is null for b\.mp4$"):
        write(columns, [{"clip_name": "a.mp4", "content": "x"}, {"clip_name": "b.mp4"}])


def test_the_bytes_are_deterministic_and_hashed_as_written() -> None:
    written, content = write()
    assert (written, content) == write()
    assert written.sha256 == hashlib.sha256(content).hexdigest()


def test_an_empty_table_keeps_its_schema() -> None:
    written, content = write(rows=[])
    assert written.rows == 0
    assert pq.read_table(io.BytesIO(content)).schema.names == [c.name for c in COLUMNS]


def test_rows_are_taken_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corekit.table.ROWS_PER_GROUP", 3)
    written, content = write(rows=[{"count": number} for number in range(10)])
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [3, 3, 3, 1]
    monkeypatch.undo()
    assert written.logical_sha256 == logical(rows=[{"count": number} for number in range(10)])


def test_the_schemas_of_core_can_be_written() -> None:
    for columns in (CORE_COLUMNS, FRAME_COLUMNS):
        row: dict[str, Value] = {c.name: SOME[c.type] for c in columns}
        _, content = write(columns, [row])
        assert pq.read_table(io.BytesIO(content)).to_pylist() == [row]


_ROW = st.fixed_dictionaries(
    {},
    optional={
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "number": st.none() | st.floats(),
        "flag": st.none() | st.booleans(),
        "when": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_ROW, max_size=12), st.integers(1, 5))
def test_the_logical_digest_does_not_depend_on_batches_or_encoding(rows: list[dict[str, Value]], size: int) -> None:
    written, content = write(rows=rows)
    table = pq.read_table(io.BytesIO(content))
    digest = LogicalDigest(COLUMNS)
    for start in range(0, table.num_rows, size):
        digest.update(table.slice(start, size))
    assert digest.hexdigest() == written.logical_sha256
    other = io.BytesIO()
    pq.write_table(table, other, compression="none", use_dictionary=False, row_group_size=size)
    again = LogicalDigest(COLUMNS)
    again.update(pq.read_table(other))
    assert again.hexdigest() == written.logical_sha256


@settings(max_examples=40, deadline=None)
@given(st.lists(_ROW, min_size=1, max_size=6))
def test_rows_and_their_json_view_agree(rows: list[dict[str, Value]]) -> None:
    _, content = write(rows=rows)
    stored = pq.read_table(io.BytesIO(content)).to_pylist()
    assert [strict(json_row(COLUMNS, row)) for row in rows] == stored


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(changed(ROWS, 0, text="b"), id="text"),
        pytest.param(changed(ROWS, 0, count=2), id="int"),
        pytest.param(changed(ROWS, 0, number=math.nextafter(0.5, 1)), id="float"),
        pytest.param(changed(ROWS, 0, flag=False), id="bool"),
        pytest.param(changed(ROWS, 1, text=None), id="empty-to-null"),
        pytest.param(changed(ROWS, 1, count=None), id="int-zero-to-null"),
        pytest.param(changed(ROWS, 1, number=None), id="float-zero-to-null"),
        pytest.param(changed(ROWS, 1, flag=None), id="false-to-null"),
        pytest.param(changed(ROWS, 1, number=-0.0), id="sign-of-zero"),
        pytest.param([ROWS[1], ROWS[0], *ROWS[2:]], id="row-order"),
        pytest.param(ROWS[:-1], id="a-row-less"),
        pytest.param([*ROWS, {}], id="an-empty-row-more"),
    ],
)
def test_the_logical_digest_sees_every_change_of_a_cell(rows: list[Row]) -> None:
    assert logical(rows=rows) != logical()


def test_the_logical_digest_sees_where_text_ends() -> None:
    columns = (column("text", "str"),)
    assert logical(columns, [{"text": "ab"}, {"text": "c"}]) != logical(columns, [{"text": "a"}, {"text": "bc"}])


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param((column("texT", "str"), *COLUMNS[1:]), id="name"),
        pytest.param((*COLUMNS[:1], column("count", "float"), *COLUMNS[2:]), id="type"),
        pytest.param((COLUMNS[1], COLUMNS[0], *COLUMNS[2:]), id="order"),
        pytest.param(COLUMNS[1:], id="a-column-less"),
        pytest.param((*COLUMNS, column("more", "str")), id="a-column-more"),
    ],
)
def test_the_logical_digest_sees_names_types_and_order(columns: Sequence[Column]) -> None:
    empty: list[Row] = [{}, {}]
    assert logical(columns, empty) != logical(rows=empty)


def test_the_logical_digest_leaves_volatile_columns_out() -> None:
    assert logical(rows=changed(ROWS, 0, when="later")) == logical()
    assert logical(COLUMNS[:4]) == logical()


def test_the_logical_digest_of_a_known_table_is_pinned() -> None:
    """The definition is public: other tools recompute it, so it never changes."""
    assert logical() == "6aa5f93d96fcec4f74e39aec16bd3be6cd9a4db7d9c107bb3834b20e53ab172e"


def test_batches_of_another_shape_are_refused() -> None:
    schema = arrow_schema(COLUMNS, {})
    wrong = pa.table({"text": ["a"]})
    with pytest.raises((ValueError, KeyError)):
        write_batches(io.BytesIO(), COLUMNS, schema, [wrong])


def test_the_json_view_writes_every_key_with_the_contracts_defaults() -> None:
    line = json_row(CORE_COLUMNS, {"src": "a.mp4", "hdr_forced": True, "adm2_mean": math.inf, "crf": 0})
    row = strict(line)
    assert list(row) == [c.name for c in CORE_COLUMNS]
    assert (row["src"], row["hdr_forced"], row["crf"]) == ("a.mp4", True, 0)
    assert (row["vmaf_score"], row["adm2_mean"], row["motion2_std"]) == (None, None, None)
    assert (row["encoder"], row["clip_mode"], row["enc_internal_qp_mean"]) == ("", "full", 0.0)
    assert (row["mos"], row["rung"], row["psnr_y_mean"]) == (None, None, None)


def test_nan_literal_is_written_only_where_the_contract_says_nan() -> None:
    line = json_row(CORE_COLUMNS, {"mos": math.nan, "vmaf_score": None}, nan_literal=True)
    nan = [c.name for c in CORE_COLUMNS if isinstance(c.default, float) and math.isnan(c.default)]
    row = json.loads(line)
    assert [name for name, value in row.items() if isinstance(value, float) and math.isnan(value)] == nan
    assert line.count(b"NaN") == len(nan) == 13


def test_json_lines_are_rows_and_hashed_as_written() -> None:
    file = io.BytesIO()
    written = write_json_lines(file, COLUMNS, ROWS)
    lines = file.getvalue().splitlines()
    assert [strict(line)["text"] for line in lines] == ["a", "", None, "é\n\0"]
    assert written == Written(4, *[hashlib.sha256(file.getvalue()).hexdigest()] * 2)


def test_a_table_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(write()[1])
    table = read_table(str(path))
    assert table.path == path
    assert table.data.num_rows == 4
    assert table.manifest is None


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [truncate, lambda content: b"", lambda content: b"no"])
def test_a_file_that_is_no_parquet(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(damage(write()[1]))
    with pytest.raises(UsageError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path} is not a Parquet file; name a table that `corekit run` wrote"


def test_a_table_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    with pytest.raises(UsageError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path} does not exist; name a table that `corekit run` wrote"


def test_a_table_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    content = write()[1]
    path.write_bytes(content[:4] + bytes(byte ^ 0xFF for byte in content[4:40]) + content[40:])
    with pytest.raises(UsageError) as caught:
        read_table(path)
    message = str(caught.value)
    assert message.startswith(f"{path} cannot be read (")
    assert message.endswith("); name a table that `corekit run` wrote")
    assert "\n" not in message


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_table(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} cannot be read (Cannot open for reading: path '{tmp_path}' is a directory); "
        "name a table that `corekit run` wrote"
    )


def test_a_broken_manifest_beside_a_table_is_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_bytes(write()[1])
    (tmp_path / "table.manifest.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"table\.manifest\.json is not a corekit-manifest-2 manifest"):
        read_table(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("environment", "time"),
    [
        ({}, None),
        ({"SOURCE_DATE_EPOCH": "0"}, "1970-01-01T00:00:00+00:00"),
        ({"SOURCE_DATE_EPOCH": "1700000000"}, "2023-11-14T22:13:20+00:00"),
    ],
)
def test_source_date_epoch(environment: Mapping[str, str], time: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert source_date_epoch() == time


@pytest.mark.parametrize("value", ["", "tomorrow", "1e9", "9" * 30])
def test_a_source_date_epoch_that_is_no_time(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UsageError) as caught:
        source_date_epoch()
    assert str(caught.value) == f"SOURCE_DATE_EPOCH={value!r} is not a number of seconds; unset it or give one"
