"""The manifest of a run: every digest is that of the file, every null has its reason, every counter adds up."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import jsonschema
import msgspec
import pytest

import corekit
from corekit.manifest import Artefact, PathRecord, manifest_json_schema, resolve
from corekit.schema import FEATURES, STATISTICS
from corekit.table import read_table
from tests.run.kit import EPOCH, Lab, sha256, table


@pytest.fixture
def messy(lab: Lab) -> Lab:
    """A run with a row of each fate: measured, failed, missing, unlabelled."""
    lab.clip("cat_1.y4m").unlink()
    lab.row("cat_2.y4m")["mos"] = ""
    lab.write_labels()
    lab.make_trouble(dog_1="error")
    assert lab.run("--jsonl", "--frames").code == 4
    assert list(lab.table()) == ["cat_3.y4m", "dog_2.y4m", "dog_3.y4m"]
    return lab


def test_every_input_and_output_digest_is_that_of_the_file(messy: Lab) -> None:
    manifest = messy.manifest()
    inputs = manifest.run_provenance.inputs
    assert inputs["root"] == PathRecord(path="{corpus}", exists=True, kind="directory")
    labels, clips = inputs["labels"], inputs["clips"]
    assert isinstance(labels, list) and isinstance(clips, list)
    assert [record.path for record in labels] == ["{corpus}/labels.csv"]
    assert [record.path for record in clips] == [
        f"{{corpus}}/clips/{name}.y4m" for name in ("cat_ref", "cat_3", "dog_ref", "dog_2", "dog_3")
    ]
    for record in [*labels, *clips]:
        file = resolve(record.path, {"corpus": messy.root})
        assert (record.kind, record.sha256, record.size_bytes) == ("file", sha256(file), file.stat().st_size)
    assert sorted(manifest.artefacts) == ["failures", "frames", "jsonl", "table"]
    for name, artefact in manifest.artefacts.items():
        file = messy.out.with_name(artefact.file)
        assert (artefact.sha256, artefact.size_bytes) == (sha256(file), file.stat().st_size)
        output = manifest.run_provenance.outputs[name]
        assert isinstance(output, PathRecord)
        assert (output.path, output.sha256) == (f"{{output}}/{file.name}", artefact.sha256)


def test_counters_add_up(messy: Lab) -> None:
    manifest = messy.manifest()
    counters = manifest.counters
    assert counters == {
        "total_clips": 8,
        "contents": 2,
        "done_before": 0,
        "pending_at_start": 4,
        "ok": 3,
        "failed": 2,
        "missing": 1,
        "parquet_rows": 3,
    }
    references = 2
    assert counters["total_clips"] == counters["parquet_rows"] + counters["failed"] + counters["missing"] + references
    assert sum(split["rows"] for split in manifest.splits.values()) == 4
    assert {record.clip_name: record.stage for record in manifest.failures} == {
        "cat_1.y4m": "missing",
        "cat_2.y4m": "label",
        "dog_1.y4m": "compare",
    }
    lines = messy.out.with_suffix(".failures.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [msgspec.to_builtins(record) for record in manifest.failures]


def test_splits_count_the_rows_of_the_table(lab: Lab) -> None:
    lab.run()
    rows = lab.table().values()
    for split, counts in lab.manifest().splits.items():
        assert counts["rows"] == sum(row["split"] == split for row in rows)


def test_every_feature_without_values_has_its_reason(messy: Lab) -> None:
    manifest = messy.manifest()
    rows = messy.table().values()
    for feature in FEATURES:
        null = sum(all(row[f"{feature}_{statistic}"] is None for statistic in STATISTICS) for row in rows)
        assert sum(record.rows for record in manifest.nulls.get(feature, [])) == null, feature


def test_it_is_strict_json_that_its_published_schema_accepts(messy: Lab) -> None:
    text = messy.out.with_suffix(".manifest.json").read_bytes()
    schema = json.loads(manifest_json_schema())
    jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(text))
    assert schema == json.loads((Path(corekit.__file__).parents[1] / "docs" / "manifest-2.schema.json").read_text())


def test_it_says_what_ran(messy: Lab) -> None:
    manifest = messy.manifest()
    assert manifest.code.corekit == corekit.__version__
    assert manifest.code.python == platform.python_version()
    assert {"numpy", "pyarrow", "av", "msgspec"} <= manifest.code.packages.keys()
    assert [(p.kind, p.name, p.distribution, p.version) for p in manifest.code.plugins] == [
        ("corpus", "toy", "corekit-toy", "1.0"),
        ("backend", "toy", "corekit-toy", "1.0"),
    ]
    assert manifest.backend.name == "toy" and manifest.backend.identity == {"class": "toy", "toy": "1"}
    assert manifest.backend.versions[0]["toy"] == "1"
    assert any(name.startswith("libav") for name in manifest.backend.versions[0])
    assert manifest.corpus.treat_as == "CC0" and manifest.corpus.notes == ["Toys are not data."]
    assert manifest.features == ["motion2", "psnr_y"]
    assert manifest.options["frame_mismatch"] == "error"
    assert manifest.timings.wall_s > 0 and (manifest.timings.measuring_s or 0) > 0
    assert manifest.run_provenance.args["corpus"] == "toy"
    assert list(manifest.run_provenance.args) == sorted(manifest.run_provenance.args)


def test_table_and_manifest_agree(messy: Lab) -> None:
    read = read_table(messy.out)
    assert read.manifest == messy.manifest()
    metadata = read.data.schema.metadata
    assert metadata[b"corekit.schema_fingerprint"].decode() == read.manifest.table.schema_fingerprint
    assert metadata[b"corekit.run_id"].decode() == read.manifest.run_id
    assert {row["run_id"] for row in messy.table().values()} == {read.manifest.run_id}
    assert [column.name for column in read.manifest.table.columns] == read.data.column_names


def test_label_files_of_one_name_are_told_apart(lab: Lab) -> None:
    second = lab.root / "more"
    second.mkdir()
    first = lab.rows
    lab.rows = [row for row in first if row["content"] == "dog"]
    lab.write_labels("more/labels.csv")
    lab.rows = [row for row in first if row["content"] == "cat"]
    lab.write_labels()
    assert lab.run().code == 0
    labels = lab.manifest().run_provenance.inputs["labels"]
    assert isinstance(labels, list)
    assert {record.path: record.sha256 for record in labels} == {
        f"{{corpus}}/{name}": sha256(lab.root / name) for name in ("labels.csv", "more/labels.csv")
    }


def test_an_epoch_fixes_rows_and_not_the_real_times(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    lab.run()
    rows = lab.table().values()
    assert {row["timestamp"] for row in rows} == {"2023-11-14T22:13:20+00:00"}
    assert {row["score_time_ms"] for row in rows} == {None}
    manifest = lab.manifest()
    assert manifest.created == "2023-11-14T22:13:20+00:00"
    assert manifest.timings.started > "2024" and manifest.environment.source_date_epoch == EPOCH
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    outcome = lab.run()
    expected = "SOURCE_DATE_EPOCH='tomorrow' is not a number of seconds; unset it or give one"
    assert (outcome.code, outcome.sentence) == (2, expected)


def test_artefacts_have_the_shape_that_readers_know(messy: Lab) -> None:
    document = json.loads(messy.out.with_suffix(".manifest.json").read_text())
    provenance = document["run_provenance"]
    assert list(provenance) == ["schema", "entrypoint", "argv", "args", "inputs", "outputs"]
    assert provenance["schema"] == "ai-run-provenance-v1"
    assert {"path", "exists", "kind", "sha256"} <= provenance["entrypoint"].keys()
    assert provenance["entrypoint"]["sha256"]
    assert all(isinstance(artefact, Artefact) for artefact in messy.manifest().artefacts.values())
    assert table(messy.out)
