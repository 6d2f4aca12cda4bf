"""What stands in a report beside its findings: counts, folders, labels, formats, splits, and what was not opened."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corekit import Clip, CorpusError, Label, PluginError, UsageError, audit
from corekit.driver.audit.files import copies
from corekit.driver.audit.labels import _histogram
from corekit.driver.audit.names import name_patterns
from corekit.driver.audit.report import Counts, Folder, LabelFile
from corekit.driver.places import Places
from corekit.plugins.composition import Composition
from tests.audit.yard import Yard, found


def test_counts_and_places(yard: Yard) -> None:
    yard.clip("a_2.mp4").unlink()
    yard.clip("stray.mp4").write_text("stray")
    (yard.root / "elsewhere").mkdir()
    (yard.root / "elsewhere" / "film.mov").write_text("film")
    (yard.root / "clips" / "._a_1.mp4").write_text("junk")
    report = yard.audit()
    size = sum(path.stat().st_size for path in yard.root.glob("clips/[abc]*"))
    assert report.counts == Counts(
        clips=9, references=3, contents=3, rows=5, present=8, missing=1, orphans=1, bytes_present=size
    )
    assert report.folders == (
        Folder(path="clips", named=9, present=8, files=9),
        Folder(path="elsewhere", named=0, present=0, files=1),
    )
    labels = yard.root / "yard.csv"
    assert report.label_files == (LabelFile(name="yard.csv", clips=9, size_bytes=labels.stat().st_size),)
    assert report.splits["train"] == {"contents": 1, "clips": 3, "rows": 1}
    assert (report.pairing, report.treat_as, report.notes) == ("fr", "CC0", ("The yard is no data.",))


def test_labels_that_are_refused_still_leave_what_lies_on_the_disk(yard: Yard) -> None:
    yard.row("a_1.mp4")["path"] = "../a_1.mp4"
    report = yard.audit()
    assert set(found(report)) == {"labels-refused"}
    assert report.counts == Counts()
    assert report.folders == (Folder(path="clips", named=0, present=0, files=9),)
    assert (report.pairing, report.headers, report.labels, report.estimate) == (None, None, None, None)


def test_headers_can_be_bounded_by_whole_contents(yard: Yard) -> None:
    asked = [yard.audit(headers=most).headers for most in (None, 9, 4, 1, 0)]
    assert [headers and headers.asked for headers in asked] == [9, 9, 6, 3, None]


def test_under_nr_no_reference_is_needed(yard: Yard) -> None:
    yard.row("c_ref.mp4")["ref"] = "0"
    yard.says("a_1.mp4", n_frames=7)
    assert found(yard.audit(pairing="nr")) == {}


def test_another_split_seed_is_heeded(yard: Yard) -> None:
    for row in yard.rows:
        row["split"] = ""
    splits = [yard.audit(split_seed=seed).splits for seed in ("one", "two", "three")]
    assert any(each != splits[0] for each in splits)
    assert all(sum(part["contents"] for part in each.values()) == 3 for each in splits)


def test_labels_are_summed_up(yard: Yard) -> None:
    labels = yard.audit().labels
    assert labels is not None
    assert (labels.labelled, labels.minimum, labels.maximum) == (9, 2.5, 4.5)
    assert [bar.clips for bar in labels.histogram] == [0, 0, 0, 3, 0, 0, 3, 0, 3, 0]


def test_a_score_on_an_edge_belongs_to_the_bin_that_begins_there() -> None:
    info = Composition().add_corpus("yard")
    bars = _histogram([1 + number * 0.4 for number in range(10)] + [5.0, 5.05, 0.96], info)
    assert [bar.clips for bar in bars] == [2, 1, 1, 1, 1, 1, 1, 1, 1, 3]


def test_nothing_but_labels_and_clips_is_opened(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("yard_votes.csv", "clips/worker_ips.txt", "other.json"):
        (yard.root / name).write_text("private")
    yard.write_labels()
    opened: list[str] = []
    real = builtins.open, os.open

    def note(path: Any, *more: Any, **options: Any) -> Any:
        opened.append(str(path))
        return real[0](path, *more, **options)

    monkeypatch.setattr("io.open", note)
    monkeypatch.setattr(builtins, "open", note)
    report = audit("yard", yard.root)
    assert found(report)["personal-data-file"].examples == ("clips/worker_ips.txt", "yard_votes.csv")
    assert found(report)["unread-table-file"].examples == ("other.json",)
    inside = {Path(path).name for path in opened if path.startswith(str(yard.root))}
    assert "yard.csv" in inside
    assert inside <= {"yard.csv", *(Path(row["path"]).name for row in yard.rows)}


def test_a_missing_clip_under_another_spelling_is_pointed_out(yard: Yard) -> None:
    yard.clip("a_1.mp4").rename(yard.clip("A_1.MP4"))
    report = yard.audit()
    assert found(report)["missing-clip"].examples == ("clips/a_1.mp4 (yard.csv:3); is it clips/A_1.MP4?",)


def test_linked_clips_and_folders_are_followed_where_the_labels_lead(yard: Yard, tmp_path: Path) -> None:
    (yard.root / "clips").rename(tmp_path / "far")
    (yard.root / "clips").symlink_to(tmp_path / "far")
    (yard.root / "loop").symlink_to(yard.root)
    (yard.root / "clips" / "dead.mp4").symlink_to(tmp_path / "nothing")
    report = yard.audit()
    assert report.findings == ()
    assert report.folders == (Folder(path="clips", named=9, present=9, files=9),)


def test_equal_sizes_alone_are_no_copies(tmp_path: Path) -> None:
    pieces = {
        "a": b"x" * 400_000,
        "b": b"x" * 400_000,
        "c": b"x" * 100_000 + b"y" + b"x" * 299_999,
        "d": b"y" * 400_000,
    }
    for name, data in pieces.items():
        (tmp_path / name).write_bytes(data)
    clips = {
        name: Clip(name=name, path=name, content=name, label=Label(kind="none")) for name in (*pieces, "gone")
    }  # fmt: skip
    sizes = dict.fromkeys(clips, 400_000)
    told: list[tuple[int, int]] = []
    found = copies(Places(tmp_path), clips, sizes, workers=2, on_file=lambda *done: told.append(done))
    assert found == [("a", "b")]
    assert told[-1] == (3, 3)  # a, b and c agree in the pieces that are compared first


def test_refusals_of_the_arguments(yard: Yard) -> None:
    with pytest.raises(UsageError, match=r"^--workers 0: give at least 1$"):
        yard.audit(workers=0)
    with pytest.raises(UsageError, match=r"^--headers -1: give all, none or a number of clips$"):
        yard.audit(headers=-1)
    with pytest.raises(
        UsageError, match=r"^--set colour: no plugin of this run has such an option \(known: .*yard.*\)$"
    ):
        yard.audit(settings={"colour": "red"})
    with pytest.raises(PluginError, match=r"^no corpus is called 'shed'; installed: "):
        audit("shed", yard.root)
    with pytest.raises(CorpusError, match=r"is not a folder; give --root the folder that holds The yard$"):
        audit("yard", yard.root / "yard.csv")


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["2900000077.mp4", "3200000052.mp4"], {"<number>.mp4": 2}),
        (
            ["12_original_centercrop_960x540_8s.mp4", "345_original_centercrop_960x540_8s.mp4", "6_cut_centercrop_960x540_8s.mp4"],
            {"<number>_original_centercrop_960x540_8s.mp4": 2, "<number>_cut_centercrop_<number>x<number>_<number>s.mp4": 1},
        ),
        (["273a5d8a3b8c2d0eb4d4c8ff5fcfe360.mp4"] * 3, {"<hex32>.mp4": 3}),
        ([f"{word}_1_2.yuv" for word in "abcdefghijklm"], {"<word>_1_2.yuv": 13}),
        ([], {}),
    ],
)  # fmt: skip
def test_generations_of_names(names: list[str], patterns: dict[str, int]) -> None:
    assert {each.pattern: each.clips for each in name_patterns(names)} == patterns


@given(st.lists(st.text(alphabet="ab9_.-é<", max_size=12), max_size=40))
def test_every_name_has_one_pattern(names: list[str]) -> None:
    patterns = name_patterns(names)
    assert sum(each.clips for each in patterns) == len(names)
    assert [each.clips for each in patterns] == sorted((each.clips for each in patterns), reverse=True)
