"""The netflix plugin as core meets it: its description, columns, manifest section, and what it opens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import corekit_netflix
import msgspec
import pytest
from corekit_netflix.info import NetflixOptions

from corekit import Clip, CorpusInfo, Label, Measurement, Pooled, Probe, RawVideo


def clip(name: str, value: float | None, **fields: object) -> Clip:
    label = Label(kind="dmos", value=value, problem="" if value is not None else "blank")
    given = {
        "name": name, "path": f"dis/{name}", "content": "Kites", "label": label, "origin": "NFLX_dataset_public.py:9",
        "raw": RawVideo(width=1920, height=1080, pix_fmt="yuv420p", framerate="25/1"),
    }  # fmt: skip
    return Clip(**{**given, **fields})  # type: ignore[arg-type]


def measurement(*features: str) -> Measurement:
    probe = Probe(
        width=1920, height=1080, pix_fmt="yuv420p", bit_depth=8, codec="rawvideo", framerate="25/1", duration_s=6.0
    )
    return Measurement(
        clip_sha256="0" * 64, ref_sha256="1" * 64, probe=probe, ref_probe=probe, frames_dis=150, frames_ref=150,
        n_frames=150, pooled={name: Pooled(1.0, 0.0, 1.0, 1.0, 150) for name in features}, nulls={}, options={},
        backend="cpu", versions={},
    )  # fmt: skip


class Run:
    """A finished run of the given clips and measurements."""

    def __init__(self, clips: tuple[Clip, ...], measured: Mapping[str, Measurement]) -> None:
        self.clips = clips
        self._measured = measured
        self.info: CorpusInfo = corekit_netflix.corekit_corpus()
        self.counters: Mapping[str, int] = {}

    def measured(self) -> Iterator[tuple[Clip, Measurement]]:
        return ((clip, self._measured[clip.name]) for clip in self.clips if clip.name in self._measured)


def test_the_entry_point_is_the_package() -> None:
    (entry,) = entry_points(group="corekit.corpora", name="netflix")
    assert entry.load() is corekit_netflix
    assert corekit_netflix.COREKIT_API == 1


def test_info() -> None:
    info = corekit_netflix.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("netflix", "netflix-v1", "COREKIT_NETFLIX_ROOT")
    assert (info.label_kind, info.label_min, info.label_max, info.pairings) == ("dmos", 0, None, ("fr",))
    assert info.default_features == "full"
    assert not info.missing_is_normal
    assert [(column.name, column.type, column.unit) for column in info.columns] == [
        ("netflix_height_token", "int", "px"),
        ("netflix_bitrate_token", "int", "kbit/s"),
    ]
    assert info.metadata_keys == ("netflix_height_token", "netflix_bitrate_token")
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_options_are_checked_by_their_type() -> None:
    assert msgspec.convert({}, NetflixOptions) == NetflixOptions(labels="")
    with pytest.raises(msgspec.ValidationError, match="unknown field `label`"):
        msgspec.convert({"label": "x"}, NetflixOptions)


def test_shape_row_gives_every_column_in_order() -> None:
    extra = {"netflix_height_token": 288, "netflix_bitrate_token": 375, "repeated_on_lines": "9"}
    row = corekit_netflix.corekit_shape_row(clip("a.yuv", 1.0, extra=extra))
    assert tuple(row) == corekit_netflix.corekit_corpus().columns
    assert [*row.values()] == [288, 375]


def test_manifest_section() -> None:
    clips = (
        clip("ref.yuv", 100.0, is_reference=True),
        clip("low.yuv", 18.3),
        clip("high.yuv", 109.2, extra={"repeated_on_lines": "30"}),
        clip("none.yuv", None),
    )
    measured = {"ref.yuv": measurement("motion2"), "low.yuv": measurement("vmaf", "motion2")}
    section = corekit_netflix.corekit_write_manifest(Run(clips, measured))
    assert section.name == "netflix"
    assert section.content == {
        "pairs": 1,
        "rows": 2,
        "features": ["motion2", "vmaf"],
        "labels": {
            "files": ["NFLX_dataset_public.py"],
            "references": 1,
            "distorted": 3,
            "contents": ["Kites"],
            "dmos_min": 18.3,
            "dmos_max": 109.2,
            "dmos_above_100": 1,
            "raw_formats": {"1920x1080 yuv420p 25/1": 4},
            "unusable": {"count": 1, "examples": ["blank"]},
            "repeated_entries": {"count": 1, "examples": ["NFLX_dataset_public.py:9 again on 30"]},
        },
    }
    assert json.loads(json.dumps(section.content)) == section.content


def test_reading_opens_the_label_file_alone_runs_nothing_and_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "NFLX_dataset_public.py").write_text(
        "ref_videos = [{'content_id': 0, 'content_name': 'K', 'path': '/K_25fps.yuv'}]\n"
        "dis_videos = [{'content_id': 0, 'dmos': 9, 'path': '/K_03_288_375.yuv'}]\n"
    )
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "K_25fps.yuv").touch()
    code = (
        "import sys, pathlib, corekit_netflix as n\n"
        "read = lambda: list(n.corekit_read_corpus(pathlib.Path(sys.argv[1]), n.NetflixOptions()))\n"
        "read()  # what Python itself imports for the first read\n"
        "events = []\n"
        "sys.addaudithook(lambda event, args: events.append((event, args)))\n"
        "assert len(read()) == 2\n"
        "paths = [str(args[0]) for event, args in events if event == 'open']\n"
        "print(sorted(pathlib.Path(p).name for p in paths if p.startswith(sys.argv[1])))\n"
        "print([event for event, args in events if event in ('exec', 'import')])\n"
        "print([m for m in ('av', 'numpy', 'pyarrow', 'torch', 'corekit.video') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "['NFLX_dataset_public.py']\n[]\n[]\n"
