"""The k150k plugin as core meets it: its description, columns, manifest section, and what it opens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import corekit_k150k
import msgspec
import pytest
from corekit_k150k.info import K150kOptions

from corekit import Clip, CorpusInfo, Label, Measurement, Pooled, Probe


def clip(name: str, part: str = "a", **fields: object) -> Clip:
    given = {
        "name": name,
        "path": f"k150ka/{name}",
        "content": name,
        "label": Label(kind="mos", value=3.0, n_ratings=5),
    }
    extra = {"k150k_part": part}
    return Clip(**{**given, "origin": f"k150k{part}_scores.csv:2", "extra": extra, **fields})  # type: ignore[arg-type]


def measurement(*features: str) -> Measurement:
    probe = Probe(width=960, height=540, pix_fmt="yuv420p", bit_depth=8, codec="h264", framerate="30/1", duration_s=5.0)
    return Measurement(
        clip_sha256="0" * 64, ref_sha256=None, probe=probe, ref_probe=None, frames_dis=150, frames_ref=150,
        n_frames=150, pooled={name: Pooled(1.0, 0.0, 1.0, 1.0, 150) for name in features}, nulls={}, options={},
        backend="cpu", versions={},
    )  # fmt: skip


class Run:
    """A finished run of the given clips and measurements."""

    def __init__(self, clips: tuple[Clip, ...], measured: Mapping[str, Measurement]) -> None:
        self.clips = clips
        self._measured = measured
        self.info: CorpusInfo = corekit_k150k.corekit_corpus()
        self.counters: Mapping[str, int] = {
            "total_clips": 4, "contents": 4, "done_before": 1, "pending_at_start": 2, "ok": 1, "failed": 1,
            "missing": 1, "parquet_rows": 2,
        }  # fmt: skip

    def measured(self) -> Iterator[tuple[Clip, Measurement]]:
        return ((clip, self._measured[clip.name]) for clip in self.clips if clip.name in self._measured)


def test_the_entry_point_is_the_package() -> None:
    (entry,) = entry_points(group="corekit.corpora", name="k150k")
    assert entry.load() is corekit_k150k
    assert corekit_k150k.COREKIT_API == 1


def test_info() -> None:
    info = corekit_k150k.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("k150k", "k150k-v1", "COREKIT_K150K_ROOT")
    assert (info.label_kind, info.label_min, info.label_max, info.pairings) == ("mos", 1, 5, ("nr",))
    assert info.default_features == "full"
    assert info.missing_is_normal
    assert [(column.name, column.type) for column in info.columns] == [
        ("k150k_part", "str"),
        ("k150k_video_score", "float"),
    ]
    assert info.metadata_keys == ("k150k_part", "k150k_video_score")
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_options_are_checked_by_their_type() -> None:
    assert msgspec.convert({"part": "b"}, K150kOptions).part == "b"
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'c'"):
        msgspec.convert({"part": "c"}, K150kOptions)


def test_shape_row_gives_every_column_in_order() -> None:
    row = corekit_k150k.corekit_shape_row(clip("x.mp4", extra={"k150k_part": "b", "k150k_video_score": 3.25}))
    assert tuple(row) == corekit_k150k.corekit_corpus().columns
    assert [*row.values()] == ["b", 3.25]


def test_manifest_section() -> None:
    clips = (
        clip("a.mp4"),
        clip(
            "b.mp4",
            label=Label(kind="mos", value=3.33),
            extra={"k150k_part": "a", "repeated_at": "k150ka_scores.csv:9"},
        ),
        clip("c.mp4", label=Label(kind="mos", problem="blank")),
        clip("d.mp4", "b", label=Label(kind="mos", value=3.33)),
    )
    section = corekit_k150k.corekit_write_manifest(
        Run(clips, {"a.mp4": measurement("cambi", "motion2"), "d.mp4": measurement("motion2")})
    )
    assert section.name == "k150k"
    assert section.content["rows"] == {"a": 1, "b": 1}
    assert section.content["labels"] == {
        "files": ["k150ka_scores.csv", "k150kb_scores.csv"],
        "clips": {"a": 3, "b": 1},
        "unusable": {"count": 1, "examples": ["blank"]},
        "repeated_rows": {"count": 1, "examples": ["k150ka_scores.csv:2 again at k150ka_scores.csv:9"]},
        "part_a_no_mean_of_5_votes": {"count": 1, "examples": ["k150ka_scores.csv:2: 3.33"]},
    }
    split = section.content["extractor_split"]
    assert isinstance(split, dict)
    assert split["computed"] == {"motion2": 2, "cambi": 1}
    assert isinstance(split["null"], list)
    assert len(split["null"]) == 25
    assert section.content["restart"] == {
        "total_clips": 4, "done_before": 1, "pending_at_start": 2, "recovered_rows": 1, "ok": 1, "fail": 1,
        "missing": 1, "parquet_rows": 2,
    }  # fmt: skip
    assert json.loads(json.dumps(section.content)) == section.content


def test_reading_opens_the_label_files_alone_and_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "k150ka_scores.csv").write_text("video_name,video_score\norig_1_540_5s.mp4,3.4\n")
    (tmp_path / "k150kb_scores.csv").write_text("video_name,mos,video_score\norig_2_540_5s.mp4,3.41,3.3\n")
    (tmp_path / "k150ka").mkdir()
    (tmp_path / "k150ka" / "orig_1_540_5s.mp4").touch()
    # A pipe that nobody writes to: opening it would never return.
    for votes in ("k150ka_votes.csv", "k150kb_votes.csv"):
        os.mkfifo(tmp_path / votes)
    code = (
        "import sys, pathlib, corekit_k150k as k\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "assert len(list(k.corekit_read_corpus(pathlib.Path(sys.argv[1]), k.K150kOptions()))) == 2\n"
        "print(sorted(pathlib.Path(p).name for p in opened if p.startswith(sys.argv[1])))\n"
        "print([m for m in ('av', 'numpy', 'pyarrow', 'torch', 'corekit.video') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['k150ka_scores.csv', 'k150kb_scores.csv']\n[]\n"
