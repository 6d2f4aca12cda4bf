"""What training refuses or warns of, each in a whole sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from corekit import CorpusError, GateError, UsageError, read_manifest, train
from corekit.learning.models import MODELS
from tests.train.clips import columns, options, write_table


def refused(tmp_path: Path, changes: dict[str, Any] | None = None, **more: Any) -> str:
    table = write_table(tmp_path / "t.parquet", changes)
    with pytest.raises((UsageError, CorpusError)) as caught:
        train(options(table, **more))
    assert not (tmp_path / "model" / "model.onnx").exists()
    return str(caught.value).replace(str(tmp_path), "")


def test_a_row_random_split_of_a_ladder(tmp_path: Path) -> None:
    said = refused(tmp_path, columns(spread=2.0), protocol="random")
    start, _, end = said.partition("reaches SROCC ")
    leaked, honest = float(end[:5]), float(end.partition("that way, ")[2][:5])
    assert start == (
        "--protocol random: 90 rows are of 30 contents, and a row-random split puts clips of one on both sides: here a "
        "predictor that sees no pixel (the content's offset on its rung's mean) "
    )
    assert leaked > honest
    assert said.endswith("on contents it has not seen; choose --protocol grouped")


def test_a_label_without_a_value(tmp_path: Path) -> None:
    mos = columns()["mos"].copy()
    mos[4] = np.nan
    assert refused(tmp_path, {"mos": mos}) == (
        "/t.parquet: the label mos has no value in 1 of 90 rows (1.11 %) (the first: c01_b_mid.mp4); complete them, or leave "
        "such rows out with --drop-missing"
    )
    report = train(options(tmp_path / "t.parquet", drop_missing=True)).report
    assert report.n == 89
    assert "1 of 90 rows (1.11 %) were left out (--drop-missing), the first: c01_b_mid.mp4" in report.notes


def test_a_feature_without_a_value(tmp_path: Path) -> None:
    values = columns()["adm2_mean"].copy()
    values[[0, 8]] = np.inf
    assert refused(tmp_path, {"adm2_mean": values}) == (
        "/t.parquet: the feature adm2_mean has no finite value in 2 of 90 rows (2.22 %) (the first: c00_a_low.mp4); compute it, "
        "leave it out of --features, or say --impute median or --drop-missing"
    )


def test_a_feature_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path, features="adm2,nothing").startswith(
        "--features nothing: neither a set nor a numeric column of the table; it has "
    )
    assert refused(tmp_path, features="ssimulacra2_mean") == (
        "--features ssimulacra2_mean: ssimulacra2_mean has no value in any row; leave it out"
    )


def test_the_label_as_a_feature(tmp_path: Path) -> None:
    assert refused(tmp_path, features="mos,adm2") == (
        "--features mos: it is what is learnt, so it cannot be learnt from; leave it out"
    )


def test_labels_of_several_kinds(tmp_path: Path) -> None:
    assert refused(tmp_path, {"label_kind": ["mos"] * 45 + ["dmos"] * 45}) == (
        "/t.parquet mixes labels of the kinds dmos and mos, which are not one scale; give tables of one kind"
    )


def test_a_teacher_as_a_label(tmp_path: Path) -> None:
    assert refused(tmp_path, {"label_kind": ["teacher"] * 90}) == (
        "/t.parquet holds no subjective labels (label_kind teacher): a teacher's score is learnt under its own name, --target vmaf"
    )
    assert refused(tmp_path, {"vmaf_mean": np.linspace(0, 100, 90)}, label="vmaf_mean") == (
        "--label vmaf_mean: a teacher's score is no label; learn it under its own name with --target vmaf"
    )


def test_rows_of_another_corpus(tmp_path: Path) -> None:
    assert refused(tmp_path, corpus="chug") == (
        "--corpus chug: /t.parquet holds rows of toy; give tables of chug alone, or leave --corpus out and give the model an id "
        "of its own"
    )


def test_a_planted_leak(tmp_path: Path) -> None:
    split = list(columns()["split"])
    split[1] = "test"
    assert refused(tmp_path, {"split": split}, protocol="stored-split") == (
        "the content content00 stands in two splits: c00_a_low.mp4 in train and c00_b_mid.mp4 in test, so the test would be of "
        "contents that were learnt; derive the splits anew (`corekit enrich` fills them content-disjointly)"
    )


def test_a_table_of_one_content(tmp_path: Path) -> None:
    assert refused(tmp_path, {"content": ["same"] * 90}) == (
        "--protocol grouped: all 90 rows are of one content (same), so none can be held out; give a table of several contents"
    )


def test_a_group_without_a_name(tmp_path: Path) -> None:
    names: list[str | None] = list(columns()["content"])
    names[5] = None
    assert refused(tmp_path, {"content": names}) == (
        "/t.parquet: the group column content has no value for c01_c_high.mp4; complete it, or name another with --group"
    )


def test_groups_of_one_clip_have_no_correlation_of_their_own(tmp_path: Path) -> None:
    content = [*columns()["content"][:-1], "alone"]
    report = train(options(write_table(tmp_path / "t.parquet", {"content": content}), protocol="loso")).report
    assert (
        "2 of 31 folds of loso hold out fewer than three different labels (content29, alone): correlations are not defined there and "
        "the summaries leave those folds out"
    ) in report.warnings
    assert report.srocc is not None and report.srocc.folds == 29
    assert report.pooled is not None and report.pooled.n == 90


def test_constant_predictions_have_no_correlation(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", {"adm2_mean": np.full(90, 0.5)})
    report = train(options(table, features="adm2")).report
    assert report.srocc is None and report.plcc is None and report.rmse is not None
    assert "the predictions are constant or the test parts too small: no correlation is defined" in report.warnings


def test_a_model_that_metadata_beats(tmp_path: Path) -> None:
    report = train(options(write_table(tmp_path / "t.parquet"), features="motion2")).report
    assert any(
        line.startswith("the model does not beat metadata alone (mean label of the clip's rung): ")
        for line in report.warnings
    )


def test_a_required_gate_that_is_missed(tmp_path: Path) -> None:
    limits = tmp_path / "gates.toml"
    limits.write_text("srocc = 0.99\nplcc = 0.1\nrmse = 3\n")
    table = write_table(tmp_path / "t.parquet")
    with pytest.raises(GateError) as caught:
        train(options(table, require_gate=True, gate=limits))
    assert str(caught.value).startswith("no model was written: srocc is 0.")
    assert str(caught.value).endswith(f"(--require-gate); the report is {tmp_path / 'model' / 'report.html'}")
    written = {path.name for path in (tmp_path / "model").iterdir()}
    assert "report.html" in written and not written & {"model.onnx", "model.safetensors", "card.md"}
    manifest = read_manifest(tmp_path / "model" / "model.manifest.json")
    assert manifest.train.status == "missed"  # type: ignore[union-attr]


def test_gates_that_are_met_make_a_model_more_than_proposed(tmp_path: Path) -> None:
    limits = tmp_path / "gates.toml"
    limits.write_text("srocc = 0.1\nplcc = 0.1\nrmse = 3\nplcc_spread = 0.5\n")
    report = train(options(write_table(tmp_path / "t.parquet"), require_gate=True, gate=limits)).report
    assert report.status == "passed"
    limits.write_text("speed = 3\n")
    with pytest.raises(UsageError, match="Object contains unknown field `speed`; the file may set plcc, srocc, rmse"):
        train(options(tmp_path / "t.parquet", require_gate=True, gate=limits))


def test_more_rows_than_a_model_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.driver.train import job

    small = {name: msgspec.structs.replace(model, most_rows=model.most_rows and 50) for name, model in MODELS.items()}
    monkeypatch.setattr(job, "MODELS", small)
    assert refused(tmp_path, model="svr") == (
        "--model svr: 90 rows are more than the 50 that it learns from in reasonable time; choose ridge, mlp-v1 or auto, or a smaller "
        "table"
    )


def test_columns_of_a_cross_table(tmp_path: Path) -> None:
    other = write_table(tmp_path / "other.parquet", {"adm2_mean": None})
    assert refused(tmp_path, protocol=f"cross:{other}").startswith(
        "the model's column adm2_mean: /other.parquet has no such column"
    )


def test_empty_and_broken_tables(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1\n")
    with pytest.raises(UsageError, match="is not CSV with a header"):
        train(options(tmp_path / "broken.csv"))
    with pytest.raises(UsageError, match=r"give a table that ends in \.parquet, \.csv or \.jsonl"):
        train(options(write_table(tmp_path / "t.txt")))
    with pytest.raises(CorpusError, match="the table has no row"):
        empty = {name: pa.array([], pa.float64()) for name in ("mos", "adm2_mean")}
        pa.parquet.write_table(pa.table(empty), tmp_path / "empty.parquet")
        train(options(tmp_path / "empty.parquet"))
