"""The konvid reader: all generations of file names, both label files wherever they lie, and what each bad row is told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from corekit_konvid.info import KonvidOptions
from corekit_konvid.reader import read_clips

from corekit import Clip, CorpusError, Encode, Label, audit

MOS = "KoNViD_1k_metadata/KoNViD_1k_mos.csv"
ATTRIBUTES = "KoNViD_1k_metadata/KoNViD_1k_attributes.csv"
ATTRIBUTE_HEADER = "flickr_id,no,file_name,MOS"
ROWS = ("2900000077,3.1", "13291575674,2.16", "41000021,4.42")


def write(root: Path, rows: Iterable[str] = ROWS, header: str = "flickr_id,mos", file: str = MOS) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / "KoNViD_1k_videos").mkdir(exist_ok=True)
        (root / "KoNViD_1k_videos" / name).touch()


def read(root: Path, **options: object) -> list[Clip]:
    return list(read_clips(root, KonvidOptions(**options)))  # type: ignore[arg-type]


def sentence(root: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read(root)
    return str(caught.value)


def test_rows_become_clips_in_the_order_of_their_ids_as_text(tmp_path: Path) -> None:
    write(tmp_path)
    put(tmp_path, "2900000077.mp4")
    clips = read(tmp_path)
    assert [clip.content for clip in clips] == ["13291575674", "2900000077", "41000021"]
    assert clips[1] == Clip(
        name="2900000077.mp4",
        path="KoNViD_1k_videos/2900000077.mp4",
        content="2900000077",
        label=Label(kind="mos", value=3.1),
        origin=f"{MOS}:2",
        encode=Encode(encoder="libx264", preset="veryfast", crf=35, pix_fmt="yuv420p"),
        extra={"konvid_mos": 3.1, "konvid_flickr_id": "2900000077", "other_files": ""},
    )
    assert clips[0].path == "KoNViD_1k_videos/13291575674.mp4"


def test_the_recipe_is_the_options(tmp_path: Path) -> None:
    write(tmp_path)
    recipe = read(tmp_path, encoder="libx265", preset="slow", crf=21)[0].encode
    assert recipe == Encode(encoder="libx265", preset="slow", crf=21, pix_fmt="yuv420p")


@pytest.mark.parametrize(
    "tail", ["", "_original_centercrop_960x540_8s", "_cut_centercrop_960x540_8s", "_ORIGINAL_centercrop_960x540_8s"]
)
def test_every_generation_of_names_is_joined_by_its_leading_digits(tmp_path: Path, tail: str) -> None:
    write(tmp_path)
    put(tmp_path, f"2900000077{tail}.mp4", f"29000000770{tail}.mp4", "2900000077.txt", "._2900000077.mp4")
    assert read(tmp_path)[1].name == f"2900000077{tail}.mp4"


def test_of_several_generations_todays_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    older = ("2900000077_cut_centercrop_960x540_8s.mp4", "2900000077_original_centercrop_960x540_8s.mp4")
    put(tmp_path, *older)
    clip = read(tmp_path)[1]
    assert (clip.name, clip.extra["other_files"]) == (older[1], older[0])
    put(tmp_path, "2900000077.mp4")
    clip = read(tmp_path)[1]
    assert (clip.name, clip.extra["other_files"]) == ("2900000077.mp4", f"{older[1]}, {older[0]}")


@pytest.mark.parametrize("folder", ["KoNViD_1k_metadata/", "", "KoNViD_1k_videos/"])
@pytest.mark.parametrize(
    ("file", "header"),
    [("KoNViD_1k_mos.csv", "flickr_id,mos"), ("KoNViD_1k_mos.csv", "Flickr_ID,MOS"),
     ("KoNViD_1k_attributes.csv", "flickr_id,no,file_name,MOS,blur"),
     ("KoNViD_1k_attributes.csv", "\ufeffFLICKR_ID,no,File_Name,Mos,blur")],
)  # fmt: skip
def test_either_file_in_any_place_and_case(tmp_path: Path, folder: str, file: str, header: str) -> None:
    row = "2900000077,3.1" if "," not in header[12:] else "2900000077,1,2900000077_original_8s.mp4,3.1,0.2"
    write(tmp_path, [row], header, f"{folder}{file}")
    (clip,) = read(tmp_path)
    assert (clip.label.value, clip.name) == (3.1, "2900000077.mp4")
    assert clip.origin == f"{folder}{file}:2"


def test_the_mos_file_comes_before_the_attributes(tmp_path: Path) -> None:
    write(tmp_path, ["2,3,b.mp4,2.5", "1,1,a.mp4,3.05"], ATTRIBUTE_HEADER, ATTRIBUTES)
    write(tmp_path, ["1,3.045", "2,2.5"], file="KoNViD_1k_videos/KoNViD_1k_mos.csv")
    first, second = read(tmp_path)
    assert (first.label.value, second.label.value) == (3.045, 2.5)
    assert first.origin == "KoNViD_1k_videos/KoNViD_1k_mos.csv:2"
    assert (first.other_origins, second.other_origins) == ((f"{ATTRIBUTES}:3",), (f"{ATTRIBUTES}:2",))


@pytest.mark.parametrize(
    ("mos", "attributes", "problem"),
    [
        (["1,3.0"], ["1,1,a,3.0", "2,2,b,2.5", "3,3,c,2.0"],
         f"{MOS} lacks 2 of the 3 clips that {ATTRIBUTES} names, such as 2 ({ATTRIBUTES}:3)"),
        (["1,3.0", "2,2.5"], ["2,2,b,2.5"], f"{ATTRIBUTES} lacks 1 of the 2 clips that {MOS} names, such as 1 ({MOS}:2)"),
        (["1,3.0", "2,2.5"], ["1,1,a,3.0", "2,2,b,2.6"], f"{MOS}:3 and {ATTRIBUTES}:3 give 2 another MOS (2.5 and 2.6)"),
        (["1,3.044", "2,2.5"], ["1,1,a,3.05", "2,2,b,2.5"],
         f"{MOS}:2 and {ATTRIBUTES}:2 give 1 another MOS (3.044 and 3.05)"),
        (["1,3.0", "2,2.5"], ["1,1,a,3.0", "2,2,b,"], f"{MOS}:3 and {ATTRIBUTES}:3 give 2 another MOS (2.5 and blank)"),
    ],
)  # fmt: skip
def test_two_label_files_that_differ_are_refused(
    tmp_path: Path, mos: list[str], attributes: list[str], problem: str
) -> None:
    write(tmp_path, mos)
    write(tmp_path, attributes, ATTRIBUTE_HEADER, ATTRIBUTES)
    assert sentence(tmp_path) == (
        f"{tmp_path}: {problem}; take both from the corpus anew, or remove the one that is wrong."
    )


def test_rows_that_repeat_are_one_and_rows_that_contradict_spoil_the_label(tmp_path: Path) -> None:
    write(tmp_path, ["1,3.0", "2,2.5", "1,3.00", "2,2.6"])
    first, second = read(tmp_path)
    assert first.label == Label(kind="mos", value=3.0)
    assert (first.extra["repeated_at"], first.other_origins) == (f"{MOS}:4", (f"{MOS}:4",))
    assert second.label.problem == (f"{MOS}:3 and {MOS}:5 contradict each other on 2 (2.5 and 2.6); keep one row.")
    assert second.extra["konvid_mos"] is None


def test_the_audit_notes_rows_that_repeat(tmp_path: Path) -> None:
    write(tmp_path, ["1,3.0", "2,2.5", "1,3.00"])
    put(tmp_path, "1.mp4", "2.mp4")
    notes = {finding.code: finding.examples for finding in audit("konvid", tmp_path, headers=0).findings}
    assert notes["repeated-label"] == (f"1.mp4: {MOS}:2, again {MOS}:4",)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("", "MOS is blank; the clip has no label."),
        ("good", "MOS is 'good', not a finite number; correct the row."),
        ("nan", "MOS is 'nan', not a finite number; correct the row."),
        ("1e999", "MOS is '1e999', not a finite number; correct the row."),
        ("3.", "MOS is '3.', not a finite number; correct the row."),
        ("5.06", "MOS is 5.06, outside 1 to 5; correct the row."),
        ("72.5", "MOS is 72.5, outside 1 to 5; correct the row."),
    ],
)
def test_a_bad_mos_is_that_clips_problem(tmp_path: Path, cell: str, problem: str) -> None:
    write(tmp_path, [f"1,{cell}", "2,3.0"])
    bad, good = read(tmp_path)
    assert bad.label == Label(kind="mos", problem=f"{MOS}:2: {problem}")
    assert good.label.value == 3.0


@pytest.mark.parametrize("cell", ["1.3291575674E+10", "13291575674.0", "../2", "", "1" * 21])
def test_an_id_that_is_none_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, ["1,3.0", f"{cell},3.0"])
    assert sentence(tmp_path) == (
        f"{path}:3: flickr_id {cell!r} is not a whole number; correct the row, ids are written in full."
    )


def test_files_that_cannot_be_trusted(tmp_path: Path) -> None:
    places = "KoNViD_1k_metadata/KoNViD_1k_mos.csv or KoNViD_1k_metadata/KoNViD_1k_attributes.csv"
    assert sentence(tmp_path) == (
        f"{tmp_path}: no label file {places}; give --root the folder that holds KoNViD_1k_metadata."
    )
    path = write(tmp_path, [], "flickr_id,mos")
    assert sentence(tmp_path) == f"{path}: the label file has a header and no rows; take it from the corpus anew."
    write(tmp_path, ["1,3.0"], "flickr_id,score")
    assert sentence(tmp_path) == f"{path}:1: the header must name mos once; take the file from the corpus."
    write(tmp_path, ["1,3.0,4"])
    assert sentence(tmp_path) == f"{path}:2: the row has 3 columns and the header 2; correct the row."
    path.write_bytes(b"flickr_id,mos\n1,3.0\n2,3.\xff\n")
    assert sentence(tmp_path) == f"{path}:3: the text is not UTF-8; save the label file as UTF-8."


def test_more_than_5000_rows_are_konvid_150k(tmp_path: Path) -> None:
    path = write(tmp_path, [f"{number},3.0" for number in range(5000)])
    assert len(read(tmp_path)) == 5000
    write(tmp_path, [f"{number},3.0" for number in range(5001)])
    assert sentence(tmp_path) == f"{path}: it has more than 5,000 rows, so it is of KoNViD-150k; use --corpus k150k."
