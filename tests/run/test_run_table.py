"""What a good run writes: every row, its values, splits and counters, and nothing beside it that nobody asked for."""

from __future__ import annotations

import pytest

from corekit.schema import CORE_COLUMNS
from corekit.split import split_of
from tests.run.kit import Lab, video

RUNGS = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]


def test_every_distorted_clip_is_a_row_with_its_values(lab: Lab) -> None:
    outcome = lab.run()
    assert (outcome.err, outcome.code) == ("", 0)
    rows = lab.table()
    assert list(rows) == RUNGS
    assert [*rows["cat_1.y4m"]] == [*(column.name for column in CORE_COLUMNS), "toy_tag"]
    first = rows["cat_1.y4m"]
    assert (first["ref_clip_name"], first["content"], first["pairing"]) == ("cat_ref.y4m", "cat", "fr")
    assert (first["mos"], first["mos_native"], first["label_kind"]) == (1.5, 1.5, "mos")
    assert (first["frames_ref"], first["frames_dis"], first["n_frames"]) == (3, 3, 3)
    assert first["feature_backend"] == "toy"
    psnr = [rows[f"cat_{step}.y4m"]["psnr_y_mean"] for step in (1, 2, 3)]
    assert psnr == sorted(psnr, reverse=True) and psnr[2] > 20
    assert {row["split"] for name, row in rows.items() if name.startswith("cat")} == {split_of("cat", "toy")}


def test_nothing_lies_beside_the_table_but_manifest_and_ledger(lab: Lab) -> None:
    lab.run()
    beside = sorted(path.name for path in lab.out.parent.iterdir())
    assert beside == ["toy.ledger.sqlite", "toy.manifest.json", "toy.parquet"]


def test_number_of_workers_changes_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    lab.run()
    other = lab.out.with_name("three.parquet")
    assert lab.run("--workers", "3", out=other).code == 0
    assert other.read_bytes() == lab.out.read_bytes()


def test_the_corpus_is_left_as_it_was(lab: Lab) -> None:
    before = {path: path.stat().st_mtime_ns for path in (lab.root, *lab.root.rglob("*"))}
    assert lab.run("--frames", "--jsonl").code == 0
    assert {path: path.stat().st_mtime_ns for path in (lab.root, *lab.root.rglob("*"))} == before


def test_odd_names_are_names(lab: Lab) -> None:
    odd = [
        "a b.y4m",
        "%05d.y4m",
        "100%.y4m",
        "file:x.y4m",
        "[x]*?.y4m",
        "o'\"quote.y4m",
        "-y.y4m",
        "käse.y4m",
        "#1.y4m",
        "l\nf.y4m",
    ]
    for name in odd:
        lab.add(name, "dog", frames=video(seed="dog", noise=3))
    lab.write_labels()
    assert lab.run("--frames", "--jsonl").code == 0
    rows = lab.table()
    assert set(odd) <= rows.keys()
    assert {rows[name]["psnr_y_mean"] for name in odd} == {rows[odd[0]]["psnr_y_mean"]}


def test_a_content_that_is_named_oddly_has_a_split(lab: Lab) -> None:
    for row in lab.rows:
        row["content"] = "猫/../\x00" if row["content"] == "cat" else " "
    lab.write_labels()
    assert lab.run("--limit", "3").code == 0
    assert len(lab.table()) in (3, 6)
