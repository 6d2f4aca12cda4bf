"""The reader on the real label file of CHUG and on the small corpus, against what is known of both."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from corekit_chug.info import INFO, LADDER, ChugOptions
from corekit_chug.reader import read_clips

from corekit import Clip, split_of
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared


@pytest.fixture
def real(tmp_path: Path) -> list[Clip]:
    shutil.copy(SHARED / "labels" / "chug.csv", tmp_path)
    return list(read_clips(tmp_path, ChugOptions()))


def test_every_content_has_the_whole_ladder(real: list[Clip]) -> None:
    assert len(real) == 5992
    rungs: dict[str, set[str]] = {}
    for clip in real:
        rungs.setdefault(clip.content, set()).add(clip.rung)
    assert len(rungs) == 856
    assert all(found == set(LADDER) for found in rungs.values())
    assert sum(clip.is_reference for clip in real) == 856
    assert all(clip.is_reference == (clip.rung == LADDER[-1]) for clip in real)


def test_labels_are_read_as_they_stand(real: list[Clip]) -> None:
    assert not [clip.label.problem for clip in real if clip.label.problem]
    values = [clip.label.value or 0.0 for clip in real]
    errors = [clip.label.std_error or 0.0 for clip in real]
    assert min(values) == 14.149499805225982
    assert max(values) == pytest.approx(80.1, abs=0.05)
    assert [min(errors), max(errors)] == pytest.approx([1.37, 4.68], abs=0.005)
    worst = next(clip for clip in real if clip.label.value == min(values))
    assert (worst.name, worst.origin) == ("273a5d8a3b8c2d0eb4d4c8ff5fcfe360.mp4", "chug.csv:2")


def test_the_order_is_not_that_of_the_labels(real: list[Clip]) -> None:
    assert [clip.content for clip in real] == sorted(clip.content for clip in real)
    assert [clip.rung for clip in real[:7]] == ["1080p_ref_", *LADDER[:-1]]


def test_own_columns(real: list[Clip]) -> None:
    assert Counter(clip.extra["chug_orientation"] for clip in real) == {"Landscape": 2996, "Portrait": 2996}
    rates = [rate for clip in real if isinstance(rate := clip.extra["chug_framerate_manifest"], float)]
    assert len(rates) == 5992
    assert len(set(rates)) == 75
    assert sum(rate > 49 for rate in rates) == 567


def test_split_counts(real: list[Clip]) -> None:
    contents = {clip.content for clip in real}
    assert Counter(split_of(content, INFO.split_seed) for content in contents) == {"train": 656, "val": 108, "test": 92}


def test_the_small_corpus_against_its_truth() -> None:
    truth = json.loads((SHARED / "TRUTH.json").read_text())["corpora"]["chug"]
    clips = list(read_clips(SHARED / "corpora" / "chug", ChugOptions()))
    by_id = {clip.name.removesuffix(".mp4"): clip for clip in clips}
    assert {video: clip.label.value for video, clip in by_id.items()} == truth["labels"]
    assert {video: clip.label.std_error for video, clip in by_id.items()} == truth["sos"]
    assert {clip.content: clip.extra["chug_orientation"] for clip in clips} == truth["orientation"]
    assert all((SHARED / "corpora" / "chug" / clip.path).is_file() for clip in clips)
    groups: dict[str, set[str]] = {}
    for video, clip in by_id.items():
        groups.setdefault(clip.content, set()).add(video)
    assert groups == {content: set(videos) for content, videos in truth["content_groups"].items()}
    references = {clip.content: video for video, clip in by_id.items() if clip.is_reference}
    pairs = {
        (clip.content, references[clip.content], video, clip.rung, clip.label.value)
        for video, clip in by_id.items()
        if not clip.is_reference
    }
    assert pairs == {(p["content"], p["ref"], p["dis"], p["bitladder"], p["mos"]) for p in truth["pairs"]}
    assert {content: split_of(content, INFO.split_seed) for content in groups} == truth["split"]
