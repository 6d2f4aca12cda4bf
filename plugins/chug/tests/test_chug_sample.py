"""The sample of CHUG: in the real layout, readable, deterministic, and honest about what it is."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path

import corekit_chug
import numpy as np
import pytest
from corekit_chug import scene
from corekit_chug.info import INFO, LADDER, ChugOptions
from corekit_chug.sample import FRAMES, HEADER, write_sample

from corekit import Clip, UsageError, split_of
from corekit.video import VideoReader, probe


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "chug"
    assert corekit_chug.corekit_make_sample(root) is True
    return root


@pytest.fixture(scope="module")
def clips(sample: Path) -> list[Clip]:
    return list(corekit_chug.corekit_read_corpus(sample, ChugOptions()))


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_it_is_the_same_twice(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path)
    assert digests(tmp_path) == digests(sample)


def test_its_layout_is_the_real_one(sample: Path) -> None:
    lines = (sample / "chug.csv").read_bytes().decode("ascii").split("\n")
    assert lines[0] == HEADER
    assert lines[-1] == ""
    number = r"\d\d?\.\d{10,17}"
    row = re.compile(
        rf"([0-9a-f]{{32}}),{number},{number},[01],(\w+\.?\w*_)#(\S+\.mp4),\2,(\d+p|ref),([\d.]+M|ref),"
        r"(Landscape|Portrait),\d+\.\d+,\3,\d+,\d+"
    )
    matches = [row.fullmatch(line) for line in lines[1:-1]]
    assert all(matches)
    scores = [float(line.split(",")[1]) for line in lines[1:-1]]
    assert scores == sorted(scores)
    names = {f"CHUG_Videos/{match[1]}.mp4" for match in matches if match}
    assert set(digests(sample)) == {"chug.csv", *names}


def test_it_holds_whole_ladders_of_every_kind(clips: list[Clip]) -> None:
    contents: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        contents[clip.content].append(clip)
    assert len(contents) == 4
    assert all([clip.rung for clip in ladder] == [LADDER[-1], *LADDER[:-1]] for ladder in contents.values())
    assert {split_of(content, INFO.split_seed) for content in contents} == {"train", "val", "test"}
    assert {clip.extra["chug_orientation"] for clip in clips} == {"Landscape", "Portrait"}
    best = [max(ladder, key=lambda clip: clip.label.value or 0).is_reference for ladder in contents.values()]
    assert True in best
    assert False in best


def test_every_clip_is_what_its_label_says(sample: Path, clips: list[Clip]) -> None:
    rates = set()
    for clip in clips:
        found = probe(sample / clip.path)
        assert (found.width, found.height) == (clip.extra["chug_width_manifest"], clip.extra["chug_height_manifest"])
        assert (found.height > found.width) == (clip.extra["chug_orientation"] == "Portrait")
        assert (found.pix_fmt, found.transfer, found.primaries) == ("yuv420p10le", "smpte2084", "bt2020")
        assert (found.matrix, found.color_range, found.n_frames) == ("bt2020nc", "limited", FRAMES)
        assert found.fps == pytest.approx(clip.extra["chug_framerate_manifest"], abs=0.001)
        rates.add(found.framerate)
    assert rates == {"24/1", "30/1", "30000/1001", "60000/1001"}


def test_quality_rises_with_the_rung(sample: Path, clips: list[Clip]) -> None:
    ladders: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        ladders[clip.content].append(clip)
    for ladder in ladders.values():
        reference, *rungs = ladder
        target = VideoReader(sample / reference.path).fmt
        pristine = [planes[0].copy() for planes in VideoReader(sample / reference.path)]
        errors = {}
        for clip in rungs:
            with VideoReader(sample / clip.path, target=target) as reader:
                pairs = zip(reader, pristine, strict=True)
                errors[clip.rung] = np.mean([np.square(dis[0] - 1.0 * ref).mean() for dis, ref in pairs])
        assert errors["1080p_3M_"] < errors["1080p_1M_"] < errors["1080p_0.5M_"]
        assert errors["720p_2M_"] < errors["720p_0.5M_"] < errors["360p_0.2M_"]


def test_it_never_touches_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path)
    assert str(caught.value) == f"{tmp_path}: a sample is written into a new or empty folder; name another."
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pq_of_white() -> None:
    """ITU-R BT.2408: 203 cd/m2 is 58 % of the PQ signal; 10,000 is all of it."""
    coded = scene._pq((scene.WHITE, 10000.0, 0.0))
    assert coded == pytest.approx([0.5807, 1.0, 0.0], abs=1e-4)
