"""A run that makes the distortion itself: what a row says of the encode, what is measured again, what fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from corekit import Clip, Encode, Label, RunOptions, RunResult, UsageError, make_sample, plan, run
from corekit.driver.synthetic import encoder_identity
from corekit.driver.tasks import Task, task_identity
from corekit.plugins.composition import Composition
from corekit.video import VideoReader, encode_video, encoder_version, own_params, probe
from tests.run.kit import EPOCH, Lab, table

MOS = "KoNViD_1k_metadata/KoNViD_1k_mos.csv"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of the konvid sample."""
    root = make_sample("konvid", tmp_path_factory.mktemp("corpus") / "konvid")
    (root / "KoNViD_1k_metadata" / "KoNViD_1k_attributes.csv").unlink()
    names = [line.partition(",")[0] for line in (root / MOS).read_text().splitlines()[1:]]
    for name in names[2:]:
        (root / "KoNViD_1k_videos" / f"{name}.mp4").unlink()
    (root / MOS).write_text(f"flickr_id,mos\n{names[0]},3.5\n{names[1]},2.25\n")
    return root


@pytest.fixture
def root(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "corpus"))


def options(root: Path, **more: Any) -> RunOptions:
    given = {"corpus": "konvid", "root": root, "out": root.parent / "t.parquet", "backend": "cpu", "features": "psnr_y"}
    return RunOptions(**{**given, **more})


def rows(result: RunResult) -> list[dict[str, Any]]:
    return list(table(result.table).values())


def clips(root: Path) -> list[Path]:
    return sorted((root / "KoNViD_1k_videos").iterdir())


def psnr(reference: Path, distorted: Path) -> float:
    with VideoReader(reference) as one, VideoReader(distorted) as other:
        values = [
            10 * np.log10(255**2 / np.mean((a[0].astype(float) - b[0].astype(float)) ** 2))
            for a, b in zip(one, other, strict=True)
        ]
    return float(np.mean(values))


def test_a_row_is_the_encode_of_its_recipe(root: Path, tmp_path: Path) -> None:
    result = run(options(root))
    assert result.complete
    for row, clip in zip(rows(result), clips(root), strict=True):
        with VideoReader(clip) as reader:
            header, seconds = reader.probe, 24 / Fraction(reader.probe.framerate)
            encode_video(
                tmp_path / "e.mp4", reader, reader.fmt, framerate=Fraction(header.framerate), codec="libx264",
                options={"preset": "veryfast", "crf": "35"}, transfer=header.transfer, primaries=header.primaries,
                matrix=header.matrix, color_range=header.color_range,
            )  # fmt: skip
        size = (tmp_path / "e.mp4").stat().st_size
        assert row["psnr_y_mean"] == pytest.approx(psnr(clip, tmp_path / "e.mp4"), abs=1e-9)
        assert (row["encode_size_bytes"], row["bitrate_kbps"]) == (size, float(size * 8 / seconds / 1000))
        assert (row["encoder"], row["preset"], row["crf"]) == ("libx264", "veryfast", 35)
        assert row["encoder_version"] == encoder_version("libx264")
        assert row["extra_params"] == "cpu-independent=1"
        assert row["encode_path"] is None and row["encode_time_ms"] >= 0
        assert (row["clip_name"], row["src_sha256"]) == (clip.name, row["ref_sha256"])
        assert (row["ref_clip_name"], row["frames_ref"], row["frames_dis"]) == (clip.name, 24, 24)
        assert (row["width"], row["height"], row["framerate"]) == (header.width, header.height, header.fps)


def test_its_label_is_the_teacher(root: Path) -> None:
    result = run(options(root, features="canonical,vmaf"))
    for row, mos in zip(rows(result), (3.5, 2.25), strict=True):
        assert (row["label_kind"], row["pairing"], row["konvid_mos"]) == ("teacher", "synthetic", mos)
        assert row["mos"] is row["mos_native"] is row["mos_scale_min"] is row["mos_scale_max"] is None
        assert row["vmaf_score"] == row["vmaf_mean"] < 90
        assert row["vmaf_model"] == "vmaf_v0.6.1"


def test_a_bad_label_costs_the_row_under_nr_alone(root: Path) -> None:
    (root / MOS).write_text((root / MOS).read_text().replace(",3.5", ",9.5"))
    result = run(options(root))
    assert result.complete and [row["konvid_mos"] for row in rows(result)] == [None, 2.25]
    result = run(options(root, pairing="nr", features="motion"))
    assert not result.complete
    assert [(row["label_kind"], row["mos"], row["encoder"]) for row in rows(result)] == [("mos", 2.25, None)]


def test_equal_runs_write_equal_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    first, second = (run(options(root, out=root.parent / f"{name}.parquet", jsonl=True)) for name in "ab")
    assert first.table.read_bytes() == second.table.read_bytes()
    assert [row["encode_time_ms"] for row in rows(first)] == [None, None]


IN_MEMORY = """
import resource, sys
from pathlib import Path
from corekit import Clip, Encode, Label
from corekit.driver.places import Places
from corekit.driver.synthetic import encode_clip
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
clip = Clip(name=sys.argv[2], path=f"KoNViD_1k_videos/{sys.argv[2]}", content="a", label=Label(kind="none"))
encoded, content = encode_clip(Places(Path(sys.argv[1])), clip, Encode(preset="veryfast", crf=35, pix_fmt="yuv420p"), int)
assert encoded.size_bytes == len(content.getvalue()) > 1000
"""


def test_nothing_of_the_encode_touches_a_disk(sample: Path) -> None:
    """A process that may not write a byte to any file makes it."""
    subprocess.run(
        [sys.executable, "-c", IN_MEMORY, sample, clips(sample)[0].name], check=True, capture_output=True, timeout=60
    )


def measured_again(root: Path, **more: Any) -> int:
    return run(options(root, **more)).counters["ok"]


def test_what_changes_an_encode_is_measured_again(root: Path) -> None:
    assert measured_again(root) == 2
    assert measured_again(root) == 0
    assert measured_again(root, settings={"crf": "35", "preset": "veryfast"}) == 0
    assert measured_again(root, settings={"crf": "28"}) == 2
    assert measured_again(root, settings={"preset": "ultrafast"}) == 2
    assert measured_again(root) == 0
    (root / MOS).write_text((root / MOS).read_text().replace(",3.5", ",1.5"))
    assert measured_again(root) == 0


def test_run_ids_tell_recipes_apart(root: Path) -> None:
    found = {run(options(root, features="none", settings={"crf": crf})).manifest.run_id for crf in ("35", "36")}
    assert len(found) == 2


RECIPE = Encode(preset="veryfast", crf=35, pix_fmt="yuv420p")
CLIP = Clip(name="a.mp4", path="a.mp4", content="a", label=Label(kind="none"), encode=RECIPE)


def identity(encoder: Mapping[str, str] | None) -> str:
    task = Task(clip=CLIP, reference=CLIP, pairing="synthetic", encode=RECIPE)
    return task_identity(
        task, clip_sha256="0", ref_sha256="0", features=(), identity="null", backend={}, decoder={}, encoder=encoder
    )


def test_the_encoders_version_and_parameters_are_part_of_a_tasks_identity() -> None:
    encoder = encoder_identity(RECIPE)
    assert encoder == {
        "encoder": "libx264", "preset": "veryfast", "crf": "35", "pix_fmt": "yuv420p",
        "extra_params": "cpu-independent=1", "encoder_version": encoder_version("libx264"),
    }  # fmt: skip
    changed = [{**encoder, name: "other"} for name in encoder]
    assert len({identity(each) for each in (None, encoder, *changed)}) == 2 + len(encoder)


def test_parameters_of_the_recipe_reach_the_encoder_and_the_row() -> None:
    recipe = Encode(preset="veryfast", crf=35, pix_fmt="yuv420p", extra_params="bframes=0:ref=1")
    assert encoder_identity(recipe)["extra_params"] == "cpu-independent=1:bframes=0:ref=1"
    assert own_params("libx264", {"x264-params": "cpu-independent=0"}) == "cpu-independent=0"
    with pytest.raises(UsageError) as caught:
        encoder_identity(Encode(encoder="ffv1", preset="x", crf=1, pix_fmt="yuv420p", extra_params="a=1"))
    assert str(caught.value) == (
        "extra parameters (a=1) are known of libx264 and libx265 alone, not of ffv1; leave them out"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"preset": "hurried"},
            "the encoder libx264 does not take preset=hurried, crf=35 with yuv420p (Invalid argument); correct them",
        ),
        ({"encoder": "libfoo"}, "the encoder 'libfoo' is not in this build of PyAV; choose another encoder"),
        ({"encoder": "ffv1"}, "the encoder ffv1 has no option 'crf', 'preset'; see `ffmpeg -h encoder=ffv1`"),
        ({"crf": "52"}, "the encoder libx264 takes a crf of 0 to 51, not 52; give it such a one"),
        ({"crf": "60", "encoder": "libx265"}, "the encoder libx265 takes a crf of 0 to 51, not 60; give it such a one"),
        (
            {"crf": "99"},
            "--set for konvid: Expected `int` <= 63 - at `$.crf`; see the README of konvid for its options",
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_the_first_clip(
    root: Path, settings: dict[str, str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        run(options(root, settings=settings))
    assert str(caught.value) == sentence


def test_a_plugin_without_recipes_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Composition.add_corpus

    def offering(self: Composition, name: str) -> Any:
        import msgspec

        self.info = msgspec.structs.replace(original(self, name), pairings=("synthetic", "nr"))
        return self.info

    monkeypatch.setattr(Composition, "add_corpus", offering)
    with pytest.raises(UsageError) as caught:
        plan(RunOptions(corpus="toy", root=lab.root, out=lab.out, backend="toy"))
    assert str(caught.value) == (
        "--pairing synthetic: the plugin of Toy corpus gives no recipe for an encode of cat_ref.y4m; choose another pairing"
    )


def test_a_broken_clip_fails_alone_and_by_its_own_name(root: Path) -> None:
    broken = clips(root)[0]
    broken.write_bytes(broken.read_bytes()[:3000])
    result = run(options(root))
    assert not result.complete and len(rows(result)) == 1
    (failure,) = result.failures
    assert (failure.clip_name, failure.stage) == (broken.name, "open")
    assert failure.message.startswith(str(broken))


def test_frames_say_the_codec_of_the_encode_and_the_teacher(root: Path) -> None:
    result = run(options(root, features="canonical,vmaf", frames=True))
    frames = pq.read_table(result.table.with_name("t.frames.parquet"))
    assert frames.num_rows == 48
    assert set(frames["codec"].to_pylist()) == {"h264"}
    assert set(frames["teacher_model"].to_pylist()) == {"vmaf_v0.6.1"}
    assert frames["clip_name"].to_pylist()[0] == clips(root)[0].name


def test_no_features_make_no_encode(root: Path) -> None:
    (row, _) = rows(run(options(root, features="none")))
    assert (row["encoder"], row["preset"], row["crf"], row["label_kind"]) == ("libx264", "veryfast", 35, "teacher")
    assert row["encoder_version"] is row["encode_size_bytes"] is row["vmaf_score"] is None


def test_another_pix_fmt_is_what_the_encoder_gets(sample: Path, tmp_path: Path) -> None:
    from corekit.driver.places import Places
    from corekit.driver.synthetic import encode_clip

    path = clips(sample)[0]
    clip = Clip(name=path.name, path=f"KoNViD_1k_videos/{path.name}", content="a", label=Label(kind="none"))
    recipe = Encode(preset="veryfast", crf=20, pix_fmt="yuv420p10le")
    encoded, content = encode_clip(Places(sample), clip, recipe, lambda frames: None)
    found = probe(Path("encode"), content=content)
    assert (found.pix_fmt, found.transfer, found.n_frames) == ("yuv420p10le", "bt709", 24)
    assert encoded.size_bytes == len(content.getvalue())


def test_an_archive_gives_the_same_rows(root: Path) -> None:
    loose = make_sample("bvi_dvc", root.parent / "bvi")
    for path in sorted((loose / "Videos").iterdir())[:2]:
        path.unlink()
    packed = root.parent / "packed"
    packed.mkdir()
    with zipfile.ZipFile(packed / "BVI-DVC Part 1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((loose / "Videos").iterdir()):
            archive.write(path, f"Videos/{path.name}")
    (one, other) = (
        run(RunOptions(corpus="bvi_dvc", root=folder, out=folder / "t.parquet", backend="cpu", features="psnr_y"))
        for folder in (loose, packed)
    )
    changing = ("timestamp", "score_time_ms", "encode_time_ms")
    same = [[{k: v for k, v in row.items() if k not in changing} for row in rows(each)] for each in (one, other)]
    assert same[0] == same[1] and len(same[0]) == 2
    again = run(RunOptions(corpus="bvi_dvc", root=packed, out=packed / "t.parquet", backend="cpu", features="psnr_y"))
    assert again.counters["done_before"] == 2
