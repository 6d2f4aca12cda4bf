"""The CHUG reader: label files as they are met, where clips are found, and what each bad label is told."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from corekit_chug.info import LADDER, ChugOptions
from corekit_chug.reader import CLIP_FOLDERS, UNPAIRED, read_clips
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit import Clip, CorpusError, Label, LabelError, UsageError

HEADER = "Video,mos_j,sos_j,ref,name,bitladder,resolution,bitrate,orientation,framerate,content_name,height,width"
ROWS = (
    "aa01,20.5,2.5,0,360p_0.2M_#b.mp4,360p_0.2M_,360p,0.2M,Landscape,30.0,b.mp4,360,640",
    "aa02,40.25,1.5,0,1080p_3M_#b.mp4,1080p_3M_,1080p,3M,Landscape,30.0,b.mp4,1080,1920",
    "aa03,60.125,3.5,1,1080p_ref_#b.mp4,1080p_ref_,ref,ref,Landscape,30.0,b.mp4,1080,1920",
    "aa04,61.5,2.25,1,1080p_ref_#a.mp4,1080p_ref_,ref,ref,Portrait,25.311,a.mp4,1920,1080",
    "aa05,70.0,2.0,0,720p_2M_#a.mp4,720p_2M_,720p,2M,Portrait,25.311,a.mp4,1280,720",
)
BEYOND = "video_id,mos,sos,type,ref,resolution,bitrate,orientation,framerate,split,height,width"
BEYOND_ROWS = (
    "bb02,55.5,2.5,Crowd,0,720p,2M,Portrait,29.97,val,1280,720",
    "bb01,45.5,2.25,Vimeo,1,ref,ref,Landscape,60.0,train,1080,1920",
)


def write(root: Path, rows: Iterable[str] = ROWS, header: str = HEADER, name: str = "chug.csv") -> Path:
    path = root / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path


def read(root: Path, **options: str) -> list[Clip]:
    return list(read_clips(root, ChugOptions(**options)))


def with_cell(row: str, column: str, value: str) -> str:
    cells = row.split(",")
    cells[HEADER.split(",").index(column)] = value
    return ",".join(cells)


def sentence(root: Path, **options: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(root, **options)
    return str(caught.value)


def test_a_row_becomes_a_clip(tmp_path: Path) -> None:
    write(tmp_path)
    clip = next(clip for clip in read(tmp_path) if clip.name == "aa05.mp4")
    assert clip == Clip(
        name="aa05.mp4",
        path="CHUG_Videos/aa05.mp4",
        content="a.mp4",
        label=Label(kind="mos", value=70.0, std_error=2.0),
        origin="chug.csv:6",
        rung="720p_2M_",
        extra={
            "chug_video_id": "aa05",
            "chug_ref": 0,
            "chug_name": "720p_2M_#a.mp4",
            "chug_bitladder": "720p_2M_",
            "chug_resolution": "720p",
            "chug_bitrate_label": "2M",
            "chug_orientation": "Portrait",
            "chug_framerate_manifest": 25.311,
            "chug_content_name": "a.mp4",
            "chug_height_manifest": 1280,
            "chug_width_manifest": 720,
        },
    )


def test_order_is_content_then_reference_then_ladder(tmp_path: Path) -> None:
    rungs = [*LADDER[:-1], "4320p_9M_"]
    rows = [
        with_cell(with_cell(with_cell(ROWS[0], "Video", f"c{index}"), "bitladder", rung), "content_name", content)
        for content in ("z.mp4", "m.mp4")
        for index, rung in enumerate(rungs, start=10 if content == "m.mp4" else 20)
    ]
    references = [with_cell(ROWS[2], "content_name", "m.mp4"), with_cell(ROWS[3], "content_name", "z.mp4")]
    write(tmp_path, [*reversed(rows), *references])
    order = [(clip.content, clip.rung) for clip in read(tmp_path)]
    assert order == [(content, rung) for content in ("m.mp4", "z.mp4") for rung in ("1080p_ref_", *rungs)]


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(13)), st.permutations(ROWS), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_layout_of_the_file_does_not_matter(
    columns: list[int], rows: list[str], newline: str, bom: bool, quoted: bool
) -> None:
    def line(row: str) -> str:
        cells = row.split(",")
        return ",".join(f'"{cells[index]}"' if quoted else cells[index] for index in columns)

    text = newline.join(map(line, [HEADER, *rows])) + 2 * newline
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root)
        plain = read(root)
        (root / "chug.csv").write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
        lines = {row.split(",")[0]: line for line, row in enumerate(rows, start=2)}
        shuffled = read(root)
    assert [clip.origin for clip in shuffled] == [f"chug.csv:{lines[clip.name[:-4]]}" for clip in shuffled]
    assert [without_origin(clip) for clip in shuffled] == [without_origin(clip) for clip in plain]


def without_origin(clip: Clip) -> tuple[object, ...]:
    return clip.name, clip.path, clip.content, clip.label, clip.rung, clip.is_reference, dict(clip.extra)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_breaks(data: st.DataObject) -> None:
    content = bytearray("\n".join([HEADER, *ROWS]).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "chug.csv").write_bytes(content)
        try:
            clips = read(Path(folder))
        except CorpusError:
            return
    assert len({clip.name for clip in clips}) == len(clips) > 0
    assert all("/" not in clip.name and clip.content for clip in clips)
    assert all(bool(clip.label.problem) == (clip.label.value is None) for clip in clips)


def test_brightvq_is_read_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, name="BrightVQ.csv")
    clips = read(tmp_path, labels="BrightVQ.csv")
    assert len(clips) == 5
    assert clips[0].origin == "BrightVQ.csv:5"
    assert sentence(tmp_path) == (
        f"{tmp_path}: no label file chug.csv or manifest.csv; name another with --set labels=FILE."
    )


def test_beyond8bits_names_no_content(tmp_path: Path) -> None:
    write(tmp_path, BEYOND_ROWS, BEYOND)
    first, second = read(tmp_path)
    assert (first.name, first.content, first.split, first.rung) == ("bb01.mp4", "bb01.mp4", "train", "")
    assert (second.name, second.content, second.split) == ("bb02.mp4", "bb02.mp4", "val")
    assert first.unpaired == second.unpaired == UNPAIRED
    assert not first.is_reference
    assert first.label == Label(kind="mos", value=45.5, std_error=2.25)
    assert first.extra["chug_ref"] == 1
    assert first.extra["chug_content_name"] is None
    assert first.extra["chug_framerate_manifest"] == 60.0


def test_beyond8bits_without_split_derives_it_from_the_clip(tmp_path: Path) -> None:
    write(tmp_path, [row.replace(",val,", ",") for row in BEYOND_ROWS[:1]], BEYOND.replace("split,", ""))
    assert read(tmp_path)[0].split is None


def test_a_given_split_is_taken_and_checked(tmp_path: Path) -> None:
    path = write(
        tmp_path, [f"{row},{split}" for row, split in zip(ROWS, ("test",) * 5, strict=True)], f"{HEADER},split"
    )
    assert {clip.split for clip in read(tmp_path)} == {"test"}
    write(tmp_path, [f"{ROWS[0]},train", f"{ROWS[1]},Validation"], f"{HEADER},split")
    assert sentence(tmp_path) == (
        f"{path}: chug.csv:2 and chug.csv:3 put the content 'b.mp4' into two splits; correct the column split."
    )
    write(tmp_path, [f"{ROWS[0]},"], f"{HEADER},split")
    assert sentence(tmp_path) == f"{path}:2: split '' is none of train, val, test; correct the row."


class TestLabelFile:
    def test_manifest_csv_is_a_label_file(self, tmp_path: Path) -> None:
        write(tmp_path, name="manifest.csv")
        assert read(tmp_path)[0].origin == "manifest.csv:5"

    def test_equal_twins_are_one(self, tmp_path: Path) -> None:
        write(tmp_path)
        write(tmp_path, name="manifest.csv")
        assert read(tmp_path)[0].origin == "chug.csv:5"
        assert read(tmp_path)[0].other_origins == ("manifest.csv:5",)

    def test_different_twins_must_be_chosen(self, tmp_path: Path) -> None:
        write(tmp_path)
        write(tmp_path, ROWS[:3], name="manifest.csv")
        assert sentence(tmp_path) == (
            f"{tmp_path}: chug.csv and manifest.csv are both label files and differ; "
            "choose with --set labels=chug.csv or --set labels=manifest.csv."
        )
        assert len(read(tmp_path, labels="manifest.csv")) == 3

    def test_no_folder(self, tmp_path: Path) -> None:
        root = tmp_path / "nowhere"
        assert sentence(root) == f"{root}: no such folder; give the folder that holds chug.csv or manifest.csv."

    @pytest.mark.parametrize("value", ["../chug.csv", "/etc/passwd", "a/../../b", "a\0b"])
    @pytest.mark.parametrize("option", ["labels", "clips"])
    def test_an_option_stays_inside_the_root(self, tmp_path: Path, option: str, value: str) -> None:
        write(tmp_path)
        with pytest.raises(UsageError) as caught:
            read(tmp_path, **{option: value})
        assert str(caught.value) == f"--set {option}={value}: the path leaves the corpus root; give one inside it."

    @pytest.mark.parametrize(("option", "what"), [("labels", "file"), ("clips", "folder")])
    def test_an_option_that_names_nothing(self, tmp_path: Path, option: str, what: str) -> None:
        write(tmp_path)
        with pytest.raises(UsageError) as caught:
            read(tmp_path, **{option: "none"})
        expected = f"--set {option}=none: there is no such {what} in {tmp_path}; give a path relative to it."
        assert str(caught.value) == expected


class TestLocations:
    def test_every_folder_variant(self, tmp_path: Path) -> None:
        write(tmp_path)
        for folder, name in zip((*CLIP_FOLDERS, "."), ("aa01", "aa02", "aa03", "aa04", "aa05"), strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.mp4").touch()
        assert {clip.path for clip in read(tmp_path)} == {
            "CHUG_Videos/aa01.mp4", "CHUG_Dataset/aa02.mp4", "clips/aa03.mp4", "videos/aa04.mp4", "aa05.mp4",
        }  # fmt: skip

    def test_the_first_folder_wins(self, tmp_path: Path) -> None:
        write(tmp_path, ROWS[:1])
        for folder in ("videos", "CHUG_Dataset"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "aa01.mp4").touch()
        assert read(tmp_path)[0].path == "CHUG_Dataset/aa01.mp4"
        assert read(tmp_path, clips="videos")[0].path == "videos/aa01.mp4"

    def test_a_missing_clip_belongs_into_the_folder_that_is_there(self, tmp_path: Path) -> None:
        write(tmp_path, ROWS[:1])
        (tmp_path / "clips").mkdir()
        (tmp_path / "clips" / "AA01.MP4").touch()
        assert read(tmp_path)[0].path == "clips/aa01.mp4"


class TestFileErrors:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (b"", ":1: the label file is empty; take it from the corpus anew."),
            (b"\n\n", ":1: the label file is empty; take it from the corpus anew."),
            (HEADER.encode(), ": the label file has a header and no rows; take it from the corpus anew."),
            (
                f"{HEADER}\n{ROWS[0]}\n{ROWS[1]}\n".replace("1080p_3M_#", "\xe9").encode("latin-1"),
                ":3: the text is not UTF-8; save the label file as UTF-8.",
            ),
            (
                f'{HEADER}\n{ROWS[0]}\n"{ROWS[1]}\n{ROWS[2]}\n'.encode(),
                ":3: the row is not valid CSV (unexpected end of data); correct the row.",
            ),
            (
                f"{HEADER}\n{ROWS[0]},\n".encode(),
                ":2: the row has 14 columns and the header 13; correct the row.",
            ),
            (
                f"{HEADER}\n\n{ROWS[0].rpartition(',')[0]}\n".encode(),
                ":3: the row has 12 columns and the header 13; correct the row.",
            ),
            (
                b"a,b\n1,2\n",
                ":1: the header lacks Video (or video_id), mos_j (or mos), ref; "
                "name a CHUG label file with --set labels=FILE.",
            ),
            (
                HEADER.replace("content_name", "scene").encode(),
                ":1: the header lacks content_name; name a CHUG label file with --set labels=FILE.",
            ),
            (
                f"{HEADER},mos".encode(),
                ":1: the header names mos_j (or mos) more than once; keep one column of each.",
            ),
        ],
    )
    def test_sentence(self, tmp_path: Path, text: bytes, expected: str) -> None:
        path = tmp_path / "chug.csv"
        path.write_bytes(text)
        assert sentence(tmp_path) == f"{path}{expected}"

    @pytest.mark.parametrize(
        ("column", "value", "problem"),
        [
            ("ref", "2", "ref '2' is neither 0 nor 1; correct the row."),
            ("ref", "", "ref '' is neither 0 nor 1; correct the row."),
            ("content_name", " ", "content_name is blank; correct the row, or its clip has no content."),
        ],
    )
    def test_pairing_cannot_be_guessed(self, tmp_path: Path, column: str, value: str, problem: str) -> None:
        path = write(tmp_path, [ROWS[0], with_cell(ROWS[1], column, value)])
        with pytest.raises(LabelError) as caught:
            read(tmp_path)
        assert (caught.value.path, caught.value.line) == (path, 3)
        assert str(caught.value) == f"{path}:3: {problem}"

    @pytest.mark.parametrize(
        "video", ["../x", "/etc/passwd", "a/b", "a\\b", "C:x", "", ".", "..", ".hidden", "a\0b", "a\tb", "x" * 252]
    )
    def test_a_hostile_name(self, tmp_path: Path, video: str) -> None:
        path = write(tmp_path, [ROWS[0], with_cell(ROWS[1], "Video", video)])
        shown = repr(video if len(video) <= 60 else "x" * 57 + "...")
        assert sentence(tmp_path) == (
            f"{path}:3: Video {shown} is not the plain name of a file; "
            "correct the row: a clip is named by its 32 hexadecimal digits."
        )

    def test_the_longest_name_is_read(self, tmp_path: Path) -> None:
        write(tmp_path, [with_cell(ROWS[1], "Video", "x" * 251)])
        assert len(read(tmp_path)[0].name) == 255


class TestLabelProblems:
    @pytest.mark.parametrize(
        ("column", "value", "problem"),
        [
            ("mos_j", "", "mos_j (or mos) is blank; the clip has no label."),
            ("mos_j", "good", "mos_j (or mos) is 'good', not a finite number; correct the row."),
            ("mos_j", "nan", "mos_j (or mos) is 'nan', not a finite number; correct the row."),
            ("mos_j", "inf", "mos_j (or mos) is 'inf', not a finite number; correct the row."),
            ("mos_j", "1e999", "mos_j (or mos) is '1e999', not a finite number; correct the row."),
            ("mos_j", "4_0", "mos_j (or mos) is '4_0', not a finite number; correct the row."),
            ("mos_j", "61.", "mos_j (or mos) is '61.', not a finite number; correct the row."),
            ("mos_j", "100.06", "mos_j (or mos) is 100.06, outside 0 to 100; correct the row."),
            ("mos_j", "-0.06", "mos_j (or mos) is -0.06, outside 0 to 100; correct the row."),
            ("sos_j", "wide", "sos_j (or sos) is 'wide', not a finite number; correct the row."),
            ("sos_j", "-1", "sos_j (or sos) is -1.0, and no spread is negative; correct the row."),
            ("framerate", "30/1", "framerate is '30/1', not a finite number; correct the row."),
            ("height", "360.5", "height is 360.5, not a size in pixels; correct the row."),
            ("width", "1e300", "width is 1e300, not a size in pixels; correct the row."),
        ],
    )
    def test_one_bad_cell_spoils_one_clip(self, tmp_path: Path, column: str, value: str, problem: str) -> None:
        write(tmp_path, [ROWS[0], with_cell(ROWS[1], column, value), ROWS[2]])
        labels = {clip.name: clip.label for clip in read(tmp_path)}
        assert labels.pop("aa02.mp4") == Label(kind="mos", problem=f"chug.csv:3: {problem}")
        assert [label.problem for label in labels.values()] == ["", ""]

    @pytest.mark.parametrize("mos", ["-0.05", "0", "100.05", "1e2", "+7.5"])
    def test_a_value_within_tolerance_is_kept_as_it_is(self, tmp_path: Path, mos: str) -> None:
        write(tmp_path, [with_cell(ROWS[0], "mos_j", mos)])
        assert read(tmp_path)[0].label.value == float(mos)

    @pytest.mark.parametrize("column", ["sos_j", "orientation", "framerate", "height", "name"])
    def test_a_blank_cell_is_null(self, tmp_path: Path, column: str) -> None:
        write(tmp_path, [with_cell(ROWS[0], column, "")])
        (clip,) = read(tmp_path)
        assert clip.label.problem == ""
        assert clip.label.value == 20.5
        assert None in (*clip.extra.values(), clip.label.std_error)

    def test_equal_rows_are_one_clip(self, tmp_path: Path) -> None:
        write(tmp_path, [ROWS[0], ROWS[1], ROWS[0], ROWS[0]])
        first = read(tmp_path)[0]
        assert len(read(tmp_path)) == 2
        assert (first.origin, first.label.problem) == ("chug.csv:2", "")
        assert first.extra["repeated_on_lines"] == "4, 5"

    def test_contradicting_rows_are_never_guessed(self, tmp_path: Path) -> None:
        write(tmp_path, [*ROWS, with_cell(with_cell(ROWS[0], "mos_j", "33"), "sos_j", "1")])
        clips = read(tmp_path)
        bad = [clip for clip in clips if clip.label.problem]
        assert [clip.name for clip in bad] == ["aa01.mp4"]
        assert len(clips) == 5
        assert bad[0].label == Label(
            kind="mos",
            problem="chug.csv:2 and chug.csv:7 contradict each other on 'aa01' in mos_j (or mos), sos_j (or sos); "
            "keep one of the rows.",
        )

    def test_a_contradicted_reference_refuses_the_file(self, tmp_path: Path) -> None:
        path = write(tmp_path, [*ROWS, with_cell(ROWS[2], "content_name", "a.mp4")])
        assert sentence(tmp_path) == (
            f"{path}:7: chug.csv:4 and chug.csv:7 contradict each other on 'aa03' in content_name; "
            "keep one of the rows."
        )


def test_sampling_the_rows_does_not_change_a_clip(tmp_path: Path) -> None:
    write(tmp_path)
    whole = {clip.name: without_origin(clip) for clip in read(tmp_path)}
    write(tmp_path, random.Random(7).sample(ROWS, 3))
    part = read(tmp_path)
    assert [without_origin(clip) for clip in part] == [whole[clip.name] for clip in part]
