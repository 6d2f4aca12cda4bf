"""The k150k reader: both parts, every folder variant, missing clips, and what each bad label is told."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from corekit_k150k.info import K150kOptions
from corekit_k150k.reader import read_clips
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit import Clip, CorpusError, Label, open_corpus

ROWS_A = ("orig_10000251326_540_5s.mp4,3.4", "orig_3000000001_540_5s.mp4,2.6", "orig_20_540_5s.mp4,5.0")
ROWS_B = ("orig_77_540_5s.mp4,3.214,3.1875",)


def write_a(root: Path, rows: Iterable[str] = ROWS_A, header: str = "video_name,video_score") -> Path:
    path = root / "k150ka_scores.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path


def write_b(root: Path, rows: Iterable[str] = ROWS_B, header: str = "video_name,mos,video_score") -> Path:
    path = root / "k150kb_scores.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def read(root: Path, part: str = "all") -> list[Clip]:
    return list(read_clips(root, K150kOptions(part=part)))  # type: ignore[arg-type]


def paths(root: Path) -> list[str]:
    return [clip.path for clip in read(root)]


def problems(root: Path) -> list[str]:
    clips = read(root)
    assert all((clip.label.value is None) == bool(clip.label.problem) for clip in clips)
    return [clip.label.problem for clip in clips if clip.label.problem]


def sentence(root: Path, part: str = "all") -> str:
    with pytest.raises(CorpusError) as caught:
        read(root, part)
    return str(caught.value)


def test_rows_become_clips_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_a(tmp_path)
    write_b(tmp_path)
    put(tmp_path, "k150ka/orig_10000251326_540_5s.mp4")
    clips = read(tmp_path)
    assert [clip.content for clip in clips] == ["10000251326", "20", "3000000001", "77"]
    assert clips[0] == Clip(
        name="orig_10000251326_540_5s.mp4",
        path="k150ka/orig_10000251326_540_5s.mp4",
        content="10000251326",
        label=Label(kind="mos", value=3.4, n_ratings=5),
        origin="k150ka_scores.csv:2",
        extra={"k150k_part": "a", "k150k_video_score": None},
    )
    assert clips[3].label == Label(kind="mos", value=3.214)
    assert clips[3].extra == {"k150k_part": "b", "k150k_video_score": 3.1875}


@pytest.mark.parametrize(("part", "names"), [("a", 3), ("b", 1), ("all", 4)])
def test_a_part_alone(tmp_path: Path, part: str, names: int) -> None:
    write_a(tmp_path)
    write_b(tmp_path)
    assert len(read(tmp_path, part)) == names


@pytest.mark.parametrize(
    "folder",
    [
        "k150ka", "k150ka_extracted", "k150ka/k150ka", "k150kb/k150kb", "k150kb", "k150kb_extracted",
        "k150kb_extracted/k150kb", "clips",
    ],
)  # fmt: skip
def test_every_folder_variant(tmp_path: Path, folder: str) -> None:
    write_b(tmp_path)
    put(tmp_path, f"{folder}/orig_77_540_5s.mp4", f"{folder}/orig_1_540_5s.mp4", f"{folder}/orig_77_540_5s.json")
    assert paths(tmp_path) == [f"{folder}/orig_77_540_5s.mp4"]


def test_links_in_a_flat_folder_are_followed_by_core(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(tmp_path, "elsewhere/77.mp4")
    (root / "clips").mkdir(parents=True)
    (root / "clips" / "orig_77_540_5s.mp4").symlink_to(tmp_path / "elsewhere" / "77.mp4")
    write_b(root)
    corpus = open_corpus("k150k", root)
    assert [corpus.has(clip) for clip in corpus] == [True]


def test_clips_are_joined_by_stem(tmp_path: Path) -> None:
    write_a(tmp_path, ["orig_1_540_5s,3.0", "orig_2_540_5s.avi,3.0", "orig_3_540_5s.mp4,3.0"])
    put(tmp_path, "clips/orig_1_540_5s.mp4", "clips/orig_2_540_5s.mp4", "clips/orig_3_540_5s.MP4")
    assert [clip.name for clip in read(tmp_path)] == [
        "orig_1_540_5s.mp4", "orig_2_540_5s.mp4", "orig_3_540_5s.MP4",
    ]  # fmt: skip


def test_missing_clips_are_normal_and_get_the_path_where_they_belong(tmp_path: Path) -> None:
    write_a(tmp_path)
    write_b(tmp_path)
    assert {path.partition("/")[0] for path in paths(tmp_path)} == {"k150ka", "k150kb"}
    put(tmp_path, "clips/other.mp4", "k150ka_extracted/orig_20_540_5s.mp4")
    assert paths(tmp_path) == [
        "k150ka_extracted/orig_10000251326_540_5s.mp4",
        "k150ka_extracted/orig_20_540_5s.mp4",
        "k150ka_extracted/orig_3000000001_540_5s.mp4",
        "clips/orig_77_540_5s.mp4",
    ]


def test_a_clip_without_the_usual_name_is_its_own_content(tmp_path: Path) -> None:
    write_a(tmp_path, ["some clip.mp4,3.0"])
    assert [(clip.name, clip.content) for clip in read(tmp_path)] == [("some clip.mp4", "some clip")]


class TestTwice:
    def test_with_different_scores_is_never_guessed(self, tmp_path: Path) -> None:
        write_a(tmp_path, [*ROWS_A, "orig_20_540_5s.mp4,4.8", "orig_20_540_5s.mp4,1.0"])
        assert len(read(tmp_path)) == 3
        assert problems(tmp_path) == [
            "k150ka_scores.csv:4 and k150ka_scores.csv:5 contradict each other on 'orig_20_540_5s.mp4' "
            "(video_score '5.0' and video_score '4.8'); keep one of the rows."
        ]

    def test_across_the_parts(self, tmp_path: Path) -> None:
        write_a(tmp_path)
        write_b(tmp_path, ["orig_20_540_5s.mp4,4.9,5.0"])
        assert problems(tmp_path) == [
            "k150ka_scores.csv:4 and k150kb_scores.csv:2 contradict each other on 'orig_20_540_5s.mp4' "
            "(video_score '5.0' and mos '4.9'); keep one of the rows."
        ]

    def test_with_one_score_counts_once(self, tmp_path: Path) -> None:
        write_a(tmp_path, [*ROWS_A, "orig_20_540_5s.mp4,5", "orig_20_540_5s.mp4,5.00"])
        write_b(tmp_path, ["orig_20_540_5s.mp4,5.0,4.9"])
        assert not problems(tmp_path)
        clips = read(tmp_path)
        assert len(clips) == 3
        assert clips[1].extra["k150k_part"] == "a"
        assert clips[1].extra["repeated_at"] == "k150ka_scores.csv:5, k150ka_scores.csv:6, k150kb_scores.csv:2"
        assert clips[1].other_origins == ("k150ka_scores.csv:5", "k150ka_scores.csv:6", "k150kb_scores.csv:2")

    @pytest.mark.parametrize("mos", ["5.0", "4.9"])
    def test_a_file_of_the_same_clips_was_read_all_the_same(self, tmp_path: Path, mos: str) -> None:
        write_a(tmp_path)
        write_b(tmp_path, [f"orig_20_540_5s.mp4,{mos},4.9"])
        assert list(open_corpus("k150k", tmp_path).label_files()) == ["k150ka_scores.csv", "k150kb_scores.csv"]

    def test_a_blank_repeat_is_a_contradiction(self, tmp_path: Path) -> None:
        write_a(tmp_path, [*ROWS_A, "orig_20_540_5s.mp4,"])
        assert len(problems(tmp_path)) == 1

    def test_different_extras_of_part_b_contradict(self, tmp_path: Path) -> None:
        write_b(tmp_path, [*ROWS_B, "orig_77_540_5s.mp4,3.214,3.0"])
        assert len(problems(tmp_path)) == 1


class TestLabels:
    @pytest.mark.parametrize(
        ("cell", "problem"),
        [
            ("", "video_score is blank; the clip has no label."),
            ("n/a", "video_score is 'n/a', not a finite number; correct the row."),
            ("nan", "video_score is 'nan', not a finite number; correct the row."),
            ("1e999", "video_score is '1e999', not a finite number; correct the row."),
            ("2.", "video_score is '2.', not a finite number; correct the row."),
            ("5.2", "video_score is 5.2, outside 1 to 5; correct the row."),
            ("0.9", "video_score is 0.9, outside 1 to 5; correct the row."),
        ],
    )
    def test_a_bad_one_spoils_its_clip_alone(self, tmp_path: Path, cell: str, problem: str) -> None:
        write_a(tmp_path, [*ROWS_A, f"orig_5_540_5s.mp4,{cell}"])
        assert problems(tmp_path) == [f"k150ka_scores.csv:5: {problem}"]

    def test_a_garbled_extra_spoils_its_clip(self, tmp_path: Path) -> None:
        write_b(tmp_path, ["orig_77_540_5s.mp4,3.2,?"])
        assert problems(tmp_path) == ["k150kb_scores.csv:2: video_score is '?', not a finite number; correct the row."]

    def test_a_value_just_outside_is_kept_as_it_is(self, tmp_path: Path) -> None:
        write_a(tmp_path, ["orig_5_540_5s.mp4,5.04"])
        assert read(tmp_path)[0].label == Label(kind="mos", value=5.04)

    @given(st.lists(st.integers(1, 5), min_size=5, max_size=5))
    def test_five_votes_are_counted(self, votes: list[int]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_a(Path(folder), [f"orig_5_540_5s.mp4,{sum(votes) / 5}"])
            assert read(Path(folder))[0].label.n_ratings == 5

    def test_what_is_no_mean_of_five_votes_has_no_count(self, tmp_path: Path) -> None:
        write_a(tmp_path, ["orig_5_540_5s.mp4,3.33"])
        write_b(tmp_path, ["orig_6_540_5s.mp4,3.4,3.4"])
        assert [clip.label.n_ratings for clip in read(tmp_path)] == [None, None]


class TestFiles:
    def test_no_label_file(self, tmp_path: Path) -> None:
        put(tmp_path, "k150ka_votes.csv")
        assert sentence(tmp_path) == (
            f"{tmp_path}: no label file k150ka_scores.csv or k150kb_scores.csv; "
            "give --root the folder that holds one of them."
        )

    def test_the_part_asked_for_is_not_there(self, tmp_path: Path) -> None:
        write_a(tmp_path)
        assert sentence(tmp_path, "b") == (
            f"{tmp_path}/k150kb_scores.csv: the label file cannot be read (No such file or directory); put it there."
        )

    def test_header(self, tmp_path: Path) -> None:
        path = write_a(tmp_path, header="name,score")
        assert sentence(tmp_path) == (
            f"{path}:1: the header must name video_name and video_score once; take the file from the corpus."
        )

    def test_part_b_under_the_name_of_part_a(self, tmp_path: Path) -> None:
        path = write_a(tmp_path, ROWS_B, "video_name,mos,video_score")
        assert sentence(tmp_path) == (
            f"{path}:1: the header names mos, as part b does; is this k150kb_scores.csv? rename it."
        )

    def test_columns_in_any_order_quoted_with_bom_and_crlf(self, tmp_path: Path) -> None:
        text = '\ufeff"MOS","x","Video_Name"\r\n"3.5","","orig_77_540_5s.mp4"\r\n\r\n'
        (tmp_path / "k150kb_scores.csv").write_text(text, encoding="utf-8", newline="")
        (clip,) = read(tmp_path)
        assert (clip.label.value, clip.extra["k150k_video_score"]) == (3.5, None)

    def test_no_rows(self, tmp_path: Path) -> None:
        path = write_a(tmp_path, [])
        assert sentence(tmp_path) == (f"{path}: the label file has a header and no rows; take it from the corpus anew.")

    def test_a_short_row(self, tmp_path: Path) -> None:
        path = write_a(tmp_path, [ROWS_A[0], "orig_5_540_5s.mp4"])
        assert sentence(tmp_path) == f"{path}:3: the row has 1 columns and the header 2; correct the row."

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "k150ka_scores.csv"
        path.write_bytes(b"video_name,video_score\norig_\xff,3\n")
        assert sentence(tmp_path) == f"{path}:2: the text is not UTF-8; save the label file as UTF-8."

    @pytest.mark.parametrize("name", ["../orig_1_540_5s.mp4", "/etc/passwd", ".hidden.mp4", "", "a\\b.mp4", "a\0b.mp4"])
    def test_a_hostile_name(self, tmp_path: Path, name: str) -> None:
        path = write_a(tmp_path, [f"{name},3.0"])
        assert sentence(tmp_path) == (
            f"{path}:2: video_name {name!r} is not the plain name of a file; "
            "correct the row: clips are called orig_<id>_540_5s.mp4."
        )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_breaks(data: st.DataObject) -> None:
    content = bytearray("\n".join(["video_name,mos,video_score", *ROWS_B * 2, "orig_8_540_5s.mp4,2,2"]).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "k150kb_scores.csv").write_bytes(content)
        try:
            clips = read(Path(folder))
        except CorpusError:
            return
    assert len({clip.name for clip in clips}) == len(clips) > 0
    assert all("/" not in clip.name and clip.content for clip in clips)
    assert all(bool(clip.label.problem) == (clip.label.value is None) for clip in clips)


def test_rows_cost_next_to_nothing(tmp_path: Path) -> None:
    """The real part a has 154,745 rows and 152,265 clips; a look at the disk per row would cost minutes on a share."""
    names = [f"orig_{number}_540_5s.mp4" for number in range(20_000)]
    write_a(tmp_path, [f"{name},3.4" for name in names])
    put(tmp_path, *(f"k150ka_extracted/{name}" for name in names))
    start = time.perf_counter()
    assert len(read(tmp_path)) == 20_000
    assert time.perf_counter() - start < 3
