"""What evaluation, prediction and training refuse to write over, and inputs that they cannot read."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from corekit import GateError, UsageError, train
from corekit.driver.evaluate import EvaluateOptions, evaluate
from corekit.driver.predict import PredictOptions, PredictTableOptions, predict_clip, predict_table, write_scores
from corekit.driver.train.model import ModelRecord, load_model
from tests.command import corekit
from tests.train.clips import columns, options, write_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "toy.parquet")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write_table(tmp_path / "other.parquet", strangers())


def strangers() -> dict[str, Any]:
    """Columns of clips that no model here learns."""
    values = columns(seed=5)
    return {**values, **{name: [f"other_{value}" for value in values[name]] for name in ("clip_name", "content")}}


def contents(folder: Path) -> dict[str, str]:
    """The digest of every file there."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_scores_never_take_the_place_of_what_they_come_from(table: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    before, rows = contents(model), table.read_bytes()
    (tmp_path / "link.parquet").symlink_to(table)
    for out in (table, tmp_path / "model" / ".." / "toy.parquet", tmp_path / "link.parquet"):
        with pytest.raises(UsageError, match=r"toy\.parquet is an input, and this command would write over it"):
            write_scores(PredictTableOptions(model=model, tables=(table,), out=out))
    for name, said in (
        (
            "predictions.parquet",
            r"predictions\.parquet was made together with model\.onnx, an input, and would be lost",
        ),
        ("model.parquet", r"model\.manifest\.json tells how model\.onnx, an input, was made, and would be lost"),
    ):
        with pytest.raises(UsageError, match=said):
            write_scores(PredictTableOptions(model=model, tables=(table,), out=model / name))
    assert (contents(model), table.read_bytes()) == (before, rows)


def test_scores_never_take_the_place_of_a_tables_manifest(table: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    scores = tmp_path / "scores.parquet"
    write_scores(PredictTableOptions(model=model, tables=(table,), out=scores))
    write_scores(PredictTableOptions(model=model, tables=(table,), out=scores))
    manifest = (tmp_path / "scores.manifest.json").rename(tmp_path / "toy.manifest.json")
    manifest.write_text(manifest.read_text().replace("scores.parquet", "toy.jsonl"))
    jsonl = tmp_path / "toy.jsonl"
    jsonl.write_text("{}\n")
    with pytest.raises(
        UsageError, match=r"toy\.manifest\.json tells how toy\.jsonl, an input, was made, and would be lost"
    ):
        write_scores(PredictTableOptions(model=model, tables=(jsonl,), out=table))


def test_an_evaluation_never_takes_the_place_of_a_training(table: Path, other: Path) -> None:
    model = train(options(table)).folder
    before = contents(model)
    with pytest.raises(UsageError, match="it holds a training, whose report would be lost"):
        evaluate(EvaluateOptions(model=model, tables=(other,), out=model))
    assert contents(model) == before
    (model / "model.manifest.json").unlink()
    with pytest.raises(UsageError, match="it holds a training"):
        evaluate(EvaluateOptions(model=model, tables=(other,), out=model))


def test_a_training_never_takes_the_place_of_its_table_or_of_an_evaluation(table: Path, other: Path) -> None:
    model = train(options(table)).folder
    own = write_table(model / "predictions.parquet")
    before = contents(model)
    for more in ({}, {"protocol": f"cross:{own}"}):
        with pytest.raises(UsageError, match=r"predictions\.parquet is an input, and this command would write over it"):
            train(options(other if more else own, out=model, **more))
    assert contents(model) == before
    evaluation = evaluate(EvaluateOptions(model=model, tables=(other,))).folder
    before = contents(evaluation)
    with pytest.raises(UsageError, match="it holds an evaluation, whose report would be lost"):
        train(options(table, out=evaluation))
    with pytest.raises(UsageError, match=r"predictions\.parquet is an input"):
        evaluate(EvaluateOptions(model=model, tables=(evaluation / "predictions.parquet",), out=evaluation))
    assert contents(evaluation) == before


def test_a_missed_gate_leaves_the_older_model(table: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    before = contents(model)
    limits = tmp_path / "gates.toml"
    limits.write_text("srocc = 1.0\n")
    missed = tmp_path / "model.missed"
    for _ in range(2):
        with pytest.raises(GateError) as caught:
            train(options(table, require_gate=True, gate=limits))
        assert str(caught.value).endswith(f"the report is {missed / 'report.html'}")
        assert contents(model) == before
    written = set(contents(missed))
    assert "report.html" in written and not written & {"model.onnx", "model.safetensors", "card.md"}


def test_tables_and_clips_that_cannot_be_read(table: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    for path, reason in ((tmp_path / "none.parquet", "does not exist"), (folder, "is a folder")):
        said = rf"{path.name} {reason}; name a table \(Parquet, CSV or JSONL\)"
        with pytest.raises(UsageError, match=said):
            evaluate(EvaluateOptions(model=model, tables=(path,)))
        with pytest.raises(UsageError, match=said):
            write_scores(PredictTableOptions(model=model, tables=(path,), out=tmp_path / "scores.parquet"))
        with pytest.raises(UsageError, match=said):
            predict_table(model, (path,))
        with pytest.raises(UsageError, match=said):
            train(options(path, out=tmp_path / "fresh"))
    with pytest.raises(UsageError, match="is a folder; name a clip"):
        predict_clip(PredictOptions(model=model, clip=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_seed_below_zero(table: Path, other: Path) -> None:
    model = train(options(table)).folder
    with pytest.raises(UsageError, match="--seed -1: give 0 or more"):
        evaluate(EvaluateOptions(model=model, tables=(other,), seed=-1))


def test_a_refused_evaluation_leaves_nothing(table: Path, other: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    (tmp_path / "again.parquet").write_bytes(other.read_bytes())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(
        UsageError, match=r"again\.parquet: these are the rows of .*other\.parquet, which would count twice"
    ):
        evaluate(EvaluateOptions(model=model, tables=(other, tmp_path / "again.parquet")))
    with pytest.raises(UsageError, match="the model learnt from every row of this table"):
        evaluate(EvaluateOptions(model=model, tables=(table,)))
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_says_it_in_a_sentence(table: Path, tmp_path: Path) -> None:
    model = train(options(table)).folder
    done = corekit("predict", model, "none.parquet", "--out", "scores.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "corekit: none.parquet does not exist; name a table (Parquet, CSV or JSONL)\n"


def test_notes_are_printed(tmp_path: Path, other: Path) -> None:
    mos = columns()["mos"].copy()
    mos[4] = np.nan
    model = train(options(write_table(tmp_path / "t.parquet"), features="adm2")).folder
    table = write_table(tmp_path / "gaps.parquet", {**strangers(), "mos": mos})
    done = corekit("evaluate", model, table, "--drop-missing")
    assert done.returncode == 0
    assert "note: 1 of 90 rows (1.11 %) were left out (--drop-missing), the first: other_c01_b_mid.mp4\n" in done.stderr


def test_medians_that_stand_in_for_a_tables_values_are_said(tmp_path: Path, table: Path) -> None:
    model = train(options(table, impute="median")).folder
    gaps = columns()["adm2_mean"].copy()
    gaps[[2, 5, 7]] = np.nan
    assert predict_table(model, (table,)).warnings == []
    assert predict_table(model, (write_table(tmp_path / "gaps.parquet", {"adm2_mean": gaps}),)).warnings == [
        "the median of the training rows stands in for adm2_mean in 3 of 90 rows"
    ]


def test_values_that_the_model_does_not_take(tmp_path: Path, table: Path) -> None:
    model = train(options(table, features="width,adm2")).folder
    clip = tmp_path / "a.mkv"
    clip.write_bytes(b"not looked at")
    with pytest.raises(UsageError, match=r"--value f9: toy_mos_head has no such input; it has width, adm2_mean$"):
        predict_clip(PredictOptions(model=model, clip=clip, values={"f9": 1.0}))
    for text in ("inf", "nan"):
        done = corekit("predict", model, clip, "--value", f"width={text}")
        assert (done.returncode, done.stderr) == (2, f"corekit: --value width={text}: give a finite number\n")
    for option, given in (("--value", "width=3"), ("--reference", clip)):
        done = corekit("predict", model, table, option, given)
        assert done.returncode == 2
        assert (
            done.stderr == f"corekit: {option}: {table} is a table, whose columns are the inputs; give it with a clip\n"
        )


@pytest.mark.parametrize("package", ["safetensors", "matplotlib"])
def test_a_missing_package_is_named(table: Path, other: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    model = train(options(table)).folder
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"needs {package}, which is not installed; pip install 'corekit\[train\]'"
    with pytest.raises(UsageError, match=said):
        evaluate(EvaluateOptions(model=model, tables=(other,)))
    if package == "safetensors":
        with pytest.raises(UsageError, match=said):
            predict_table(model, (table,))


def copies(table: Path) -> list[Path]:
    """The rows of a table in files of other bytes."""
    data = pq.read_table(table).drop_columns(["ssimulacra2_mean"])
    csv, wider, part = (table.with_name(name) for name in ("copy.csv", "wider.parquet", "part.parquet"))
    pyarrow.csv.write_csv(data, csv)
    pq.write_table(data.append_column("more", data.column("mos")), wider)
    pq.write_table(data.take([5, 3, 80]), part)
    return [csv, wider, part]


def test_learnt_rows_are_known_in_any_file(table: Path, other: Path) -> None:
    model = train(options(table)).folder
    (model / "model.manifest.json").unlink()
    for path in (table, *copies(table)):
        with pytest.raises(UsageError, match="the model learnt from every row of this table, so none is left"):
            evaluate(EvaluateOptions(model=model, tables=(path,)))
        with pytest.raises(UsageError, match="the model learnt from every row of this table, so none is left"):
            evaluate(EvaluateOptions(model=model, tables=(path,), label="vif_scale0_mean"))
    with pytest.raises(UsageError, match=r"learnt from 90 of 180 rows of this table \(the first: c00_a_low\.mp4\)"):
        evaluate(EvaluateOptions(model=model, tables=(other, table), rows="all"))
    assert evaluate(EvaluateOptions(model=model, tables=(other,))).report.n == 90


def test_rows_without_names_are_known_by_their_numbers(tmp_path: Path) -> None:
    nameless = {"clip_name": None, "content": None}
    table = write_table(tmp_path / "t.parquet", nameless)
    model = train(options(table, features="adm2,motion2")).folder
    for path in copies(table):
        with pytest.raises(UsageError, match="the model learnt from every row of this table"):
            evaluate(EvaluateOptions(model=model, tables=(path,)))
    strange = write_table(tmp_path / "strange.parquet", {**columns(seed=5), **nameless})
    assert evaluate(EvaluateOptions(model=model, tables=(strange,))).report.n == 90


def test_a_stored_split_leaves_its_test_rows_in_any_file(table: Path) -> None:
    model = train(options(table, protocol="stored-split")).folder
    csv, wider, part = copies(table)
    for path in (csv, wider):
        assert evaluate(EvaluateOptions(model=model, tables=(path,))).report.n == 18
        with pytest.raises(UsageError, match="learnt from 72 of 90 rows of this table"):
            evaluate(EvaluateOptions(model=model, tables=(path,), rows="all"))
    with pytest.raises(UsageError, match="the model learnt from every row of this table"):
        evaluate(EvaluateOptions(model=model, tables=(part,), rows="test"))
    shifted = write_table(table.with_name("shifted.parquet"), {"split": ["test"] * 45 + ["train"] * 45})
    with pytest.raises(UsageError, match=r"learnt from 36 of 45 rows of the test split \(the first: c00_a_low\.mp4\)"):
        evaluate(EvaluateOptions(model=model, tables=(shifted,)))


def test_the_table_of_a_cross_test_was_not_learnt(table: Path, other: Path) -> None:
    model = train(options(table, protocol=f"cross:{other}")).folder
    report = evaluate(EvaluateOptions(model=model, tables=(other,))).report
    assert report.n == 90 and not any("flatter" in warning for warning in report.warnings)
    with pytest.raises(UsageError, match="the model learnt from every row of this table"):
        evaluate(EvaluateOptions(model=model, tables=(table,)))


def test_a_model_that_keeps_no_rows_warns(table: Path, other: Path) -> None:
    model = train(options(table)).folder
    file = model / "model.safetensors"
    found = load_model(model)
    file.write_bytes(replace(found, record=msgspec.structs.replace(found.record, learnt=None)).to_safetensors())
    with pytest.raises(UsageError, match="the model learnt from every row of this table"):
        evaluate(EvaluateOptions(model=model, tables=(table,)))
    (model / "model.manifest.json").unlink()
    assert evaluate(EvaluateOptions(model=model, tables=(other,))).report.warnings[0] == (
        "the model does not say which rows it learnt, so these may be among them; train it again to have that checked"
    )


def test_a_record_of_an_older_model_is_read() -> None:
    fields: dict[str, Any] = {
        "model_id": "m", "title": "m", "model": "ridge", "status": "proposed", "label": "mos", "label_kind": "mos", "target": None,
        "inputs": [], "imputes": False, "label_mean": 3.0, "half_width": None,
    }  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(fields), type=ModelRecord).learnt is None
