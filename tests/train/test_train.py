"""A training from table to folder: what is written, that it is true, and that it comes out the same again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest

from corekit import TrainManifest, read_manifest, train
from corekit.driver.train.model import load_model
from corekit.driver.train.report import TrainReport
from tests.train.clips import columns, options, write_table

FEATURES = ["adm2_mean", "vif_scale0_mean", "motion2_mean"]
"""In the locked order, whatever the table's."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "toy.parquet")


def test_the_folder_holds_what_the_manifest_says(table: Path) -> None:
    result = train(options(table))
    manifest = read_manifest(result.manifest_path)
    assert isinstance(manifest, TrainManifest)
    names = {path.name for path in result.folder.iterdir()} - {"model.manifest.json"}
    assert names == set(manifest.artefacts) == {
        "model.onnx", "model.safetensors", "card.md", "report.json", "report.html", "predictions.parquet", "folds.json",
    }  # fmt: skip
    for name, artefact in manifest.artefacts.items():
        assert hashlib.sha256((result.folder / name).read_bytes()).hexdigest() == artefact.sha256, name
    assert [parent.sha256 for parent in manifest.parents] == [hashlib.sha256(table.read_bytes()).hexdigest()]
    assert manifest.train.features == FEATURES
    assert manifest.train.status == result.report.status == "passed"


def test_the_report_stands_at_the_top_level(table: Path) -> None:
    result = train(options(table))
    report = json.loads((result.folder / "report.json").read_text())
    for measure in ("srocc", "krocc", "plcc", "rmse"):
        assert set(report[measure]) >= {"median", "mean", "std", "ci95"}
    assert msgspec.json.decode((result.folder / "report.json").read_bytes(), type=TrainReport) == result.report
    assert [one["name"] for one in report["per_rung"]] == ["a_low", "b_mid", "c_high"]
    assert {one["name"] for one in report["baselines"]} == {"mean-label", "metadata-only"}
    assert report["features_left_out"]["ssimulacra2_mean"] == "it has no value in any row"
    assert len(report["worst"]) == 20
    assert result.report.importance[0].feature == "adm2_mean"


def test_every_export_predicts_alike(table: Path) -> None:
    result = train(options(table, model="svr-blend"))
    data = pq.read_table(table).select(FEATURES).to_pandas().to_numpy(np.float32)
    session = onnxruntime.InferenceSession(result.folder / "model.onnx", providers=["CPUExecutionProvider"])
    scores = session.run(["mos"], {"features": data})[0]
    np.testing.assert_allclose(load_model(result.folder).predict(data.astype(np.float64)), scores, rtol=1e-5, atol=1e-5)
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["feature_names"]) == FEATURES
    assert (properties["model_id"], properties["status"]) == ("toy_mos_head", "proposed")


@pytest.mark.parametrize("model", ["svr-blend", "mlp-v1"])
def test_the_same_table_and_seed_give_the_same_bytes(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one = train(options(table, model=model, out=tmp_path / "one"))
    two = train(options(table, model=model, out=tmp_path / "two", workers=2))
    for name in one.manifest.artefacts:
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes(), name
    other = train(options(table, model=model, out=tmp_path / "three", seed=1))
    assert other.report.protocol.folds_sha256 != one.report.protocol.folds_sha256


def test_scaling_and_choosing_see_the_training_part_alone(table: Path, tmp_path: Path) -> None:
    strange = columns()
    is_test = np.array(strange["split"]) == "test"
    strange["adm2_mean"] = np.where(is_test, 1e6, strange["adm2_mean"])
    strange["mos"] = np.where(is_test, 5.0, strange["mos"])
    other = write_table(tmp_path / "strange.parquet", strange)
    heads = [
        load_model(train(options(path, protocol="stored-split", out=tmp_path / path.stem)).folder)
        for path in (table, other)
    ]
    x = pq.read_table(table).select(FEATURES).to_pandas().to_numpy(np.float64)
    np.testing.assert_array_equal(heads[0].predict(x), heads[1].predict(x))
    assert heads[0].record.inputs == heads[1].record.inputs


def test_predictions_are_of_clips_that_were_held_out(table: Path) -> None:
    result = train(options(table, protocol="loso"))
    rows = pq.read_table(result.folder / "predictions.parquet").to_pylist()
    assert len(rows) == 90 and all(row["folds"] == 1 for row in rows)
    half = result.report.interval.half_width
    assert half is not None
    assert all(row["high"] - row["predicted"] == pytest.approx(half) for row in rows)
    folds = json.loads((result.folder / "folds.json").read_text())["folds"]
    assert [fold["test_groups"] for fold in folds] == [[f"content{number:02}"] for number in range(30)]


def test_a_stored_split_tests_once_with_an_interval_over_contents(table: Path) -> None:
    report = train(options(table, protocol="stored-split")).report
    assert report.srocc is not None and report.srocc.folds == 1
    assert report.srocc.ci95 is not None and report.srocc.ci95[0] < report.srocc.median <= report.srocc.ci95[1] + 1e-9
    assert report.protocol.interval == "bootstrap over contents, 300 draws"
    assert report.n_trained == 54


def test_cross_trains_here_and_tests_there(table: Path, tmp_path: Path) -> None:
    changes = columns(12, seed=9)
    changes["content"] = [f"other{name}" for name in changes["content"]]
    other = write_table(tmp_path / "other.parquet", changes)
    result = train(options(table, protocol=f"cross:{other}"))
    assert (result.report.n, result.report.n_trained) == (36, 90)
    assert result.report.srocc is not None and result.report.srocc.median > 0.7
    assert [parent.file for parent in result.manifest.parents] == ["toy.parquet", "other.parquet"]


def test_a_teacher_is_learnt_under_its_own_name(tmp_path: Path) -> None:
    values = columns()
    table = write_table(
        tmp_path / "t.parquet",
        {
            "label_kind": ["teacher"] * 90,
            "mos": None,
            "vmaf_mean": np.array(values["adm2_mean"]) * 80,
            "vmaf_std": np.ones(90),
        },
    )
    result = train(options(table, target="vmaf"))
    assert result.report.model_id == "t_vmaf_head"
    assert result.report.features_left_out["vmaf_std"] == "it is what is learnt"
    session = onnxruntime.InferenceSession(result.folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "vmaf"
    assert "no opinion of people" in (result.folder / "card.md").read_text()
    assert all(gate.passed is None for gate in result.report.gates)


def test_missing_features_are_filled_with_training_medians_where_asked(tmp_path: Path) -> None:
    values: list[Any] = list(columns()["motion2_mean"])
    values[3] = None
    table = write_table(tmp_path / "t.parquet", {"motion2_mean": values})
    result = train(options(table, impute="median"))
    assert (
        "motion2_mean has no value in 1 of 90 rows (1.11 %): the median of the training rows stands there"
        in result.report.notes
    )
    model = load_model(result.folder)
    median = model.record.inputs[2].median
    x = np.array([[0.7, 0.3, np.nan], [0.7, 0.3, median]])
    assert np.ptp(model.predict(x)) == 0
    session = onnxruntime.InferenceSession(result.folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert np.ptp(session.run(None, {"features": x.astype(np.float32)})[0]) < 1e-6


def test_a_second_training_replaces_the_first_whole(table: Path) -> None:
    first = train(options(table))
    (first.folder / ".model.onnx.tmp").write_bytes(b"left by a crash")
    second = train(options(table, model="svr"))
    assert not (first.folder / ".model.onnx.tmp").exists()
    assert load_model(second.folder).record.model == "svr"


def test_csv_and_jsonl_tables_are_read_alike(tmp_path: Path, table: Path) -> None:
    frame = pq.read_table(table).drop_columns(["ssimulacra2_mean"]).to_pandas()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True, double_precision=15)
    reports = [
        train(options(path, out=tmp_path / f"out{path.suffix}")).report
        for path in (table, tmp_path / "t.csv", tmp_path / "t.jsonl")
    ]
    medians = [report.srocc.median for report in reports if report.srocc]
    assert len(medians) == 3 and np.ptp(medians) < 1e-9
