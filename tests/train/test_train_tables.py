"""Tables as people write them: text among numbers, blanks, keys that come late, and files that are not what they seem."""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from corekit import CorpusError, UsageError, train
from corekit.driver.evaluate import EvaluateOptions, evaluate
from corekit.driver.predict import predict_table
from corekit.driver.train.features import forbidden_columns
from tests.train.clips import columns, options, write_table


def write_csv(path: Path, changes: Mapping[str, Any] | None = None) -> Path:
    values = {**columns(), **(changes or {})}
    pyarrow.csv.write_csv(pa.table({name: column for name, column in values.items() if column is not None}), path)
    return path


def with_cell(name: str, row: int, cell: str) -> dict[str, list[str]]:
    values = [str(value) for value in columns()[name]]
    values[row] = cell
    return {name: values}


def as_lines() -> list[dict[str, Any]]:
    table = pa.table(columns()).drop_columns(["ssimulacra2_mean"])
    return [{**row, "f9": float(number)} for number, row in enumerate(table.to_pylist())]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(path: Path, **more: Any) -> str:
    with pytest.raises((UsageError, CorpusError)) as caught:
        train(options(path, **more))
    return str(caught.value).replace(f"{path.parent}/", "")


def test_text_among_an_input_is_no_missing_value(tmp_path: Path) -> None:
    motion: list[float | None] = list(columns()["motion2_mean"])
    motion[4] = None
    model = train(options(write_table(tmp_path / "t.parquet", {"motion2_mean": motion}), impute="median")).folder
    spoilt = write_csv(tmp_path / "s.csv", with_cell("motion2_mean", 7, "-"))
    said = r"s\.csv: the column motion2_mean is to be numeric, but it holds text, first '-' for c02_b_mid\.mp4; correct"
    with pytest.raises(CorpusError, match=said):
        predict_table(model, (spoilt,))
    with pytest.raises(CorpusError, match=said):
        evaluate(EvaluateOptions(model=model, tables=(spoilt,), out=tmp_path / "e"))


def test_text_among_the_labels(tmp_path: Path) -> None:
    spoilt = write_csv(tmp_path / "s.csv", with_cell("mos", 3, "n.a."))
    assert refused(spoilt, drop_missing=True) == (
        "--label mos: s.csv: it holds text, first 'n.a.' for c01_a_low.mp4; correct it, or name another"
    )
    other = {**columns(seed=4), "clip_name": [f"x{number}" for number in range(90)]}
    model = train(options(write_table(tmp_path / "t.parquet", other))).folder
    with pytest.raises(CorpusError, match=r"the column mos is to be numeric, but it holds text, first 'n\.a\.'"):
        evaluate(EvaluateOptions(model=model, tables=(spoilt,), out=tmp_path / "e", drop_missing=True))


def test_text_in_one_of_two_tables(tmp_path: Path) -> None:
    spoilt = write_csv(tmp_path / "s.csv", with_cell("motion2_mean", 7, "-"))
    clean = write_csv(tmp_path / "c.csv")
    assert refused(spoilt, tables=(clean, spoilt)) == (
        "s.csv: the column motion2_mean is numeric in c.csv, but it holds text, first '-' for c02_b_mid.mp4 here; correct the table"
    )


def test_why_a_column_of_a_set_or_glob_was_left_out(tmp_path: Path) -> None:
    spoilt = write_csv(tmp_path / "s.csv", with_cell("motion2_mean", 7, "-"))
    reason = "it holds text, first '-' for c02_b_mid.mp4"
    assert train(options(spoilt)).report.features_left_out["motion2_mean"] == reason
    found = train(
        options(
            write_csv(tmp_path / "g.csv", {"f1": with_cell("mos", 0, "-")["mos"], "f2": np.arange(90.0)}), features="f*"
        )
    )
    assert found.report.features_left_out == {"f1": "it holds text, first '-' for c00_a_low.mp4"}
    ids = {"f1": np.arange(90.0), "flickr_id": [str(number) for number in range(90)]}
    found = train(options(write_table(tmp_path / "i.parquet", ids), features="f*"))
    assert found.report.features_left_out == {}
    assert refused(spoilt, features="motion2_mean") == (
        "--features motion2_mean: motion2_mean holds text, first '-' for c02_b_mid.mp4; leave it out"
    )


def test_a_key_that_the_first_line_lacks(tmp_path: Path) -> None:
    rows = as_lines()
    del rows[0]["f9"]
    path = write_jsonl(tmp_path / "t.jsonl", rows)
    report = train(options(path, features="f9", impute="median")).report
    assert [feature.name for feature in report.features] == ["f9"]
    assert report.features[0].high == 89.0


def test_values_of_several_types_in_jsonl(tmp_path: Path) -> None:
    rows = as_lines()
    rows[4]["f9"] = "n/a"
    assert refused(write_jsonl(tmp_path / "t.jsonl", rows)) == (
        "t.jsonl:5: f9 is 'n/a', a text, where line 1 has a number; correct it"
    )
    rows[4]["f9"] = 2**70
    assert refused(write_jsonl(tmp_path / "t.jsonl", rows)) == (
        "t.jsonl:5: f9 is 1180591620717411303424, which 64 bits do not hold; correct it"
    )
    rows[4]["f9"] = 3
    assert train(options(write_jsonl(tmp_path / "t.jsonl", rows), features="f9")).report.n == 90


def test_blank_contents_are_no_content(tmp_path: Path) -> None:
    names = list(columns()["content"])
    for row in range(0, 90, 3):
        names[row] = " " if row else ""
    assert refused(write_csv(tmp_path / "t.csv", {"content": names})) == (
        "t.csv: the group column content has no value for c00_a_low.mp4; complete it, or name another with --group"
    )
    blank = write_csv(tmp_path / "b.csv", {"content": [""] * 90, "source": columns()["content"]})
    assert train(options(blank)).report.protocol.group == "source"


def test_a_row_that_is_left_out_needs_no_content(tmp_path: Path) -> None:
    mos, names = list(columns()["mos"]), list(columns()["content"])
    mos[5], names[5] = None, None
    table = write_table(tmp_path / "t.parquet", {"mos": mos, "content": names})
    assert train(options(table, drop_missing=True)).report.n == 89


def test_names_that_stand_twice(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv")
    header, _, rest = path.read_text().partition("\n")
    path.write_text(header.replace("motion2_mean", "adm2_mean") + "\n" + rest)
    assert refused(path) == "t.csv: two columns are named adm2_mean; rename one of them"


def test_a_header_that_is_not_utf8(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", {"größe": np.arange(90.0)})
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert refused(path) == "t.csv: the header is not UTF-8; save the file as UTF-8"


def test_numbers_of_other_types(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "t.parquet",
        {"f1": [2**60 + number for number in range(90)], "f2": [decimal.Decimal(number) for number in range(90)]},
    )
    assert len(train(options(table, features="f*")).report.features) == 2


def test_a_height_in_words(tmp_path: Path) -> None:
    assert train(options(write_table(tmp_path / "t.parquet", {"height": ["1080p"] * 90}))).report.n == 90


def test_whatever_tells_a_target_is_not_learnt_from(tmp_path: Path) -> None:
    values = np.array(columns()["adm2_mean"])
    table = write_table(tmp_path / "t.parquet", {"adm2_p10": values - 0.1, "adm2_std": values / 9, "mos": None})
    report = train(options(table, target="adm2")).report
    assert [feature.name for feature in report.features] == ["vif_scale0_mean", "motion2_mean"]
    assert report.features_left_out["adm2_p10"] == "it is what is learnt"
    assert {"vmaf_mean", "vmaf_p90", "vmaf_score"} <= forbidden_columns("vmaf_score", "vmaf").keys()
    assert "adm2_std" in forbidden_columns("adm2_mean", None)
    assert "mos_std" not in forbidden_columns("mos", None)


def test_a_glob_takes_no_other_label(tmp_path: Path) -> None:
    mos = np.array(columns()["mos"])
    table = write_table(
        tmp_path / "t.parquet",
        {
            "sos_j": mos / 9,
            "DMOS": -mos,
            "konvid_mos": mos,
            "f_votes": mos,
            "k150k_video_score": mos,
            "mosaic": mos * 0 + np.arange(90),
        },
    )
    report = train(options(table, features="*")).report
    names = {feature.name for feature in report.features}
    assert "mosaic" in names and not names & {"sos_j", "DMOS", "konvid_mos", "f_votes", "k150k_video_score"}
    assert report.features_left_out["sos_j"] == "it is a label by its name"
    assert train(options(table, features="sos_j")).report.features[0].name == "sos_j"
