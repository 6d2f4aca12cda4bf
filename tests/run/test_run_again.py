"""The same command again, after something changed: only what must be measured is measured, and no row is lost."""

from __future__ import annotations

import os
import sqlite3

import pytest

from corekit.files import locked
from corekit.split import split_of
from tests.run.kit import Lab, sha256, video

ALL = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]
CATS = ALL[:3]


@pytest.fixture
def done(lab: Lab) -> Lab:
    """A laboratory whose corpus has been measured."""
    assert lab.run().code == 0
    assert lab.measured() == ALL
    return lab


def test_nothing_changed_measures_nothing(done: Lab) -> None:
    before = done.table()
    outcome = done.run()
    assert outcome.code == 0 and "0 measured now, 6 before, 0 failed, 0 missing" in outcome.out
    assert done.measured() == [] and done.table() == before
    counters = done.manifest().counters
    assert (counters["done_before"], counters["ok"], counters["pending_at_start"]) == (6, 0, 0)


def test_a_touched_clip_is_hashed_and_not_measured(done: Lab) -> None:
    os.utime(done.clip("cat_1.y4m"), ns=(1, 1))
    os.utime(done.clip("dog_ref.y4m"), ns=(1, 1))
    assert done.run().code == 0
    assert done.measured() == []


def test_a_replaced_clip_is_measured_anew(done: Lab) -> None:
    done.clip("cat_1.y4m").write_bytes(video(seed="cat", noise=40))
    before = done.table()["cat_1.y4m"]
    assert done.run().code == 0
    assert done.measured() == ["cat_1.y4m"]
    after = done.table()["cat_1.y4m"]
    assert after["src_sha256"] == sha256(done.clip("cat_1.y4m")) != before["src_sha256"]
    assert after["psnr_y_mean"] < before["psnr_y_mean"]


def test_a_replaced_reference_measures_its_content_anew(done: Lab) -> None:
    done.clip("cat_ref.y4m").write_bytes(video(seed="lion"))
    assert done.run().code == 0
    assert done.measured() == CATS


def test_rehash_finds_what_size_and_time_hide(done: Lab) -> None:
    clip = done.clip("cat_1.y4m")
    stat = clip.stat()
    with clip.open("r+b") as file:
        file.seek(200)
        file.write(b"\1\2\3\4")
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert done.run().code == 0 and done.measured() == []
    assert done.run("--rehash").code == 0
    assert done.measured() == ["cat_1.y4m"]
    assert done.table()["cat_1.y4m"]["src_sha256"] == sha256(clip)


def test_an_edited_label_changes_its_row_alone(done: Lab) -> None:
    before = done.table()
    done.row("cat_1.y4m")["mos"] = "2.25"
    done.write_labels()
    assert done.run().code == 0
    assert done.measured() == []
    after = done.table()
    assert after["cat_1.y4m"]["mos"] == 2.25
    assert {name for name in before if before[name]["mos"] != after[name]["mos"]} == {"cat_1.y4m"}
    assert after["dog_1.y4m"]["run_id"] != before["dog_1.y4m"]["run_id"]


def test_a_label_that_becomes_blank_takes_its_row_away(done: Lab) -> None:
    done.row("cat_1.y4m")["mos"] = ""
    done.write_labels()
    assert done.run().code == 4
    assert list(done.table()) == ALL[1:]


def test_a_renamed_clip_keeps_its_row_under_the_new_name(done: Lab) -> None:
    done.clip("cat_1.y4m").rename(done.clip("kitten.y4m"))
    done.row("cat_1.y4m")["path"] = "clips/kitten.y4m"
    done.write_labels()
    before = done.table()["cat_1.y4m"]
    assert done.run().code == 0
    after = done.table()
    assert list(after) == ["kitten.y4m", *ALL[1:]]
    assert after["kitten.y4m"]["psnr_y_mean"] == before["psnr_y_mean"]
    assert set(done.measured()) <= {"kitten.y4m"}


def test_a_moved_corpus_costs_nothing(done: Lab) -> None:
    moved = done.folder / "moved"
    done.root.rename(moved)
    assert done.run("--root", str(moved)).code == 0
    assert done.measured() == []


def test_added_clips_alone_are_measured_and_stand_in_their_place(done: Lab) -> None:
    done.rows.insert(2, {"path": "clips/cat_9.y4m", "content": "cat", "rung": "9", "ref": "0", "mos": "3"})
    done.clip("cat_9.y4m").write_bytes(video(seed="cat", noise=5))
    done.add("emu_ref.y4m", "emu", ref="1", frames=video(seed="emu"))
    done.add("emu_1.y4m", "emu", frames=video(seed="emu", noise=3))
    done.write_labels()
    assert done.run().code == 0
    assert done.measured() == ["cat_9.y4m", "emu_1.y4m"]
    assert list(done.table()) == ["cat_1.y4m", "cat_9.y4m", *ALL[1:], "emu_1.y4m"]


def test_a_removed_row_leaves_the_table_and_costs_nothing_when_it_comes_back(done: Lab) -> None:
    row = done.row("cat_1.y4m")
    done.rows.remove(row)
    done.write_labels()
    assert done.run().code == 0 and list(done.table()) == ALL[1:]
    done.rows.insert(1, row)
    done.write_labels()
    assert done.run().code == 0 and list(done.table()) == ALL
    assert done.measured() == []


@pytest.mark.parametrize(
    "option",
    [
        ["--frame-mismatch", "shortest"],
        ["--split-seed", "other"],
        ["--jsonl"],
        ["--workers", "2"],
        ["--identity", "compute"],
        ["--allow-missing"],
        ["--snapshot", "5"],
        ["--shard", "1/1"],
    ],
)
def test_an_option_that_changes_no_value_measures_nothing(done: Lab, option: list[str]) -> None:
    assert done.run(*option).code == 0
    assert done.measured() == [] and list(done.table()) == ALL


def test_another_split_seed_moves_contents(done: Lab) -> None:
    assert done.run("--split-seed", "s3").code == 0
    assert {row["content"]: row["split"] for row in done.table().values()} == {
        "cat": split_of("cat", "s3"),
        "dog": split_of("dog", "s3"),
    }


def test_other_features_measure_everything_and_coming_back_nothing(done: Lab) -> None:
    before = done.table()
    assert done.run("--features", "psnr_y").code == 0
    assert done.measured() == ALL
    assert all(row["motion2_mean"] is None for row in done.table().values())
    assert done.run().code == 0
    assert done.measured() == []
    assert [row["motion2_mean"] for row in done.table().values()] == [row["motion2_mean"] for row in before.values()]


def test_no_features_read_headers_alone(done: Lab) -> None:
    arguments = ["run", "--corpus", "toy", "--root", str(done.root), "--out", str(done.out), "--features", "none"]
    done.journal.unlink()
    assert done.corekit(*arguments, "--log", "none").code == 0
    assert done.measured() == []
    row = done.table()["cat_1.y4m"]
    assert (row["width"], row["n_frames"], row["feature_backend"], row["score_time_ms"]) == (64, None, "none", None)


def test_references_join_as_rows_and_leave_again(done: Lab) -> None:
    assert done.run("--include-references").code == 0
    assert done.measured() == ["cat_ref.y4m", "dog_ref.y4m"]
    rows = done.table()
    assert list(rows) == ["cat_ref.y4m", *CATS, "dog_ref.y4m", *ALL[3:]]
    reference = rows["cat_ref.y4m"]
    assert (reference["ref_clip_name"], reference["ref_sha256"], reference["psnr_y_mean"]) == (None, None, None)
    assert reference["motion2_mean"] == rows["cat_1.y4m"]["motion2_mean"]
    assert done.run().code == 0 and list(done.table()) == ALL


def test_identity_compute_measures_what_is_compared_with_itself(done: Lab) -> None:
    assert done.run("--include-references").code == 0
    assert done.run("--include-references", "--identity", "compute").code == 0
    assert done.measured() == ["cat_ref.y4m", "dog_ref.y4m"]
    assert done.table()["cat_ref.y4m"]["psnr_y_mean"] == 60.0


def test_frames_are_measured_once_and_kept(done: Lab) -> None:
    assert done.run("--frames").code == 0
    assert done.measured() == ALL
    assert done.run("--frames").code == 0
    assert done.measured() == []


def test_frames_of_an_interrupted_run_are_no_obstacle(done: Lab) -> None:
    """A part that was written, of a task whose row was recorded before, without frames."""
    ledger = done.out.with_suffix(".ledger.sqlite")
    plain = ledger.read_bytes()
    assert done.run("--frames").code == 0
    ledger.write_bytes(plain)
    assert done.run("--frames").code == 0
    assert done.measured() == ALL


def test_a_lost_part_is_measured_anew_and_a_changed_one_is_refused(done: Lab) -> None:
    done.run("--frames")
    parts = sorted((done.out.parent / "toy.frames").glob("??/*.arrow"))
    parts[0].unlink()
    assert done.run("--frames").code == 0
    assert len(done.measured()) == 1
    parts[0].write_bytes(b"junk")
    outcome = done.run("--frames")
    assert outcome.code == 5
    assert outcome.sentence.startswith(f"{parts[0]} was changed (")
    assert outcome.sentence.endswith("); delete it and run the same command again")
    parts[0].unlink()
    assert done.run("--frames").code == 0


def test_failures_are_kept_until_a_retry_is_asked_for(lab: Lab) -> None:
    lab.make_trouble(cat_1="error", dog_2="error")
    assert lab.run().code == 4
    failure = lab.failures()["cat_1.y4m"]
    assert failure["message"] == "the toy dislikes it; wind it up"
    lab.trouble.unlink()
    assert lab.run().code == 4
    assert lab.measured() == [] and list(lab.failures()) == ["cat_1.y4m", "dog_2.y4m"]
    assert len(lab.table()) == 4
    assert lab.run("--retry-failed").code == 0
    assert lab.measured() == ["cat_1.y4m", "dog_2.y4m"]
    assert list(lab.table()) == ALL and lab.failures() == {}
    assert lab.run().code == 0


def test_a_retry_that_fails_again_is_counted(lab: Lab) -> None:
    lab.make_trouble(cat_1="error")
    for attempts in (1, 2, 3):
        assert lab.run("--retry-failed").code == 4
        assert lab.failures()["cat_1.y4m"]["attempts"] == attempts
    assert lab.manifest().failures[0].attempts == 3


def test_a_repaired_file_needs_no_retry_option(lab: Lab) -> None:
    good = lab.clip("cat_1.y4m").read_bytes()
    lab.clip("cat_1.y4m").write_bytes(b"")
    assert lab.run().code == 4
    lab.clip("cat_1.y4m").write_bytes(good)
    assert lab.run().code == 0
    assert lab.measured() == ["cat_1.y4m"]


def test_a_clip_that_comes_back_joins(lab: Lab) -> None:
    good = lab.clip("cat_1.y4m").read_bytes()
    lab.clip("cat_1.y4m").unlink()
    assert lab.run().code == 4
    lab.clip("cat_1.y4m").write_bytes(good)
    assert lab.run().code == 0
    assert lab.measured() == ["cat_1.y4m"] and list(lab.table()) == ALL


def test_max_failures_stops_and_keeps_what_is_done(lab: Lab) -> None:
    lab.make_trouble(dog_1="error", dog_2="error")
    outcome = lab.run("--max-failures", "1")
    assert outcome.code == 4
    failures = lab.out.with_suffix(".failures.jsonl")
    assert outcome.sentence == (
        "stopped after 2 failed clips (--max-failures 1); the table holds the 3 clips measured so far, the failures are in "
        f"{failures}; repair them, or raise --max-failures, and run the same command again"
    )
    assert list(lab.table()) == CATS
    assert lab.run("--max-failures", "2").code == 4
    assert lab.measured() == ["dog_3.y4m"]


def test_max_failures_without_any_row_says_so(lab: Lab) -> None:
    lab.make_trouble(cat_1="error")
    outcome = lab.run("--max-failures", "0", "--features", "psnr_y")
    assert outcome.code == 4
    assert outcome.sentence == (
        "no table was written: stopped after 1 failed clips (--max-failures 0), cat_1.y4m because the toy dislikes it; "
        f"wind it up (all of them in {lab.out.with_suffix('.failures.jsonl')})"
    )
    assert not lab.out.exists() and list(lab.failures()) == ["cat_1.y4m"]


def test_a_limit_takes_whole_contents_by_hash(lab: Lab) -> None:
    for name in ("emu", "fox", "gnu"):
        lab.add(f"{name}_ref.y4m", name, ref="1", frames=video(seed=name))
        lab.add(f"{name}_1.y4m", name, frames=video(seed=name, noise=3))
    lab.write_labels()
    from corekit.split import unit_hash

    order = sorted(("cat", "dog", "emu", "fox", "gnu"), key=unit_hash)
    sizes = {"cat": 3, "dog": 3, "emu": 1, "fox": 1, "gnu": 1}
    for limit in (1, 3, 5, 100):
        assert lab.run("--limit", str(limit)).code == 0
        chosen: list[str] = []
        while sum(sizes[name] for name in chosen) < limit and len(chosen) < 5:
            chosen.append(order[len(chosen)])
        rows = lab.table()
        assert {row["content"] for row in rows.values()} == set(chosen)
        assert len(rows) == sum(sizes[name] for name in chosen)


def test_a_limit_goes_on_from_what_is_done(lab: Lab) -> None:
    lab.run("--limit", "1")
    first = lab.measured()
    assert len(first) == 3
    lab.run("--limit", "4")
    assert len(lab.measured()) == 3 and len(lab.table()) == 6


def test_shards_are_disjoint_and_make_the_whole(lab: Lab) -> None:
    for index in range(6):
        lab.add(f"s{index}.y4m", f"s{index}", frames=video(seed=index))
    lab.write_labels()
    arguments = ["--pairing", "nr", "--features", "motion2"]
    assert lab.run(*arguments).code == 0
    whole = lab.table()
    parts = []
    for index in (1, 2):
        out = lab.out.with_name(f"part{index}.parquet")
        assert lab.run(*arguments, "--shard", f"{index}/2", out=out).code == 0
        parts.append(lab.table(out))
    assert not parts[0].keys() & parts[1].keys()
    assert parts[0].keys() | parts[1].keys() == whole.keys()
    assert parts[0] and parts[1]
    assert {row["run_id"] for rows in (*parts, whole) for row in rows.values()} == {whole["cat_1.y4m"]["run_id"]}
    contents = [{row["content"] for row in rows.values()} for rows in parts]
    assert not contents[0] & contents[1]


def test_a_shard_without_contents_is_nothing_to_do(lab: Lab) -> None:
    outcomes = [lab.run("--shard", f"{index}/9") for index in range(1, 10)]
    empty = [outcome for outcome in outcomes if outcome.code == 3]
    assert len(empty) >= 7 and all(outcome.code in (0, 3) for outcome in outcomes)
    assert all("; choose another --shard" in outcome.sentence for outcome in empty)


def test_state_dir_takes_ledger_and_parts(lab: Lab) -> None:
    state = lab.folder / "state"
    assert lab.run("--state-dir", str(state), "--frames").code == 0
    assert sorted(path.name for path in lab.out.parent.iterdir()) == [
        "toy.frames.parquet",
        "toy.manifest.json",
        "toy.parquet",
    ]
    assert sorted(path.name for path in state.iterdir()) == ["toy.frames", "toy.ledger.sqlite"]
    assert lab.run("--state-dir", str(state), "--frames").code == 0
    assert lab.measured() == []


def test_manifest_out_moves_the_manifest(lab: Lab) -> None:
    place = lab.folder / "elsewhere" / "m.json"
    assert lab.run("--manifest-out", str(place)).code == 0
    assert place.exists() and not lab.out.with_suffix(".manifest.json").exists()


def test_a_dry_run_writes_nothing(done: Lab) -> None:
    done.clip("dog_1.y4m").unlink()
    os.utime(done.clip("cat_1.y4m"), ns=(1, 1))
    done.row("dog_2.y4m")["mos"] = ""
    done.write_labels()
    before = {path: sha256(path) for path in done.folder.rglob("*") if path.is_file()}
    outcome = done.run("--dry-run")
    assert outcome.code == 0
    assert "8 named, 1 missing, 2 contents" in outcome.out
    assert "4 to be: 4 measured already, 0 to measure" in outcome.out
    assert "problems  1 clips (label)" in outcome.out
    del before[done.journal]
    assert {path: sha256(path) for path in done.folder.rglob("*") if path.is_file()} == before


def test_a_dry_run_answers_without_any_clip(lab: Lab) -> None:
    for path in (lab.root / "clips").iterdir():
        path.unlink()
    outcome = lab.run("--dry-run", "--json")
    assert outcome.code == 0
    assert '"missing": 8' in outcome.out and '"rows": 0' in outcome.out
    assert not lab.out.parent.exists()


def test_a_ledger_of_something_else_is_refused(done: Lab) -> None:
    done.out.with_suffix(".ledger.sqlite").write_bytes(b"not a database, but long enough to look like one" * 100)
    outcome = done.run()
    assert outcome.code == 5
    assert outcome.sentence.startswith(f"{done.out.with_suffix('.ledger.sqlite')} ")


def test_a_ledger_that_lost_a_row_is_completed(done: Lab) -> None:
    with sqlite3.connect(done.out.with_suffix(".ledger.sqlite")) as database:
        database.execute("DELETE FROM done WHERE clip = 'dog_2.y4m'")
    database.close()
    assert done.run().code == 0
    assert done.measured() == ["dog_2.y4m"] and list(done.table()) == ALL


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--workers", "0"], "--workers 0: give at least 1"),
        (["--limit", "0"], "--limit 0: give at least 1"),
        (["--shard", "3/2"], "--shard 3/2: give i/n with 1 <= i <= n, such as 2/4"),
        (["--timeout", "nan"], "--timeout nan: give a positive number of seconds"),
        (["--max-failures", "-1"], "--max-failures -1: give 0 or more"),
        (["--snapshot", "0"], "--snapshot 0: give at least 1 minute"),
        (["--features", ","], "--features ',' names nothing; give none for labels and headers alone"),
        (["--pairing", "synthetic"], "--pairing synthetic: Toy corpus offers fr, nr"),
        (
            ["--set", "colour=red"],
            "--set colour: no plugin of this run has such an option "
            "(known: corpus toy: none; backend toy: journal, trouble, devices)",
        ),
    ],
)
def test_options_that_cannot_work_are_refused(lab: Lab, arguments: list[str], sentence: str) -> None:
    outcome = lab.run(*arguments)
    assert (outcome.code, outcome.sentence) == (2, sentence)
    assert not lab.out.exists()


def test_an_output_that_is_a_folder_is_refused_at_once(lab: Lab) -> None:
    lab.out.mkdir(parents=True)
    outcome = lab.run()
    assert (outcome.code, outcome.sentence) == (2, f"--out {lab.out}: this is a folder; give the name of a file")
    assert lab.measured() == []


def test_a_manifest_on_top_of_another_artefact_is_refused(lab: Lab) -> None:
    outcome = lab.run("--manifest-out", str(lab.out))
    assert outcome.code == 2
    assert outcome.sentence == f"--manifest-out {lab.out}: another file of this run goes there; choose another"


def test_options_come_from_a_file_too(lab: Lab) -> None:
    config = lab.folder / "run.toml"
    config.write_text(
        f'corpus = "toy"\nroot = "{lab.root}"\nout = "{lab.out}"\nbackend = "toy"\nfeatures = "psnr_y"\n'
        f'include-references = true\nworkers = 2\n[set]\njournal = "{lab.journal}"\n'
    )
    assert lab.corekit("run", "--config", str(config), "--log", "none").code == 0
    assert len(lab.table()) == 8
    assert lab.corekit("run", "--config", str(config), "--log", "none", "--features", "psnr_y,motion2").code == 0
    assert lab.manifest().features == ["motion2", "psnr_y"]
    config.write_text("colour = 1\n")
    outcome = lab.corekit("run", "--config", str(config))
    assert outcome.code == 2 and outcome.sentence.startswith(f"--config {config}: unknown option 'colour'; known: ")


def test_a_run_takes_the_place_of_nothing_that_another_made(lab: Lab) -> None:
    assert lab.run("--jsonl").code == 0
    other = lab.out.with_name("other.parquet")
    own, labels, view = lab.out.with_suffix(".manifest.json"), lab.root / "labels.csv", lab.out.with_suffix(".jsonl")
    before = {path: path.read_bytes() for path in (lab.out, own, labels, view)}
    for where, reason in ((own, "tells how toy.parquet was made"), (labels, "is no manifest that can be read")):
        refused = lab.run("--manifest-out", str(where), out=other)
        assert refused.code == 2
        assert refused.sentence == f"--manifest-out {where}: {where} {reason}, and would be lost; choose another name"
    view.rename(view.with_suffix(".parquet"))
    own.write_bytes(own.read_bytes().replace(b"toy.jsonl", b"other.parquet"))
    other.write_bytes(before[view])
    refused = lab.run(out=other)
    assert refused.code == 2
    assert refused.sentence == (
        f"--out {other}: {own} tells how {other} was made, which would be lost; choose another name"
    )
    assert other.read_bytes() == before[view] and labels.read_bytes() == before[labels]


def test_a_run_moves_its_manifest(done: Lab) -> None:
    elsewhere = done.out.with_name("m.json")
    for _ in range(2):
        assert done.run("--manifest-out", str(elsewhere)).code == 0
    assert done.run().code == 0


def test_a_table_that_is_not_this_runs_stays(lab: Lab) -> None:
    lab.out.parent.mkdir()
    lab.out.write_bytes(b"mine")
    refused = lab.run()
    assert refused.code == 2 and lab.out.read_bytes() == b"mine"
    assert refused.sentence == (
        f"--out {lab.out}: {lab.out} is there already, and no manifest beside it says that corekit made it; move it away, "
        "or choose another name"
    )
    lab.out.unlink()
    assert lab.run().code == 0
    manifest = lab.out.with_suffix(".manifest.json")
    content = manifest.read_bytes()
    manifest.write_bytes(content.replace(b'"corpus": {\n    "name": "toy"', b'"corpus": {\n    "name": "zoo"'))
    refused = lab.run()
    assert refused.code == 2
    assert refused.sentence == f"--out {lab.out}: this is the table of zoo, and would be lost; choose another name"
    manifest.write_bytes(content)
    assert lab.run().code == 0
    metadata = lab.folder / "m.jsonl"
    metadata.write_text('{"src": "cat_1.y4m", "weather": "rain"}\n')
    enriched = lab.corekit(
        "enrich", str(lab.out), "--metadata", str(metadata), "--keys", "weather", "--min-coverage", "0"
    )
    assert enriched.code == 0
    before = lab.out.read_bytes()
    refused = lab.run()
    assert refused.code == 2 and lab.out.read_bytes() == before
    assert refused.sentence == (
        f"--out {lab.out}: what `corekit enrich` made of this table would be lost; choose another name"
    )


def test_a_run_without_a_table_leaves_an_earlier_one_whole(lab: Lab) -> None:
    lab.make_trouble(dog_1="error")
    assert lab.run().code == 4
    assert lab.corekit("verify", str(lab.out), "--root", f"corpus={lab.root}").code == 0
    lab.make_trouble(dog_1="error", cat_1="error")
    lab.clip("cat_1.y4m").write_bytes(video(seed="cat", noise=40))
    refused = lab.run("--only", "cat_1.y4m")
    listed = lab.out.with_suffix(".last-failures.jsonl")
    assert refused.code == 4 and refused.sentence.endswith(f"(all of them in {listed})")
    assert "cat_1.y4m" in listed.read_text() and list(lab.failures()) == ["dog_1.y4m"]
    assert lab.corekit("verify", str(lab.out), "--root", f"corpus={lab.root}").code == 0
    lab.trouble.unlink()
    assert lab.run("--retry-failed").code == 0
    assert not listed.exists() and lab.failures() == {}


def test_two_runs_on_one_ledger(lab: Lab) -> None:
    with locked(lab.out.with_suffix(".ledger.sqlite")):
        refused = lab.run()
    assert refused.code == 2
    assert f"{lab.out.with_suffix('.ledger.sqlite')} is being written by process" in refused.sentence
