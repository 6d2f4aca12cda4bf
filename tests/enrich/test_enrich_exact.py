"""Whole numbers stay what they are: int64 holds them, text does where it cannot, and none is rounded in silence."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corekit.errors import LabelError
from tests.enrich.kit import CLIPS, Bench

BEYOND = 2**53 + 1
KEEPS = "which a column of numbers would round (text in every line keeps it)"
REMEDY = "; correct it, or pass over such lines with --skip-malformed"


def csv(bench: Bench, *values: object) -> tuple[str, list[Any]]:
    """Type and cells of a new column that a CSV file brings."""
    lines = [f"{clip},{value}" for clip, value in zip(CLIPS, values, strict=True)]
    bench.enrich(bench.file("m.csv", "\n".join(["src,x_id", *lines]) + "\n"))
    return str(bench.read().schema.field("x_id").type), bench.column("x_id")


@pytest.mark.parametrize(
    ("values", "type_", "cells"),
    [
        ((2**63 - 1, 2**63 - 2, 10**18, -(2**63)), "int64", [2**63 - 1, 2**63 - 2, 10**18, -(2**63)]),
        ((2**63, 2**63 + 1, 1, ""), "string", [str(2**63), str(2**63 + 1), "1", None]),
        ((BEYOND, 1.5, 1, ""), "string", [str(BEYOND), "1.5", "1", None]),
        (("9" * 5000, 1.5, 1, ""), "string", ["9" * 5000, "1.5", "1", None]),
        ((2**53, 1.5, 2**60, ""), "double", [2.0**53, 1.5, 2.0**60, None]),
        (("1e20", 1.5, -3, ""), "double", [1e20, 1.5, -3.0, None]),
    ],
)
def test_a_new_column_of_csv(bench: Bench, values: tuple[object, ...], type_: str, cells: list[Any]) -> None:
    assert csv(bench, *values) == (type_, cells)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(-(2**70), 2**70), min_size=4, max_size=4))
def test_whole_numbers_of_csv_are_never_others(bench: Bench, values: list[int]) -> None:
    bench.write_table({})
    assert [int(cell) for cell in csv(bench, *values)[1]] == values


@pytest.mark.parametrize(
    ("type_", "value", "why"),
    [
        (pa.int64(), 2.0**53 + 2, "9007199254740994.0 in x_id, a column of whole numbers (int64)"),
        (pa.float64(), BEYOND, f"{BEYOND} in x_id, which its numbers (double) would round"),
        (pa.float32(), 2**24 + 1, "16777217 in x_id, which its numbers (float) would round"),
        (pa.float32(), 2**200, f"{str(2**200)[:40]}... in x_id, which its numbers (float) would round"),
    ],
)
def test_a_column_of_the_table_that_jsonl_fills(bench: Bench, type_: pa.DataType, value: float, why: str) -> None:
    bench.write_table({"x_id": pa.nulls(4, type_)})
    metadata = bench.jsonl({"src": "a.mp4", "x_id": value})
    with pytest.raises(LabelError) as caught:
        bench.enrich(metadata)
    assert str(caught.value) == f"{metadata}:1: this line has {why}{REMEDY}"


def test_a_column_of_the_table_that_csv_fills(bench: Bench) -> None:
    bench.write_table({"x_i": pa.nulls(4, pa.int64()), "x_f": pa.nulls(4, pa.float64())})
    for key, value, why in [
        ("x_i", f"{BEYOND}.0", "a column of whole numbers (int64)"),
        ("x_f", f"{BEYOND}", "which its numbers (double) would round"),
    ]:
        metadata = bench.file("m.csv", f"src,{key}\na.mp4,1\nb.mp4,{value}\n")
        with pytest.raises(LabelError) as caught:
            bench.enrich(metadata)
        assert str(caught.value) == f"{metadata}:3: this line has {value!r} in {key}, {why}{REMEDY}"
    bench.enrich(bench.file("m.csv", f"src,x_i,x_f\na.mp4,{BEYOND},{2**60}\n"))
    assert (bench.column("x_i")[0], bench.column("x_f")[0]) == (BEYOND, 2.0**60)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((BEYOND, 1.5), f"1.5 in x_id, where an earlier line has {BEYOND}, {KEEPS}"),
        ((1.5, BEYOND), f"{BEYOND} in x_id, {KEEPS}"),
    ],
)
def test_jsonl_that_mixes_them_with_fractions(bench: Bench, values: tuple[float, float], why: str) -> None:
    rows = [{"src": clip, "x_id": value} for clip, value in zip(CLIPS, (3, *values), strict=False)]
    metadata = bench.jsonl(*rows)
    with pytest.raises(LabelError) as caught:
        bench.enrich(metadata)
    assert str(caught.value) == f"{metadata}:3: this line has {why}{REMEDY}"
    bench.enrich(metadata, skip_malformed=True)
    assert bench.column("x_id") == [3, values[0], None, None]


def test_jsonl_that_a_column_of_numbers_holds(bench: Bench) -> None:
    rows = [{"src": clip, "x_id": value} for clip, value in zip(CLIPS, (2**60, 1.5, 2.0**64, 7), strict=True)]
    bench.enrich(bench.jsonl(*rows))
    assert bench.column("x_id") == [2.0**60, 1.5, 2.0**64, 7.0]


def test_a_line_that_is_passed_over_decides_no_type(bench: Bench) -> None:
    rows = [{"src": "a.mp4", "x_id": 1.5, "note": 5}, {"src": "b.mp4", "x_id": BEYOND}]
    bench.enrich(bench.jsonl(*rows), skip_malformed=True)
    assert bench.column("x_id") == [None, BEYOND, None, None]
