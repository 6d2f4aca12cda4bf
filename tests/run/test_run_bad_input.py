"""Corpora as they really lie about: every defect is recorded or refused, in one sentence, and never costs another row."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.run.kit import Lab, video

OTHERS = ["cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]
DOGS = ["dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]


def test_an_empty_clip_fails_alone(lab: Lab) -> None:
    lab.clip("cat_1.y4m").write_bytes(b"")
    outcome = lab.run()
    assert outcome.code == 4
    assert list(lab.table()) == OTHERS
    failure = lab.failures()["cat_1.y4m"]
    assert failure["stage"] == "open"
    assert failure["message"] == f"{lab.clip('cat_1.y4m')}: the file is empty; fetch it again"
    assert (failure["origin"], failure["attempts"]) == ("labels.csv:3", 1)
    assert "the first: cat_1.y4m: " in outcome.out and "the same command with --retry-failed" in outcome.out


@pytest.mark.parametrize("content", [b"not a video at all" * 100, b"YUV4MPEG2 W64 H64 F25:1\n", b"\0" * 5000])
def test_a_corrupt_or_frameless_clip_fails_alone(lab: Lab, content: bytes) -> None:
    lab.clip("cat_1.y4m").write_bytes(content)
    assert lab.run().code == 4
    assert list(lab.table()) == OTHERS
    failure = lab.failures()["cat_1.y4m"]
    assert failure["stage"] == "open" and failure["message"].startswith(f"{lab.clip('cat_1.y4m')}: ")


def test_a_truncated_clip_fails_alone(lab: Lab) -> None:
    clip = lab.clip("cat_1.y4m")
    clip.write_bytes(clip.read_bytes()[:-1000])
    assert lab.run().code == 4
    assert list(lab.table()) == OTHERS
    assert list(lab.failures()) == ["cat_1.y4m"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_clip_fails_alone(lab: Lab) -> None:
    lab.clip("cat_1.y4m").chmod(0)
    assert lab.run().code == 4
    assert list(lab.table()) == OTHERS
    message = "clips/cat_1.y4m cannot be read: Permission denied; check the file and its disk"
    assert lab.failures()["cat_1.y4m"]["message"] == message


def test_a_missing_clip_is_reported_and_makes_the_run_incomplete(lab: Lab) -> None:
    lab.clip("cat_1.y4m").unlink()
    outcome = lab.run()
    assert outcome.code == 4
    assert list(lab.table()) == OTHERS
    manifest = lab.manifest()
    assert manifest.missing == ["clips/cat_1.y4m"]
    assert manifest.counters["missing"] == 1 and manifest.counters["failed"] == 0
    failure = lab.failures()["cat_1.y4m"]
    assert failure["message"] == "clips/cat_1.y4m is missing; restore it, or pass --allow-missing"


def test_allow_missing_lets_a_missing_clip_pass_and_still_names_it(lab: Lab) -> None:
    lab.clip("cat_1.y4m").unlink()
    assert lab.run("--allow-missing").code == 0
    assert lab.manifest().missing == ["clips/cat_1.y4m"]
    assert list(lab.table()) == OTHERS and lab.failures() == {}


def test_a_missing_reference_takes_its_rungs_and_no_other_content(lab: Lab) -> None:
    lab.clip("cat_ref.y4m").unlink()
    assert lab.run().code == 4
    assert list(lab.table()) == DOGS
    failures = lab.failures()
    assert list(failures) == ["cat_ref.y4m", "cat_1.y4m", "cat_2.y4m", "cat_3.y4m"]
    message = "its reference clips/cat_ref.y4m is missing; restore it, or leave the content out"
    assert failures["cat_1.y4m"]["message"] == message
    assert lab.run("--allow-missing").code == 0


def test_a_corrupt_reference_fails_its_rungs_with_its_reason(lab: Lab) -> None:
    lab.clip("cat_ref.y4m").write_bytes(b"garbage")
    assert lab.run().code == 4
    assert list(lab.table()) == DOGS
    failures = lab.failures()
    assert list(failures) == ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m"]
    for failure in failures.values():
        assert failure["stage"] == "reference"
        assert failure["message"].startswith(f"its reference cat_ref.y4m failed: {lab.clip('cat_ref.y4m')}: ")


def test_a_reference_that_breaks_half_way_fails_its_rungs(lab: Lab) -> None:
    clip = lab.clip("cat_ref.y4m")
    clip.write_bytes(clip.read_bytes()[:-1000])
    assert lab.run().code == 4
    assert list(lab.table()) == DOGS
    assert {failure["stage"] for failure in lab.failures().values()} == {"reference"}


def test_a_content_without_reference_row_is_a_failure_of_its_clips(lab: Lab) -> None:
    lab.rows.remove(lab.row("cat_ref.y4m"))
    lab.write_labels()
    assert lab.run().code == 4
    assert list(lab.table()) == DOGS
    message = "labels.csv:2: no reference is named for content 'cat'; add its row, or use --pairing nr"
    assert lab.failures()["cat_1.y4m"]["message"] == message


def test_a_content_with_two_references_is_a_failure_of_its_clips(lab: Lab) -> None:
    lab.row("cat_2.y4m")["ref"] = "1"
    lab.write_labels()
    assert lab.run().code == 4
    assert list(lab.table()) == DOGS
    assert lab.failures()["cat_1.y4m"]["message"] == (
        "labels.csv:3: content 'cat' has 2 references, cat_ref.y4m (labels.csv:2) and cat_2.y4m (labels.csv:4); "
        "mark one alone as the reference"
    )


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "labels.csv:3: mos is blank; the clip has no label"),
        ("5.06", "labels.csv:3: the label of cat_1.y4m is 5.06, outside 1 to 5; correct the row"),
        ("0.9", "labels.csv:3: the label of cat_1.y4m is 0.9, outside 1 to 5; correct the row"),
        ("nan", "labels.csv:3: the label of cat_1.y4m is nan, not a finite number; correct the row"),
        ("unrated", "labels.csv:3: cat_1.y4m has no mos; fill it in, or leave the row out"),
    ],
)
def test_a_label_that_cannot_be_used_gives_no_row_and_is_counted(lab: Lab, cell: str, message: str) -> None:
    lab.row("cat_1.y4m")["mos"] = cell
    lab.write_labels()
    assert lab.run().code == 4
    assert list(lab.table()) == OTHERS
    assert "cat_1.y4m" not in lab.measured()
    failure = lab.failures()["cat_1.y4m"]
    assert (failure["stage"], failure["message"]) == ("label", message)
    assert lab.manifest().counters["failed"] == 1


def test_a_label_just_outside_its_scale_is_kept(lab: Lab) -> None:
    lab.row("cat_1.y4m")["mos"] = "5.05"
    lab.write_labels()
    assert lab.run().code == 0
    assert lab.table()["cat_1.y4m"]["mos_native"] == 5.05


def test_a_clip_without_label_kind_is_a_row_without_label(lab: Lab) -> None:
    lab.row("cat_1.y4m")["mos"] = "none"
    lab.write_labels()
    assert lab.run().code == 0
    row = lab.table()["cat_1.y4m"]
    assert (row["label_kind"], row["mos"], row["mos_native"]) == ("none", None, None)


def test_a_clip_named_twice_is_refused_with_both_places(lab: Lab) -> None:
    lab.rows.append({**lab.row("cat_1.y4m"), "mos": "4"})
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 3
    assert outcome.sentence == (
        "labels.csv:10: clip cat_1.y4m was named before, at labels.csv:3; a clip has one label: remove one of the two lines"
    )
    assert not lab.out.exists()


@pytest.mark.parametrize("path", ["../secret.y4m", "/etc/passwd", "clips/../../secret.y4m", "clips\\x.y4m", "..", ""])
def test_a_name_that_leaves_the_root_is_refused(lab: Lab, path: str) -> None:
    (lab.folder / "secret.y4m").write_bytes(video())
    lab.row("cat_1.y4m")["path"] = path
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 3
    assert outcome.sentence.startswith(f"labels.csv:3: {path!r} is not a path of a clip below the corpus root; ")


def test_a_name_that_is_not_text_is_refused(lab: Lab) -> None:
    (lab.root / "labels.csv").write_bytes(b"path,content,rung,ref,mos,tag,split\nclips/caf\xe9.y4m,cat,1,0,3,,\n")
    outcome = lab.run()
    assert outcome.code == 3
    assert outcome.sentence == (
        "labels.csv:2: 'clips/caf\\udce9.y4m' is not a path of a clip below the corpus root; "
        "correct the name in the label file"
    )


def test_a_content_in_two_splits_is_refused(lab: Lab) -> None:
    for step, split in enumerate(("train", "train", "test"), start=1):
        lab.row(f"cat_{step}.y4m")["split"] = split
    lab.row("cat_ref.y4m")["split"] = "train"
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 3
    assert outcome.sentence == (
        "labels.csv:5: content 'cat' is put into test here and into train at labels.csv:2; "
        "a content belongs to one split: correct one of the two lines"
    )


def test_symlinked_clips_and_roots_are_fine(lab: Lab) -> None:
    away = lab.folder / "away"
    away.mkdir()
    for clip in (lab.root / "clips").iterdir():
        target = away / clip.name
        clip.rename(target)
        clip.symlink_to(target)
    link = lab.folder / "link"
    link.symlink_to(lab.root)
    assert lab.run("--root", str(link)).code == 0
    assert len(lab.table()) == 6


def test_a_dangling_link_and_a_folder_are_missing_clips(lab: Lab) -> None:
    lab.clip("cat_1.y4m").unlink()
    lab.clip("cat_1.y4m").symlink_to(lab.folder / "nowhere")
    lab.clip("cat_2.y4m").unlink()
    lab.clip("cat_2.y4m").mkdir()
    assert lab.run().code == 4
    assert lab.manifest().missing == ["clips/cat_1.y4m", "clips/cat_2.y4m"]


def test_a_clip_that_is_missing_and_unlabelled_is_one_failure(lab: Lab) -> None:
    lab.clip("cat_1.y4m").unlink()
    lab.row("cat_1.y4m")["mos"] = ""
    lab.write_labels()
    assert lab.run().code == 4
    counters = lab.manifest().counters
    references = 2
    assert counters["total_clips"] == counters["parquet_rows"] + counters["failed"] + counters["missing"] + references
    lines = lab.out.with_suffix(".failures.jsonl").read_text().splitlines()
    assert len(lines) == 1


def test_frame_counts_that_differ_fail_alone_and_pass_on_request(lab: Lab) -> None:
    lab.clip("cat_1.y4m").write_bytes(video(seed="cat", noise=8, frames=2))
    assert lab.run().code == 4
    assert list(lab.table()) == OTHERS
    failure = lab.failures()["cat_1.y4m"]
    assert (failure["stage"], failure["message"]) == (
        "compare",
        "the clip has 2 frames, its reference cat_ref.y4m has 3; "
        "compare the common beginning with --frame-mismatch shortest",
    )
    assert lab.run("--frame-mismatch", "shortest").code == 0
    assert lab.measured() == ["cat_1.y4m"]
    row = lab.table()["cat_1.y4m"]
    assert (row["n_frames"], row["frames_dis"], row["frames_ref"]) == (2, 2, 3)
    assert lab.run("--frame-mismatch", "error").code == 4
    assert list(lab.table()) == OTHERS and "cat_1.y4m" in lab.failures()
    assert lab.run("--frame-mismatch", "shortest").code == 0
    assert lab.measured() == [] and len(lab.table()) == 6


def test_a_longer_clip_counts_all_its_frames(lab: Lab) -> None:
    lab.clip("cat_1.y4m").write_bytes(video(seed="cat", noise=8, frames=5))
    lab.run()
    assert lab.failures()["cat_1.y4m"]["message"].startswith("the clip has 5 frames, its reference cat_ref.y4m has 3; ")


def test_clips_of_one_frame_and_of_one_content_are_rows(lab: Lab) -> None:
    for name in ("cat_ref.y4m", "cat_1.y4m", "cat_2.y4m", "cat_3.y4m"):
        lab.clip(name).write_bytes(video(seed="cat", frames=1))
    assert lab.run("--workers", "2", "--frames").code == 0
    rows = lab.table()
    assert len(rows) == 6
    assert rows["cat_1.y4m"]["src_sha256"] == rows["cat_2.y4m"]["src_sha256"]
    assert (rows["cat_1.y4m"]["n_frames"], rows["cat_1.y4m"]["psnr_y_std"]) == (1, 0.0)


def test_equal_clips_under_nr_in_two_workers_are_rows(lab: Lab) -> None:
    for index in range(8):
        lab.add(f"twin_{index}.y4m", f"twin_{index}", frames=video(seed="twin"))
    lab.write_labels()
    assert lab.run("--pairing", "nr", "--features", "motion2", "--workers", "2").code == 0
    assert len(lab.table()) == 14
    os.utime(lab.clip("twin_0.y4m"))
    assert lab.run("--pairing", "nr", "--features", "motion2").code == 0
    assert set(lab.measured()) <= {"twin_0.y4m"} and len(lab.table()) == 14


def test_when_all_fail_there_is_no_table(lab: Lab) -> None:
    for path in (lab.root / "clips").iterdir():
        path.write_bytes(b"")
    outcome = lab.run()
    assert outcome.code == 4
    assert outcome.sentence.startswith("no table was written: all 6 clips failed, cat_1.y4m because its reference ")
    assert outcome.sentence.endswith(f"(all of them in {lab.out.with_suffix('.failures.jsonl')})")
    assert not lab.out.exists() and len(lab.failures()) == 6


def test_when_none_is_there_it_is_the_wrong_root(lab: Lab) -> None:
    for path in (lab.root / "clips").iterdir():
        path.unlink()
    outcome = lab.run()
    assert outcome.code == 3
    assert outcome.sentence == (
        f"none of the 8 clips that the labels of Toy corpus at {lab.root} name is there "
        "(the first: clips/cat_ref.y4m); check --root"
    )
    assert not lab.out.exists()


def test_labels_without_rows_are_nothing_to_do(lab: Lab) -> None:
    lab.rows.clear()
    lab.write_labels()
    outcome = lab.run()
    assert (outcome.code, outcome.sentence) == (
        3,
        f"the label files of Toy corpus at {lab.root} name no clip; check --root",
    )


def test_labels_that_are_all_blank_are_nothing_to_do(lab: Lab) -> None:
    for row in lab.rows:
        row["mos"] = ""
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 3
    assert "0 are missing and 6 have a problem, the first: labels.csv:3: mos is blank" in outcome.sentence


def test_a_root_that_is_no_folder_is_refused(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.run("--root", str(tmp_path / "nowhere"))
    assert outcome.code == 3
    expected = f"the corpus root {tmp_path / 'nowhere'} is not a folder; give --root the folder that holds Toy corpus"
    assert outcome.sentence == expected


def test_a_clip_that_changes_while_it_is_read_is_not_recorded(lab: Lab) -> None:
    lab.run()
    lab.make_trouble(cat_1=f"touch {lab.clip('cat_1.y4m')}")
    outcome = lab.run("--features", "psnr_y")
    assert outcome.code == 4
    assert list(lab.table()) == OTHERS
    message = "clips/cat_1.y4m was changed while it was read; run the same command again"
    assert lab.failures()["cat_1.y4m"]["message"] == message
    lab.trouble.unlink()
    assert lab.run("--features", "psnr_y").code == 0
    assert lab.measured() == ["cat_1.y4m"] and len(lab.table()) == 6


def test_what_is_no_file_is_not_called_missing(lab: Lab) -> None:
    lab.clip("cat_1.y4m").unlink()
    lab.clip("cat_1.y4m").mkdir()
    lab.clip("dog_ref.y4m").unlink()
    lab.clip("dog_ref.y4m").symlink_to("nowhere")
    assert lab.run().code == 4
    said = {name: failure["message"] for name, failure in lab.failures().items()}
    no_file = "is no file (a folder, a pipe or a broken link)"
    assert said["cat_1.y4m"] == f"clips/cat_1.y4m {no_file}; restore it, or pass --allow-missing"
    assert said["dog_1.y4m"] == f"its reference clips/dog_ref.y4m {no_file}; restore it, or leave the content out"


def test_references_alone(lab: Lab) -> None:
    outcome = lab.run("--only", "cat_ref.y4m")
    assert outcome.code == 3
    assert outcome.sentence.endswith(" that was asked for is a reference; name others, or pass --include-references")


def test_a_wrong_source_date_epoch_is_told_before_the_first_clip(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "abc")
    outcome = lab.run()
    assert (outcome.code, lab.measured()) == (2, [])
    assert outcome.sentence == "SOURCE_DATE_EPOCH='abc' is not a number of seconds; unset it or give one"


def test_a_clip_without_a_content_stops_the_run(lab: Lab) -> None:
    lab.row("cat_2.y4m")["content"] = ""
    lab.write_labels()
    outcome = lab.run()
    assert (outcome.code, outcome.sentence) == (
        3,
        "labels.csv:4: cat_2.y4m has no content, the scene that it shows; fill it in",
    )
