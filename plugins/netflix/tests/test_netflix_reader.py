"""The netflix reader: contents, labels, geometry, places, and what each bad entry is told."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from corekit_netflix.info import NetflixOptions
from corekit_netflix.reader import read_clips

from corekit import Clip, CorpusError, Label, RawVideo, UsageError, open_corpus
from tests.shared_data import SHARED, needs_shared

HEAD = "yuv_fmt = 'yuv420p'\nwidth = 1920\nheight = 1080\nref_dir = 'x/ref'\ndis_dir = 'x/dis'\n"
REFERENCES = (
    "{'content_id': 0, 'content_name': 'Crowd Run', 'path': ref_dir + '/CrowdRun_25fps.yuv'}",
    "{'content_id': 1, 'content_name': 'Birds', 'path': ref_dir + '/Birds_30fps.yuv'}",
)
RATED = (
    "{'content_id': 0, 'dmos': 100.0, 'path': ref_dir + '/CrowdRun_25fps.yuv'}",
    "{'content_id': 0, 'dmos': 75.25, 'path': dis_dir + '/CrowdRun_90_1080_7150.yuv'}",
    "{'content_id': 0, 'dmos': 20, 'path': dis_dir + '/CrowdRun_03_288_375.yuv'}",
    "{'content_id': 1, 'dmos': 109.2, 'path': dis_dir + '/Birds_60_384_550.yuv'}",
)
FIRST = HEAD.count("\n") + 2
"""Line of the first reference; every entry has a line of its own."""
FIRST_RATED = FIRST + len(REFERENCES) + 2


def write(
    root: Path, rated: tuple[str, ...] = RATED, references: tuple[str, ...] = REFERENCES, head: str = HEAD
) -> Path:
    root.mkdir(exist_ok=True)
    path = root / "NFLX_dataset_public.py"
    lists = [f"{name} = [\n" + ",\n".join(entries) + "\n]\n" for name, entries in
             (("ref_videos", references), ("dis_videos", rated))]  # fmt: skip
    path.write_text(head + "".join(lists))
    return path


def read(root: Path, labels: str = "") -> list[Clip]:
    return list(read_clips(root, NetflixOptions(labels=labels)))


def named(root: Path, name: str) -> Clip:
    return next(clip for clip in read(root) if clip.name == name)


def sentence(root: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read(root)
    return str(caught.value)


def test_an_entry_becomes_a_clip(tmp_path: Path) -> None:
    write(tmp_path)
    assert named(tmp_path, "CrowdRun_03_288_375.yuv") == Clip(
        name="CrowdRun_03_288_375.yuv",
        path="dis/CrowdRun_03_288_375.yuv",
        content="Crowd Run",
        label=Label(kind="dmos", value=20.0),
        origin=f"NFLX_dataset_public.py:{FIRST_RATED + 2}",
        rung="288_375",
        extra={"netflix_height_token": 288, "netflix_bitrate_token": 375},
        raw=RawVideo(width=1920, height=1080, pix_fmt="yuv420p", framerate="25/1"),
    )


def test_order_is_content_then_reference_then_rung(tmp_path: Path) -> None:
    write(tmp_path, RATED[::-1], REFERENCES[::-1])
    clips = read(tmp_path)
    assert [(clip.content, clip.is_reference, clip.rung) for clip in clips] == [
        ("Birds", True, ""),
        ("Birds", False, "384_550"),
        ("Crowd Run", True, ""),
        ("Crowd Run", False, "288_375"),
        ("Crowd Run", False, "1080_7150"),
    ]
    assert {clip.raw.framerate for clip in clips if clip.raw and clip.content == "Birds"} == {"30/1"}


def test_the_expert_score_is_nowhere_but_in_the_name(tmp_path: Path) -> None:
    write(tmp_path)
    clip = named(tmp_path, "CrowdRun_90_1080_7150.yuv")
    assert 90 not in clip.extra.values()
    assert clip.rung == "1080_7150"


def test_dmos_is_never_clipped(tmp_path: Path) -> None:
    write(tmp_path)
    assert named(tmp_path, "Birds_60_384_550.yuv").label == Label(kind="dmos", value=109.2)


def test_a_reference_without_an_entry_of_its_own_has_no_label(tmp_path: Path) -> None:
    write(tmp_path)
    assert named(tmp_path, "Birds_30fps.yuv").label == Label(kind="none")
    assert named(tmp_path, "CrowdRun_25fps.yuv").label == Label(kind="dmos", value=100.0)


def test_clips_are_found_by_basename_and_orphans_are_not_read(tmp_path: Path) -> None:
    write(tmp_path)
    for path in (
        "ref/CrowdRun_25fps.yuv",
        "ref/CrowdRun_03_288_375.yuv",
        "Birds_60_384_550.yuv",
        "dis/Orphan_1_2_3.yuv",
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert [clip.path for clip in read(tmp_path)] == [
        "ref/Birds_30fps.yuv",
        "Birds_60_384_550.yuv",
        "ref/CrowdRun_25fps.yuv",
        "ref/CrowdRun_03_288_375.yuv",
        "dis/CrowdRun_90_1080_7150.yuv",
    ]


def test_geometry_is_that_of_the_label_file_or_the_known_one(tmp_path: Path) -> None:
    write(tmp_path, head="width = 640\nheight = 360\nyuv_fmt = 'yuv420p10le'\nref_dir = ''\ndis_dir = ''\n")
    assert read(tmp_path)[0].raw == RawVideo(width=640, height=360, pix_fmt="yuv420p10le", framerate="30/1")
    write(tmp_path, head="ref_dir = ''\ndis_dir = ''\n")
    assert read(tmp_path)[0].raw == RawVideo(width=1920, height=1080, pix_fmt="yuv420p", framerate="30/1")


class TestLabelFile:
    def test_one_folder_up(self, tmp_path: Path) -> None:
        write(tmp_path)
        root = tmp_path / "clips"
        root.mkdir()
        corpus = open_corpus("netflix", root)
        assert len(corpus) == 5
        assert corpus.clips[0].origin.startswith("../NFLX_dataset_public.py:")
        assert [*corpus.label_files()] == ["../NFLX_dataset_public.py"]

    @pytest.mark.parametrize("absolute", [True, False])
    def test_named(self, tmp_path: Path, absolute: bool) -> None:
        path = write(tmp_path / "labels")
        path.rename(path.with_name("mine.py"))
        root = tmp_path / "clips"
        root.mkdir()
        labels = str(tmp_path / "labels" / "mine.py") if absolute else "../labels/mine.py"
        assert read(root, labels)[0].origin.startswith("../labels/mine.py:")

    def test_named_and_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            read(tmp_path, "mine.py")
        assert str(caught.value) == f"--set labels=mine.py: there is no such file; give a path from {tmp_path}."

    def test_missing(self, tmp_path: Path) -> None:
        assert sentence(tmp_path) == (
            f"{tmp_path}: no label file NFLX_dataset_public.py there or one folder up; put it beside ref/ and dis/, "
            "or name it with --set labels=FILE."
        )


class TestEntries:
    @pytest.mark.parametrize(
        ("dmos", "said"),
        [
            ("None", "dmos is blank; the clip has no label."),
            ("'good'", "dmos is 'good', not a finite number; correct the entry."),
            ("True", "dmos is True, not a finite number; correct the entry."),
            ("1e999", "dmos is inf, not a finite number; correct the entry."),
            ("9" * 400, f"dmos is {'9' * 57}..., not a finite number; correct the entry."),
            ("0x" + "f" * 4000, "dmos is a huge number, not a finite number; correct the entry."),
            ("-0.06", "dmos is -0.06, below 0; correct the entry."),
        ],
    )
    def test_a_bad_label_spoils_its_clip_alone(self, tmp_path: Path, dmos: str, said: str) -> None:
        write(tmp_path, (*RATED, f"{{'content_id': 1, 'dmos': {dmos}, 'path': '/Birds_1_2_3.yuv'}}"))
        bad = [clip for clip in read(tmp_path) if clip.label.problem]
        assert [clip.label for clip in bad] == [
            Label(kind="dmos", problem=f"NFLX_dataset_public.py:{FIRST_RATED + 4}: {said}")
        ]

    def test_twice_with_one_label_counts_once(self, tmp_path: Path) -> None:
        write(tmp_path, (*RATED, RATED[2].replace("dis_dir", "ref_dir").replace("20", "20.0", 1)))
        clip = named(tmp_path, "CrowdRun_03_288_375.yuv")
        assert (clip.label.problem, clip.extra["repeated_on_lines"]) == ("", str(FIRST_RATED + 4))
        assert len(read(tmp_path)) == 5

    def test_twice_with_two_labels_is_never_guessed(self, tmp_path: Path) -> None:
        write(tmp_path, (*RATED, RATED[2].replace("20", "21", 1)))
        assert named(tmp_path, "CrowdRun_03_288_375.yuv").label.problem == (
            f"NFLX_dataset_public.py:{FIRST_RATED + 2} and NFLX_dataset_public.py:{FIRST_RATED + 4} contradict each "
            "other on 'CrowdRun_03_288_375.yuv' in dmos; keep one of the entries."
        )

    def test_a_clip_of_another_content_is_never_compared(self, tmp_path: Path) -> None:
        write(tmp_path, (RATED[0], "{'content_id': 1, 'dmos': 20, 'path': '/CrowdRun_03_288_375.yuv'}"))
        assert named(tmp_path, "CrowdRun_03_288_375.yuv").label.problem == (
            f"NFLX_dataset_public.py:{FIRST_RATED + 1}: the clip is called CrowdRun but its content_id is that of "
            "Birds_30fps.yuv; correct the entry."
        )

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ("{'content_id': 7, 'dmos': 1, 'path': '/a_1_2_3.yuv'}", "content_id 7 is none of ref_videos"),
            ("{'dmos': 1, 'path': '/a_1_2_3.yuv'}", "content_id None is no whole number"),
            ("{'content_id': True, 'path': '/a_1_2_3.yuv'}", "content_id True is no whole number"),
            ("{'content_id': 0, 'dmos': 1}", "path None does not end in the name of a .yuv file"),
            ("{'content_id': 0, 'path': '../../etc/passwd'}",
             "path '../../etc/passwd' does not end in the name of a .yuv file"),
            ("{'content_id': 0, 'path': 'a/.yuv'}", "path 'a/.yuv' does not end in the name of a .yuv file"),
            ("{'content_id': 0, 'path': 'a/..\\\\b:.yuv'}",
             "path 'a/..\\\\b:.yuv' does not end in the name of a .yuv file"),
        ],
    )  # fmt: skip
    def test_an_entry_that_names_no_clip_refuses_the_file(self, tmp_path: Path, entry: str, said: str) -> None:
        path = write(tmp_path, (*RATED, entry))
        assert sentence(tmp_path) == f"{path}:{FIRST_RATED + 4}: {said}; correct the label file."

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ("{'content_id': 2, 'content_name': 'A', 'path': '/A.yuv'}",
             "reference 'A.yuv' is not called <content>_<fps>fps.yuv"),
            ("{'content_id': 2, 'content_name': 'A', 'path': '/A_0fps.yuv'}",
             "reference 'A_0fps.yuv' is not called <content>_<fps>fps.yuv"),
            ("{'content_id': 2, 'content_name': ' ', 'path': '/A_25fps.yuv'}", "content_name ' ' is no name"),
            ("{'content_id': 0, 'content_name': 'A', 'path': '/A_25fps.yuv'}",
             f"lines {FIRST} and {FIRST + 2} of ref_videos share an id, a name or a path"),
            ("{'content_id': 2, 'content_name': 'Birds', 'path': '/A_25fps.yuv'}",
             f"lines {FIRST + 1} and {FIRST + 2} of ref_videos share an id, a name or a path"),
            ("{'content_id': 2, 'content_name': 'A', 'path': '/Birds_30fps.yuv'}",
             f"lines {FIRST + 1} and {FIRST + 2} of ref_videos share an id, a name or a path"),
        ],
    )  # fmt: skip
    def test_a_bad_reference_refuses_the_file(self, tmp_path: Path, entry: str, said: str) -> None:
        path = write(tmp_path, references=(*REFERENCES, entry))
        assert sentence(tmp_path) == f"{path}:{FIRST + 2}: {said}; correct the label file."

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("width = 0", "width is not a size in pixels from 1 to 16384"),
            ("width = 1920.0", "width is not a size in pixels from 1 to 16384"),
            ("height = 'x'", "height is not a size in pixels from 1 to 16384"),
            ("yuv_fmt = 'rgb24'", "yuv_fmt 'rgb24' is no format such as yuv420p"),
        ],
    )
    def test_bad_geometry_refuses_the_file(self, tmp_path: Path, line: str, said: str) -> None:
        path = write(tmp_path, head=f"{line}\nref_dir = ''\ndis_dir = ''\n")
        assert sentence(tmp_path) == f"{path}:1: {said}; correct the label file."


@needs_shared
def test_the_published_labels(tmp_path: Path) -> None:
    """The 79 facts of the published file: 9 references at 100 and 70 distorted clips, five of them above 100."""
    with (SHARED / "labels" / "nflx_public_dmos.csv").open(newline="") as file:
        facts = list(csv.DictReader(file))
    contents = list(dict.fromkeys(fact["content"] for fact in facts))
    references = tuple(
        f"{{'content_id': {contents.index(fact['content'])}, 'content_name': '{fact['content']}', "
        f"'path': ref_dir + '/{fact['asset']}'}}"
        for fact in facts
        if fact["asset"].endswith("fps.yuv")
    )
    rated = tuple(
        f"{{'asset_id': {number}, 'content_id': {contents.index(fact['content'])}, 'dmos': {fact['dmos']}, "
        f"'path': {'ref_dir' if fact['asset'].endswith('fps.yuv') else 'dis_dir'} + '/{fact['asset']}'}}"
        for number, fact in enumerate(facts)
    )
    write(tmp_path, rated, references)
    clips = read(tmp_path)
    assert Counter(clip.is_reference for clip in clips) == {True: 9, False: 70}
    assert {clip.name: clip.label for clip in clips} == {
        fact["asset"]: Label(kind="dmos", value=float(fact["dmos"])) for fact in facts
    }
    assert {clip.name: clip.content for clip in clips} == {fact["asset"]: fact["content"] for fact in facts}
    assert {clip.label.value for clip in clips if clip.is_reference} == {100.0}
    distorted = [clip for clip in clips if not clip.is_reference]
    assert sum((clip.label.value or 0) > 100 for clip in distorted) == 5
    for clip in distorted:
        height, kbps = (clip.extra[f"netflix_{token}_token"] for token in ("height", "bitrate"))
        assert clip.rung == f"{height}_{kbps}"
        assert clip.name.endswith(f"_{clip.rung}.yuv")
    assert {clip.raw.framerate for clip in clips if clip.raw} == {"24/1", "25/1", "30/1"}
