"""The bvi_dvc reader: every form of name, folder and archive, tiers that share a content, raw files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from corekit_bvi_dvc.info import BviDvcOptions
from corekit_bvi_dvc.reader import read_clips

from corekit import Clip, CorpusError, Encode, Label, RawVideo, audit, open_corpus

NAME = "DBookcaseBVITexture_480x272_120fps_10bit_420.mp4"


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def pack(root: Path, *members: str, archive: str = "BVI-DVC Part 1.zip") -> Path:
    with zipfile.ZipFile(root / archive, "w") as opened:
        for member in members:
            opened.writestr(member, "")
    return root / archive


def read(root: Path, **options: object) -> list[Clip]:
    return list(read_clips(root, BviDvcOptions(**options)))  # type: ignore[arg-type]


def paths(root: Path) -> list[str]:
    return [clip.path for clip in read(root)]


def sentence(root: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read(root)
    return str(caught.value)


def test_a_sequence_is_a_clip(tmp_path: Path) -> None:
    put(tmp_path, f"Videos/{NAME}")
    assert read(tmp_path) == [
        Clip(
            name=NAME,
            path=f"Videos/{NAME}",
            content="BookcaseBVITexture",
            label=Label(kind="none"),
            encode=Encode(encoder="libx264", preset="fast", crf=35, pix_fmt="yuv420p10le"),
            src="bvi-dvc:DBookcaseBVITexture_480x272_120fps_10bit_420",
            extra={"bvi_dvc_tier": "D", "bvi_dvc_fps_token": 120},
        )
    ]


def test_the_recipe_is_the_options(tmp_path: Path) -> None:
    put(tmp_path, NAME)
    recipe = read(tmp_path, encoder="h264_nvenc", preset="p4", crf=28)[0].encode
    assert recipe == Encode(encoder="h264_nvenc", preset="p4", crf=28, pix_fmt="yuv420p10le")


@pytest.mark.parametrize(
    "name",
    [
        NAME, "AAnimals_3840x2176_23fps_8bit_444.mkv", "BX9_1920x1088_29fps_10bit_422.y4m",
        "CAir_960x544_60fps_10bit_420_x264_compressed.mkv", "DAir_480x272_60fps_10bit_420_x264_compressed.mp4",
    ],
)  # fmt: skip
def test_names_that_are_sequences(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    (clip,) = read(tmp_path)
    assert (clip.name, clip.src) == (name, f"bvi-dvc:{name[:-4]}")


@pytest.mark.parametrize(
    "name",
    [
        f"E{NAME[1:]}", f"._{NAME}", "DAir_480x272_60fps_12bit_420.mp4", "DAir_480x272_60fps_10bit_420.mp4.part",
        "D_480x272_60fps_10bit_420.mp4", "DAir_480x272_59.94fps_10bit_420.mp4", "DAir_480x272_60fps_10bit_420_x265.mkv",
        "DAir-1_480x272_60fps_10bit_420.mp4", "readme.txt",
    ],
)  # fmt: skip
def test_names_that_are_none_are_left_alone(tmp_path: Path, name: str) -> None:
    put(tmp_path, NAME, f"Videos/{name}")
    pack(tmp_path, f"Videos/{name}")
    assert paths(tmp_path) == [NAME]


def test_the_four_tiers_of_a_source_share_content_and_split(tmp_path: Path) -> None:
    sizes = {"A": "3840x2176", "B": "1920x1088", "C": "960x544", "D": "480x272"}
    put(tmp_path, *(f"{tier}{name}_{size}_25fps_10bit_420.mp4" for tier, size in sizes.items() for name in "XYZ"))
    corpus = open_corpus("bvi_dvc", tmp_path)
    assert len(corpus) == 12
    splits: dict[str, set[str]] = {}
    for clip in corpus:
        splits.setdefault(clip.content, set()).add(corpus.split(clip))
    assert sorted(splits) == ["X", "Y", "Z"] and all(len(found) == 1 for found in splits.values())
    assert [clip.extra["bvi_dvc_tier"] for clip in corpus] == [tier for tier in "ABCD" for _ in "XYZ"]


def test_case_and_folders_of_tiers_hide_no_sequence(tmp_path: Path) -> None:
    spellings = (
        "Videos/DAir_480x272_25fps_10bit_420.MP4",
        "Videos/c/CAIR_960x544_25fps_10bit_420.mp4",
        "b/bair_1920x1088_25FPS_10BIT_420.yuv",
        "videos/DSea_480x272_25fps_10bit_420.Mkv",
    )
    put(tmp_path, *spellings, "videos/A", "Videos/dair_480x272_25fps_10bit_420.mkv")
    clips = read(tmp_path)
    assert sorted(clip.path for clip in clips) == sorted(spellings)
    assert {clip.content for clip in clips} == {"AIR", "Sea"}
    assert [clip.extra["bvi_dvc_tier"] for clip in clips] == ["C", "D", "D", "B"]
    assert [clip.raw is not None for clip in clips] == [False, False, False, True]


def test_the_audit_names_what_is_no_sequence(tmp_path: Path) -> None:
    strange = f"E{NAME[1:]}"
    put(tmp_path, f"Videos/{NAME}", f"Videos/{strange}", f"Videos/E/{NAME}")
    findings = {finding.code: finding.examples for finding in audit("bvi_dvc", tmp_path, headers=0).findings}
    assert findings["orphan-file"] == (f"Videos/E/{NAME}", f"Videos/{strange}")


def test_raw_files_are_described_by_their_names(tmp_path: Path) -> None:
    put(tmp_path, "DAir_480x272_29fps_10bit_420.yuv", "DSea_480x272_50fps_8bit_444.yuv")
    air, sea = (clip.raw for clip in read(tmp_path))
    assert air == RawVideo(width=480, height=272, pix_fmt="yuv420p10le", framerate="30000/1001")
    assert sea == RawVideo(width=480, height=272, pix_fmt="yuv444p", framerate="50/1")


def test_a_sequence_in_several_places_and_forms_is_one_clip(tmp_path: Path) -> None:
    stem = NAME[:-4]
    pack(tmp_path, f"Videos/{NAME}", archive="BVI-DVC Part 2.zip")
    pack(tmp_path, f"Videos/{NAME}")
    assert paths(tmp_path) == [f"BVI-DVC Part 1.zip/Videos/{NAME}"]
    put(tmp_path, NAME)
    assert paths(tmp_path) == [NAME]
    put(tmp_path, f"Videos/{NAME}")
    assert paths(tmp_path) == [f"Videos/{NAME}"]
    put(tmp_path, f"Videos/{stem}.mkv", f"Videos/{stem}.yuv")
    assert paths(tmp_path) == [f"Videos/{NAME}"]
    (tmp_path / "Videos" / NAME).unlink()
    (tmp_path / NAME).unlink()
    assert paths(tmp_path) == [f"BVI-DVC Part 1.zip/Videos/{NAME}"]


def test_archives_and_folders_make_one_corpus(tmp_path: Path) -> None:
    pack(tmp_path, "Videos/", "Videos/DAir_480x272_25fps_10bit_420.mp4", "__MACOSX/Videos/._x.mp4")
    pack(tmp_path, "DSea_480x272_25fps_10bit_420.mp4", archive="b.ZIP")
    put(tmp_path, f"Videos/{NAME}")
    clips = read(tmp_path)
    assert [(clip.archive, clip.path) for clip in clips] == [
        ("BVI-DVC Part 1.zip", "BVI-DVC Part 1.zip/Videos/DAir_480x272_25fps_10bit_420.mp4"),
        ("", f"Videos/{NAME}"),
        ("b.ZIP", "b.ZIP/DSea_480x272_25fps_10bit_420.mp4"),
    ]


def test_a_member_that_leaves_its_archive_is_refused(tmp_path: Path) -> None:
    pack(tmp_path, f"Videos/../../{NAME}")
    with pytest.raises(CorpusError) as caught:
        open_corpus("bvi_dvc", tmp_path)
    path = f"BVI-DVC Part 1.zip/Videos/../../{NAME}"
    assert str(caught.value) == (
        f"BVI-DVC Part 1.zip: {path!r} is not a path of a clip below the corpus root; pack the archive anew without it"
    )


def test_what_is_no_corpus(tmp_path: Path) -> None:
    assert sentence(tmp_path) == (
        f"{tmp_path}: no sequence such as {NAME}, neither in Videos/ nor in a zip archive; give --root the folder that holds "
        "them."
    )
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4")
    assert sentence(tmp_path) == (
        f"{tmp_path / 'broken.zip'}: the archive cannot be read (File is not a zip file); fetch it again."
    )
