"""What a training must notice by itself: figures, tables and columns that look right and are not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from corekit import CorpusError, GateError, UsageError, train
from corekit.driver.evaluate import EvaluateOptions, evaluate
from tests.train.clips import columns, options, write_table


def strangers() -> dict[str, Any]:
    """Columns of clips and contents that no table here learns from."""
    values = columns(seed=5)
    return {**values, **{name: [f"other_{value}" for value in values[name]] for name in ("clip_name", "content")}}


def scaled(low: float, high: float, kind: str = "mos") -> dict[str, Any]:
    """What a table says of native labels on such an axis."""
    native = low + (np.array(columns()["mos"]) - 1) / 4 * (high - low)
    ends = {"mos_scale_min": [low] * 90, "mos_scale_max": [high] * 90}
    return {"mos_native": native, **ends, "label_kind": [kind] * 90}


def refused(table: Path, **more: Any) -> str:
    with pytest.raises((UsageError, CorpusError)) as caught:
        train(options(table, **more))
    assert not (table.parent / "model").exists()
    return str(caught.value).replace(f"{table.parent}/", "")


def test_folds_whose_mapping_is_a_line_are_counted(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", contents=5)
    notes = train(options(table, protocol="loso")).report.notes
    assert "the mapping is linear in 5 of 5 folds, where logistic4 did not hold" in notes
    notes = train(options(table, protocol="loso", mapping="linear")).report.notes
    assert not [note for note in notes if "mapping" in note]


def test_a_cross_table_that_is_learnt_from(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet")
    again = Path(shutil.copy(table, tmp_path / "again.parquet"))
    for path in (table, again):
        assert refused(table, protocol=f"cross:{path}") == (
            f"--protocol cross:{path.name}: these are the rows of t.parquet, which the model learns from; test on another table"
        )
    pyarrow.csv.write_csv(pq.read_table(table), tmp_path / "t.csv")
    assert refused(table, protocol=f"cross:{tmp_path / 't.csv'}") == (
        "90 of 90 rows of t.csv are of clips or contents that the model learns from (the first: c00_a_low.mp4), so none is left to "
        "test on; choose --protocol grouped, or another table"
    )


@pytest.mark.parametrize("column", ["content", "clip_name"])
def test_a_cross_table_is_tested_without_what_was_learnt(tmp_path: Path, column: str) -> None:
    other = strangers()
    other[column][3:6] = columns()[column][:3]
    gone = {"content": None} if column == "clip_name" else {}
    table = write_table(tmp_path / "t.parquet", gone)
    path = write_table(tmp_path / "other.parquet", {**other, **gone})
    report = train(options(table, protocol=f"cross:{path}")).report
    assert report.n == 87
    first = "c00_a_low.mp4" if column == "clip_name" else "other_c01_a_low.mp4"
    group = "clip" if column == "clip_name" else "content"
    assert (
        f"3 of 90 rows of {path} are of clips or {group}s that the model learns from (the first: {first}): they are left out of the test"
    ) in report.warnings


def test_a_table_that_is_given_twice(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet")
    again = Path(shutil.copy(table, tmp_path / "again.parquet"))
    assert refused(table, tables=(table, again)) == (
        "again.parquet: these are the rows of t.parquet, which would count twice; give each table once"
    )
    assert refused(table, tables=(table, table)).startswith("t.parquet: these are the rows of t.parquet")


def test_native_labels_of_several_scales(tmp_path: Path) -> None:
    one = write_table(tmp_path / "one.parquet", scaled(0, 100))
    two = write_table(tmp_path / "two.parquet", {**strangers(), **scaled(1, 5)})
    bare = write_table(tmp_path / "bare.parquet", {**strangers(), "mos_native": columns()["mos"]})
    said = "one.parquet, two.parquet mixes the scales 0..100 and 1..5 in mos_native; learn --label mos, or give tables of one scale"
    assert refused(one, tables=(one, two), label="mos_native").replace(f"{tmp_path}/", "") == said
    assert "mixes the scales 0..100 and unknown..unknown" in refused(one, tables=(one, bare), label="mos_native")
    assert refused(one, label="mos_native", protocol=f"cross:{two}") == (
        "--protocol cross:two.parquet: its labels are on the scale 1..5, the model learns 0..100; test on a table of that scale, or "
        "learn --label mos"
    )
    assert train(options(one, tables=(one, two), label="mos")).report.n == 180


def test_labels_of_another_kind_than_the_learnt_ones(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", {**scaled(0, 100, "dmos"), "mos": None})
    other = write_table(tmp_path / "other.parquet", {**strangers(), **scaled(0, 100)})
    assert refused(table, protocol=f"cross:{other}") == (
        "--protocol cross:other.parquet: its labels are of the kind mos, the model learns dmos; test on a table of that kind"
    )
    model = train(options(table)).folder
    report = evaluate(EvaluateOptions(model=model, tables=(other,), out=tmp_path / "e")).report
    assert report.label.kind == "mos"
    assert (
        f"the labels of {other} are of the kind mos, the model learnt dmos: the figures compare two different scales"
    ) in report.warnings
    same = write_table(tmp_path / "same.parquet", {**strangers(), **scaled(0, 100, "dmos"), "mos": None})
    report = evaluate(EvaluateOptions(model=model, tables=(same,), out=tmp_path / "e")).report
    assert not [warning for warning in report.warnings if "kind" in warning]


def test_dmos_is_called_so(tmp_path: Path) -> None:
    report = train(options(write_table(tmp_path / "dm.parquet", {**scaled(0, 100, "dmos"), "mos": None}))).report
    assert (report.model_id, report.title) == ("dm_dmos_head", "DMOS head of dm")


def test_a_mos_that_is_not_on_its_axis(tmp_path: Path) -> None:
    limits = tmp_path / "gates.toml"
    limits.write_text("srocc = 0.1\nplcc = 0.1\nrmse = 3\nplcc_spread = 0.5\n")
    table = write_table(tmp_path / "t.parquet", {"mos": np.array(columns()["mos"]) / 5})
    report = train(options(table, gate=limits)).report
    assert report.label.axis is None and report.status == "proposed"
    assert all(gate.passed is None for gate in report.gates)
    assert (
        f"{table}: the label mos reaches from 0.2 to 1, so it is not on the axis 1..5 and the gates of that axis do not apply"
    ) in report.warnings
    with pytest.raises(GateError, match="the gate srocc does not apply"):
        train(options(table, gate=limits, require_gate=True))


def test_a_gate_file_is_read_before_anything_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.driver.train import job

    def fit(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was fitted")

    monkeypatch.setattr(job, "run_folds", fit)
    table = write_table(tmp_path / "t.parquet")
    assert refused(table, gate=tmp_path / "none.toml", require_gate=True).startswith("--require-gate none.toml: ")


def test_a_missing_onnxruntime_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert refused(tmp_path / "none.parquet") == (
        "training needs onnxruntime, which is not installed; pip install 'corekit[train]'"
    )


def test_a_refused_training_leaves_no_folder(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", {"content": ["same"] * 90})
    refused(table)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    (tmp_path / "mine").mkdir()
    refused(table, out=tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_a_feature_without_a_value_in_the_training_part(tmp_path: Path) -> None:
    split = columns()["split"]
    values = [float(row) if part == "test" else None for row, part in enumerate(split)]
    table = write_table(tmp_path / "t.parquet", {"f1": pa.array(values, pa.float64())})
    assert refused(table, features="adm2,f1", protocol="stored-split", impute="median") == (
        "the feature f1 has no value in any of the 54 training rows of the fold stored-split, so no median can stand in for it; leave it "
        "out of --features"
    )


def test_a_feature_beyond_single_precision(tmp_path: Path) -> None:
    values = np.array(columns()["motion2_mean"])
    values[4] = 1e300
    assert refused(write_table(tmp_path / "t.parquet", {"motion2_mean": values})) == (
        "t.parquet: the feature motion2_mean is 1e+300 for c01_b_mid.mp4, more than single precision holds; correct it, or leave it "
        "out of --features"
    )


def test_a_seed_that_nothing_holds(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet")
    assert refused(table, seed=10**23) == f"--seed {10**23}: give at most 9223372036854775807"
    assert train(options(table, seed=2**63 - 1, model="mlp-v1", repeats=1)).report.n == 90


def test_splits_of_other_names_are_counted(tmp_path: Path) -> None:
    split = ["validation" if part == "val" else part for part in columns()["split"]]
    table = write_table(tmp_path / "t.parquet", {"split": [None, None, None, *split[3:]]})
    assert (
        "21 of 90 rows take no part, since their split is none of train, val, test: validation (18), no split (3)"
    ) in train(options(table, protocol="stored-split")).report.notes
