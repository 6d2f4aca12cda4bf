"""A trained model on other rows: which rows it may be held against, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corekit import UsageError, train
from corekit.driver.evaluate import EvaluateOptions, evaluate
from corekit.driver.predict import PredictTableOptions, predict_table, write_scores
from corekit.manifest import EvaluateManifest, PredictManifest, read_manifest
from tests.train.clips import columns, options, write_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "toy.parquet")


def test_the_test_split_gives_what_the_training_reported(table: Path) -> None:
    trained = train(options(table, protocol="stored-split"))
    result = evaluate(EvaluateOptions(model=trained.folder, tables=(table,)))
    assert result.report.n == 18
    assert result.report.srocc == trained.report.srocc
    assert result.report.rmse == trained.report.rmse
    manifest = read_manifest(result.manifest_path)
    assert isinstance(manifest, EvaluateManifest)
    assert [parent.file for parent in manifest.parents] == ["model.safetensors", "toy.parquet"]
    assert (result.folder / "report.html").read_text().startswith("<!doctype html>")


def test_another_table_is_evaluated_whole_with_a_fresh_mapping(table: Path, tmp_path: Path) -> None:
    trained = train(options(table))
    other = write_table(tmp_path / "other.parquet", columns(12, seed=5))
    report = evaluate(EvaluateOptions(model=trained.folder, tables=(other,))).report
    assert report.n == 36 and report.srocc is not None and report.srocc.median > 0.7
    assert report.warnings[0] == (
        "12 of 12 contents here have the name of one that the model learnt, such as content00: where they are the same, these figures "
        "flatter the model"
    )


def test_rows_that_were_learnt_are_refused(table: Path) -> None:
    trained = train(options(table))
    with pytest.raises(
        UsageError, match="the model learnt from every row of this table, so none is left to evaluate on"
    ):
        evaluate(EvaluateOptions(model=trained.folder, tables=(table,)))
    with pytest.raises(UsageError, match="so figures over all of its rows would flatter it"):
        evaluate(EvaluateOptions(model=trained.folder, tables=(table,), rows="all"))


def test_what_is_no_model_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no model\.safetensors; name the folder that `corekit train` wrote"):
        evaluate(EvaluateOptions(model=tmp_path / "none", tables=(table,)))
    folder = train(options(table)).folder
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[9:14] = b"#####"
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match="is not a model of `corekit train`"):
        evaluate(EvaluateOptions(model=folder, tables=(table,)))


def test_scores_of_a_table(table: Path, tmp_path: Path) -> None:
    trained = train(options(table))
    strange = columns()
    strange["adm2_mean"] = np.where(np.arange(90) == 7, 50.0, strange["adm2_mean"])
    other = write_table(tmp_path / "other.parquet", strange)
    out = tmp_path / "scores.parquet"
    scores = write_scores(PredictTableOptions(model=trained.folder, tables=(other,), out=out))
    rows = pq.read_table(out).to_pylist()
    assert rows == scores.rows == predict_table(trained.folder, (other,)).rows
    assert [row["inputs_outside"] for row in rows] == [int(number == 7) for number in range(90)]
    half = trained.report.interval.half_width
    assert rows[0]["high"] - rows[0]["mos"] == pytest.approx(half)
    manifest = read_manifest(tmp_path / "scores.manifest.json")
    assert isinstance(manifest, PredictManifest) and manifest.model_id == "toy_mos_head"
    assert scores.warnings[0].startswith(
        "extrapolation: 1 of 3 features lie outside the range that the model learnt from: adm2_mean"
    )
