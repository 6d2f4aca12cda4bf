"""The CHUG plugin as core meets it: its description, its columns, its manifest section, its cost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import corekit_chug
import msgspec
import pytest
from corekit_chug.info import ChugOptions

from corekit import Clip, CorpusInfo, Label, Measurement, Probe


def clip(name: str, **fields: object) -> Clip:
    given = {"name": name, "path": f"clips/{name}", "content": "a.mp4", "label": Label(kind="mos", value=50.0)}
    return Clip(**{**given, "origin": "chug.csv:2", **fields})  # type: ignore[arg-type]


def probe(**fields: object) -> Probe:
    given: dict[str, object] = {
        "width": 640, "height": 360, "pix_fmt": "yuv420p10le", "bit_depth": 10, "codec": "hevc",
        "framerate": "30000/1001", "duration_s": 1.0, "transfer": "smpte2084", "primaries": "bt2020",
    }  # fmt: skip
    return Probe(**{**given, **fields})  # type: ignore[arg-type]


def measurement(of: Probe, reference: Probe | None = None) -> Measurement:
    return Measurement(
        clip_sha256="0" * 64, ref_sha256=None, probe=of, ref_probe=reference, frames_dis=1, frames_ref=1, n_frames=1,
        pooled={}, nulls={}, options={}, backend="libvmaf", versions={},
    )  # fmt: skip


class Run:
    """A finished run of the given clips and measurements."""

    def __init__(self, clips: tuple[Clip, ...], measured: dict[str, Measurement]) -> None:
        self.clips = clips
        self._measured = measured
        self.info: CorpusInfo = corekit_chug.corekit_corpus()
        self.counters: Mapping[str, int] = {}

    def measured(self) -> Iterator[tuple[Clip, Measurement]]:
        return ((clip, self._measured[clip.name]) for clip in self.clips if clip.name in self._measured)


def test_the_entry_point_is_the_module() -> None:
    (entry,) = entry_points(group="corekit.corpora", name="chug")
    assert entry.load() is corekit_chug
    assert corekit_chug.COREKIT_API == 1


def test_info() -> None:
    info = corekit_chug.corekit_corpus()
    assert (info.name, info.version, info.split_seed) == ("chug", "chug-icip-2025", "chug-hdr-v1")
    assert (info.label_kind, info.label_min, info.label_max) == ("mos", 0, 100)
    assert info.pairings == ("fr", "nr")
    assert [licence.name for licence in info.licences] == ["CC BY-NC 4.0", "CC BY-NC-SA 4.0", "CC BY-SA 4.0"]
    assert info.treat_as == "CC BY-NC-SA 4.0"
    assert [(column.name, column.type) for column in info.columns] == [
        ("chug_video_id", "str"),
        ("chug_ref", "int"),
        ("chug_name", "str"),
        ("chug_bitladder", "str"),
        ("chug_resolution", "str"),
        ("chug_bitrate_label", "str"),
        ("chug_orientation", "str"),
        ("chug_framerate_manifest", "float"),
        ("chug_content_name", "str"),
        ("chug_height_manifest", "int"),
        ("chug_width_manifest", "int"),
        ("mos_raw_0_100", "float"),
        ("chug_split_key", "str"),
        ("chug_split_policy", "str"),
    ]
    assert info.metadata_keys == ("mos_raw_0_100", *(column.name for column in info.columns[:11]))


def test_options_are_checked_by_their_type() -> None:
    assert msgspec.convert({}, ChugOptions) == ChugOptions(labels="", clips="")
    with pytest.raises(msgspec.ValidationError, match="unknown field `label`"):
        msgspec.convert({"label": "x"}, ChugOptions)


def test_shape_row_gives_every_column_in_order() -> None:
    labelled = clip("aa.mp4", extra={"chug_video_id": "aa", "chug_ref": 0, "repeated_on_lines": "3"})
    row = corekit_chug.corekit_shape_row(labelled, probe(), {})
    assert tuple(row) == corekit_chug.corekit_corpus().columns
    values = {column.name: value for column, value in row.items() if value is not None}
    assert values == {
        "chug_video_id": "aa",
        "chug_ref": 0,
        "mos_raw_0_100": 50.0,
        "chug_split_key": "a.mp4",
        "chug_split_policy": "content-name-blake2s-80-10-10",
    }


def test_shape_row_of_a_given_split() -> None:
    row = corekit_chug.corekit_shape_row(clip("aa.mp4", split="val"), probe(), {})
    values = {column.name: value for column, value in row.items()}
    assert values["chug_split_key"] is None
    assert values["chug_split_policy"] == "given-by-corpus"


def test_manifest_section_finds_contradictions() -> None:
    says = {"chug_orientation": "Landscape", "chug_width_manifest": 640, "chug_height_manifest": 360}
    clips = (
        clip("ref.mp4", is_reference=True, rung="1080p_ref_", extra={**says, "chug_framerate_manifest": 29.97}),
        clip("low.mp4", rung="360p_0.2M_", extra={**says, "chug_framerate_manifest": 29.97, "repeated_on_lines": "9"}),
        clip("mid.mp4", rung="720p_2M_", extra={**says, "chug_framerate_manifest": 30.0}),
        clip("new.mp4", rung="9p_", extra={"chug_orientation": None}, label=Label(kind="mos", problem="blank")),
    )
    reference = probe(width=360, height=640)
    run = Run(
        clips,
        {
            "low.mp4": measurement(probe(), reference),
            "mid.mp4": measurement(probe(primaries="bt709"), reference),
            "new.mp4": measurement(probe(framerate="60000/1001", transfer="bt709", variable_rate=True), reference),
        },
    )
    section = corekit_chug.corekit_write_manifest(run)
    assert section.name == "chug"
    assert section.content["labels"] == {
        "files": ["chug.csv"],
        "clips": 4,
        "contents": 1,
        "references": 1,
        "rungs": {"360p_0.2M_": 1, "720p_2M_": 1, "1080p_ref_": 1, "9p_": 1},
        "orientations": {"Landscape": 3, "unknown": 1},
        "split_basis": "content name",
        "unusable_labels": 1,
        "repeated_rows": {"count": 1, "examples": ["chug.csv:2 again on 9"]},
    }
    assert section.content["probed"] == {
        "clips": 4,
        "transfer_classes": {"pq": 3, "sdr": 1},
        "portrait": 1,
        "landscape": 3,
        "above_49_fps": 1,
        "variable_rate": 1,
        "pq_or_hlg_without_bt2020": {"count": 1, "examples": ["mid.mp4: smpte2084 with primaries bt709"]},
        "geometry_contradictions": {"count": 1, "examples": ["ref.mp4: labels 640x360, clip 360x640"]},
        "framerate_contradictions": {"count": 1, "examples": ["mid.mp4: labels 30.0 Hz, clip 30000/1001"]},
    }
    licences = section.content["licences"]
    assert isinstance(licences, dict)
    assert licences["treat_as"] == "CC BY-NC-SA 4.0"
    assert json.loads(json.dumps(section.content)) == section.content


@pytest.mark.parametrize(
    ("split", "basis"),
    [("val", "the label file's column split"), (None, "clip name: contents are not known and may straddle the splits")],
)
def test_manifest_section_without_contents(split: str | None, basis: str) -> None:
    run = Run((clip("aa.mp4", unpaired="no content", split=split),), {})
    labels = corekit_chug.corekit_write_manifest(run).content["labels"]
    assert isinstance(labels, dict)
    assert labels["contents"] is None
    assert labels["split_basis"] == basis


def test_importing_and_reading_load_nothing_heavy(tmp_path: Path) -> None:
    header = "Video,mos_j,ref,content_name"
    (tmp_path / "chug.csv").write_text(f"{header}\naa,50,1,a.mp4\n")
    code = (
        "import sys, pathlib, corekit_chug as c\n"
        "assert len(list(c.corekit_read_corpus(pathlib.Path(sys.argv[1]), c.ChugOptions()))) == 1\n"
        "print([m for m in ('av', 'numpy', 'pyarrow', 'torch', 'corekit.video') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
