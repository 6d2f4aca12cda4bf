"""The ``libvmaf`` backend: the real library against goldens and itself, and programs that do not do what they should."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corekit.backends import libvmaf, vmaf_process
from corekit.backends.base import Extractor, Group, Pair, PairFeatures
from corekit.backends.libvmaf import LibvmafOptions, ffmpeg_command, vmaf_command
from corekit.backends.vmaf_process import VmafProcess, pump
from corekit.errors import BackendError, ClipError
from corekit.features.registry import undefined
from corekit.model import Chroma, Clip, FrameFormat, Label
from corekit.schema import FEATURES, VMAF
from tests.features.golden_clips import clip_pair, corpus_pairs
from tests.shared_data import needs_shared

PRINTED = 3e-6  # libvmaf inside FFmpeg prints 6 decimals
CLIP = Clip(name="a", path="a", content="a", label=Label(kind="none"))
Picture = tuple[Any, Any, Any]


@pytest.fixture(scope="module")
def real() -> Extractor:
    return open_backend()


def open_backend(**options: str) -> Extractor:
    return libvmaf.corekit_extract_features(FEATURES, "auto", LibvmafOptions(**options))


def pictures(fmt: FrameFormat, count: int, seed: int = 0) -> list[Picture]:
    random = np.random.default_rng(seed)
    kind = np.uint8 if fmt.bit_depth == 8 else np.uint16
    found: list[Picture] = []
    for _ in range(count):
        y, cb, cr = (random.integers(0, 2**fmt.bit_depth, shape).astype(kind) for shape in fmt.shapes)
        found.append((y, cb, cr))
    return found


def pair(features: Sequence[str], **options: Any) -> Pair:
    return Pair(clip=CLIP, features=tuple(features), options=options)


def compare(
    backend: Extractor, fmt: FrameFormat, reference: Sequence[Picture], *distorted: Sequence[Picture], features: Sequence[str],
    **options: Any,
) -> list[PairFeatures | ClipError]:  # fmt: skip
    pairs = tuple(pair(features, **options) for _ in distorted)
    session = backend.open_group(Group(content="c", fmt=fmt, framerate="25/1", pairs=pairs))
    try:
        for index, planes in enumerate(reference):
            session.push(planes, [side[index] if index < len(side) else None for side in distorted])
        return session.finish()
    finally:
        session.close()


def values_of(answer: PairFeatures | ClipError) -> PairFeatures:
    assert isinstance(answer, PairFeatures), answer
    return answer


# the real library


def offered(backend: Extractor, fmt: FrameFormat) -> list[str]:
    return [feature for feature in FEATURES if backend.lacks(feature, fmt) is None]


@pytest.mark.parametrize(
    ("width", "height", "depth", "chroma"),
    [(217, 33, 8, "420"), (33, 19, 10, "420"), (18, 18, 12, "422"), (17, 41, 8, "444"), (16, 16, 10, "444"), (64, 48, 12, "420")],
)  # fmt: skip
def test_every_offered_feature_has_a_value_at_every_geometry(
    real: Extractor, width: int, height: int, depth: int, chroma: Chroma
) -> None:
    fmt = FrameFormat(width, height, depth, chroma)
    features = offered(real, fmt)
    (answer,) = compare(real, fmt, pictures(fmt, 3), pictures(fmt, 3, seed=1), features=features)
    found = values_of(answer)
    assert list(found.values) == features
    assert (found.nulls, found.n_frames) == ({}, 3)
    assert all(np.isfinite(values).all() for values in found.values.values())


def test_identical_frames(real: Extractor) -> None:
    fmt = FrameFormat(64, 64, 8, "420")
    same = pictures(fmt, 3)
    (answer,) = compare(real, fmt, same, same, features=offered(real, fmt))
    values = values_of(answer).values
    assert values["psnr_y"].tolist() == [60.0] * 3
    assert values["float_ssim"].tolist() == [1.0] * 3
    assert np.isposinf(values["ciede2000"]).all()
    assert np.isposinf(values["psnr_hvs"]).all()
    assert values["adm2"] == pytest.approx(1.0, abs=2e-5)
    assert values["vif_scale0"] == pytest.approx(1.0, abs=2e-5)
    assert values["motion"][0] == 0.0
    assert values["motion"][1] > 0.0


def test_pairs_of_a_group_end_one_by_one(real: Extractor) -> None:
    fmt = FrameFormat(32, 32, 8, "420")
    reference, distorted = pictures(fmt, 9), pictures(fmt, 9, seed=1)
    long, short, none = map(values_of, compare(real, fmt, reference, distorted, distorted[:4], [], features=["psnr_y"]))
    assert (long.n_frames, short.n_frames, none.n_frames) == (9, 4, 0)
    assert short.values["psnr_y"].tolist() == long.values["psnr_y"][:4].tolist()
    assert none.values == {}


def test_planes_may_be_overwritten_after_push(real: Extractor) -> None:
    fmt = FrameFormat(320, 240, 8, "420")
    reference, distorted = pictures(fmt, 12), pictures(fmt, 12, seed=1)
    (expected,) = compare(real, fmt, reference, distorted, features=["psnr_y"])
    buffer = pictures(fmt, 2)
    session = real.open_group(Group(content="c", fmt=fmt, framerate="25/1", pairs=(pair(["psnr_y"]),)))
    for first, second in zip(reference, distorted, strict=True):
        for target, source in zip((*buffer[0], *buffer[1]), (*first, *second), strict=True):
            target[:] = source
        session.push(buffer[0], [buffer[1]])
    (answer,) = session.finish()
    session.close()
    assert values_of(answer).values["psnr_y"].tolist() == values_of(expected).values["psnr_y"].tolist()


def test_cambi_follows_the_clips_transfer(real: Extractor) -> None:
    fmt = FrameFormat(240, 216, 10, "420")
    ramp = np.tile((np.arange(240) // 20 * 2 + 800).astype(np.uint16), (216, 1))
    flat = np.full((108, 120), 512, np.uint16)
    picture = [(ramp, flat, flat)] * 2
    (bt1886,) = compare(real, fmt, picture, picture, features=["cambi"], cambi_eotf="bt1886")
    (pq,) = compare(real, fmt, picture, picture, features=["cambi"], cambi_eotf="pq")
    assert values_of(bt1886).values["cambi"].tolist() == [0.0, 0.0]
    assert values_of(pq).values["cambi"] == pytest.approx(6.921013, abs=1e-3)


def test_nothing_asked_for_starts_no_program(real: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvmaf, "VmafProcess", lambda command: pytest.fail("started"))
    fmt = FrameFormat(32, 32, 8, "420")
    (answer,) = compare(real, fmt, pictures(fmt, 2), pictures(fmt, 2), features=[])
    assert (values_of(answer).values, values_of(answer).n_frames) == ({}, 2)


@pytest.mark.parametrize(
    ("feature", "fmt", "reason"),
    [
        ("ssimulacra2", FrameFormat(640, 480, 8, "420"), "libvmaf has no ssimulacra2"),
        ("adm2", FrameFormat(640, 480, 9, "420"), "libvmaf takes 8, 10 and 12 bits, the frames have 9"),
        ("psnr_y", FrameFormat(640, 480, 16, "420"), "libvmaf takes 8, 10 and 12 bits, the frames have 16"),
        (
            "ciede2000",
            FrameFormat(64, 33, 8, "420"),
            "libvmaf reads past the chroma planes of an odd size, the frames have 64x33",
        ),
        (
            "psnr_cb",
            FrameFormat(65, 64, 8, "422"),
            "libvmaf reads past the chroma planes of an odd size, the frames have 65x64",
        ),
        (
            "psnr_hvs",
            FrameFormat(65, 64, 10, "420"),
            "libvmaf reads past the chroma planes of an odd size, the frames have 65x64",
        ),
    ],
)
def test_what_it_lacks(real: Extractor, feature: str, fmt: FrameFormat, reason: str) -> None:
    assert real.lacks(feature, fmt) == reason


@pytest.mark.parametrize(
    ("feature", "fmt"),
    [
        ("vmaf", FrameFormat(16, 480, 8, "420")),
        ("float_ms_ssim", FrameFormat(640, 175, 8, "420")),
        ("cambi", FrameFormat(215, 215, 8, "420")),
        ("speed_chroma_u", FrameFormat(176, 144, 8, "420")),
        ("ciede2000", FrameFormat(640, 480, 8, "422")),
    ],
)
def test_what_no_backend_may_compute_at_a_geometry(real: Extractor, feature: str, fmt: FrameFormat) -> None:
    assert undefined(feature, fmt) is not None
    assert real.lacks(feature, fmt) == undefined(feature, fmt)


def test_odd_sizes_keep_what_needs_no_chroma(real: Extractor) -> None:
    assert real.lacks("psnr_y", FrameFormat(65, 33, 8, "420")) is None
    assert real.lacks("vmaf", FrameFormat(65, 33, 8, "420")) is None
    assert real.lacks("ciede2000", FrameFormat(65, 33, 8, "444")) is None
    assert real.lacks("psnr_cb", FrameFormat(64, 33, 8, "422")) is None


def test_it_offers_everything_else_of_a_common_clip(real: Extractor) -> None:
    assert offered(real, FrameFormat(1920, 1080, 10, "420")) == [name for name in FEATURES if name != "ssimulacra2"]


def test_its_identity_names_the_library_and_its_motion(real: Extractor) -> None:
    assert real.identity == {"class": "libvmaf", **real.versions, "motion": "3.2"}
    assert list(real.versions) == ["ffmpeg", "libvmaf"]
    assert all(real.versions.values())


def test_another_device_is_refused() -> None:
    with pytest.raises(BackendError) as caught:
        libvmaf.corekit_extract_features(("vmaf",), "cuda", LibvmafOptions())
    assert str(caught.value) == "--device cuda: the libvmaf backend runs on the CPU; leave --device out"


@needs_shared
@pytest.mark.parametrize("name", ["carphone_176x144_420_8", "sparks_480x270_420_10", "src01_160x90_420_8"])
def test_goldens_of_clips(real: Extractor, name: str) -> None:
    golden = clip_pair(name, 10_000)
    check_golden(real, golden.fmt, golden.reference, golden.distorted, golden.features)


@needs_shared
def test_goldens_of_an_hdr_ladder(real: Extractor) -> None:
    golden = min(corpus_pairs("chug", 10_000), key=lambda pair: len(pair.reference) * pair.fmt.frame_bytes)
    features = {**golden.features, **golden.features_hdr}
    check_golden(real, golden.fmt, golden.reference, golden.distorted, features, cambi_eotf="pq")


def check_golden(
    backend: Extractor, fmt: FrameFormat, reference: Sequence[Picture], distorted: Sequence[Picture],
    golden: dict[str, list[float | None]], **options: str,
) -> None:  # fmt: skip
    features = offered(backend, fmt)
    assert set(golden) - {"ssimulacra2"} <= set(features)
    (answer,) = compare(backend, fmt, reference, distorted, features=features, **options)
    for feature in set(golden) - {"ssimulacra2"}:
        expected = [np.inf if value is None else value for value in golden[feature]]
        values = values_of(answer).values[feature]
        assert values == pytest.approx(expected, abs=PRINTED, rel=0), feature


# libvmaf's own tool


@pytest.fixture
def tool(tmp_path: Path) -> str:
    return program(tmp_path, "vmaf", Path(__file__).with_name("fake_vmaf.py").read_text())


def program(folder: Path, name: str, source: str) -> str:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(source)}")
    path.chmod(0o755)
    return str(path)


def test_the_vmaf_tool_gets_its_own_command_line(tool: str) -> None:
    backend = open_backend(vmaf=tool)
    assert backend.versions == {"vmaf": "3.2.0-fake", "libvmaf": "3.2.0-fake"}
    fmt = FrameFormat(31, 17, 10, "422")
    reference, distorted = pictures(fmt, 7), pictures(fmt, 7, seed=1)
    wanted = ["adm2", "motion", "psnr_y", "cambi", VMAF]
    (answer,) = compare(backend, fmt, reference, distorted, features=wanted, cambi_eotf="pq")
    found = values_of(answer)
    expected = [
        float(sum(r[0].tobytes()[:64]) - sum(d[0].tobytes()[:64])) for r, d in zip(reference, distorted, strict=True)
    ]
    assert found.n_frames == 7
    assert all(found.values[name].tolist() == expected for name in wanted[:-1])
    assert found.values[VMAF] == pytest.approx([value / 3 for value in expected])


def test_command_lines() -> None:
    fmt = FrameFormat(64, 32, 10, "420")
    wanted = pair(["adm2", "adm3", "cambi", VMAF], cambi_eotf="pq")
    assert vmaf_command("vmaf", fmt, wanted, 5, 7)[4:] == [
        "/dev/stdout", "--precision", "max", "--width", "64", "--height", "32", "--pixel_format", "420", "--bitdepth", "10",
        "--reference", "/dev/fd/5", "--distorted", "/dev/fd/7", "--model", "version=vmaf_v0.6.1", "--feature", "adm",
        "--feature", "cambi=eotf=pq",
    ]  # fmt: skip
    command = ffmpeg_command("ffmpeg", fmt, wanted, 5, 7)
    assert [command[index + 1] for index, word in enumerate(command) if word == "-i"] == ["pipe:7", "pipe:5"]
    assert command[command.index("-pixel_format") + 1] == "yuv420p10le"
    assert command[command.index("-filter_complex") + 1] == (
        "[0:v][1:v]libvmaf=log_fmt=json:log_path=/dev/stdout:n_threads=0:model='version=vmaf_v0.6.1'"
        r":feature='name=adm|name=cambi\:eotf=pq'"
    )
    assert "--no_prediction" in vmaf_command("vmaf", fmt, pair(["psnr_y"]), 5, 7)


def test_a_tool_of_libvmaf_3_0_lacks_what_came_later(tmp_path: Path) -> None:
    source = Path(__file__).with_name("fake_vmaf.py").read_text()
    source = source.replace('"VMAF_integer_feature_motion_sad_score"', '"integer_motion2"').replace(
        '    "speed_chroma": "speed_chroma_u",\n    "speed_temporal": "speed_temporal",\n', ""
    )
    backend = open_backend(vmaf=program(tmp_path, "vmaf", source))
    fmt = FrameFormat(640, 480, 8, "420")
    assert backend.identity["motion"] == "3.1"
    assert backend.lacks("motion", fmt) == "libvmaf 3.2.0-fake does not print motion"
    assert backend.lacks("motion2", fmt) is None
    assert backend.lacks("speed_temporal", fmt) == "this libvmaf has no speed_temporal (it came with libvmaf 3.1)"
    assert backend.lacks("speed_chroma_v", fmt) == "this libvmaf has no speed_chroma (it came with libvmaf 3.1)"


# programs that do not do what they should

_HINT = "; name an FFmpeg with the libvmaf filter (--set ffmpeg=PATH) or libvmaf's own tool (--set vmaf=PATH)"


@pytest.mark.parametrize("option", ["ffmpeg", "vmaf"])
def test_a_program_that_does_not_exist(tmp_path: Path, option: str) -> None:
    with pytest.raises(BackendError) as caught:
        open_backend(**{option: str(tmp_path / "none")})
    assert str(caught.value) == (
        f"{tmp_path}/none cannot be run: No such file or directory; name another with --set {option}=PATH"
    )


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BackendError) as caught:
        open_backend(ffmpeg=str(tmp_path / "text"))
    assert str(caught.value) == (
        f"{tmp_path}/text cannot be run: Permission denied; name another with --set ffmpeg=PATH"
    )


def test_a_program_that_is_no_ffmpeg() -> None:
    false = shutil.which("false")
    assert false is not None
    with pytest.raises(BackendError) as caught:
        open_backend(ffmpeg=false)
    assert str(caught.value) == f"{false} cannot run libvmaf: libvmaf ended with code 1{_HINT}"


def test_an_ffmpeg_without_the_filter(tmp_path: Path) -> None:
    source = """
        import sys
        if "-version" in sys.argv:
            print("ffmpeg version 4.0 Copyright")
        else:
            sys.exit("No such filter:\\n  'libvmaf'")
    """
    path = program(tmp_path, "ffmpeg", source)
    with pytest.raises(BackendError) as caught:
        open_backend(ffmpeg=path)
    assert (
        str(caught.value) == f"{path} cannot run libvmaf: libvmaf ended with code 1 (No such filter: 'libvmaf'){_HINT}"
    )


def test_a_program_that_prints_no_log(tmp_path: Path) -> None:
    path = program(tmp_path, "vmaf", "print('hello')")
    with pytest.raises(BackendError) as caught:
        open_backend(vmaf=path)
    assert str(caught.value) == (
        f"{path} cannot run libvmaf: it is not JSON (Expecting value: line 1 column 1 (char 0)){_HINT}"
    )


def test_a_program_that_gives_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "ffmpeg", "import time\ntime.sleep(60)")
    monkeypatch.setattr(libvmaf, "VERSION_S", 0.2)
    with pytest.raises(BackendError) as caught:
        open_backend(ffmpeg=path)
    assert str(caught.value) == f"{path} gave no answer for 0.2 s; name another with --set ffmpeg=PATH"


def test_no_ffmpeg_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio_ffmpeg

    def missing() -> str:
        raise RuntimeError("no ffmpeg exe")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(BackendError) as caught:
        open_backend()
    assert str(caught.value) == (
        "imageio-ffmpeg has no FFmpeg for this machine; name one that has the libvmaf filter with --set ffmpeg=PATH"
    )
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(BackendError) as caught:
        open_backend()
    assert str(caught.value) == (
        "the libvmaf backend needs an FFmpeg with the libvmaf filter: pip install imageio-ffmpeg, or name one with "
        "--set ffmpeg=PATH"
    )


def broken_tool(tmp_path: Path, then: str) -> Extractor:
    """A tool that works, but does ``then`` after its first frame where adm alone is asked for."""
    head, end, tail = (
        Path(__file__).with_name("fake_vmaf.py").read_text().partition("frames: list[dict[str, Any]] = []\n")
    )
    misdeed = textwrap.indent(textwrap.dedent(then).strip(), "    ")
    source = f"{head}import os, signal, time\nif given.feature == ['adm']:\n    Path(given.reference).open('rb').read(size)\n{misdeed}\n"
    return open_backend(vmaf=program(tmp_path, "vmaf", source + end + tail))


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "libvmaf was killed by signal 11"),
        ("sys.exit('out of\\n memory')", "libvmaf ended with code 1 (out of memory)"),
        ("os._exit(0)", "libvmaf printed a log that cannot be read: it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("print('{\"frames\": []}', flush=True); os._exit(0)", "libvmaf compared 0 of 30 frames"),
    ],
)  # fmt: skip
def test_a_program_that_crashes_fails_its_pair_alone(tmp_path: Path, then: str, message: str) -> None:
    fmt = FrameFormat(64, 64, 8, "420")
    backend = broken_tool(tmp_path, then)
    group = Group(content="c", fmt=fmt, framerate="25/1", pairs=(pair(["adm2"]), pair(["psnr_y"])))
    session = backend.open_group(group)
    for planes in pictures(fmt, 30):
        session.push(planes, [planes, planes])
    bad, good = session.finish()
    session.close()
    assert isinstance(bad, ClipError)
    assert (bad.stage, str(bad)) == ("compare", message)
    if "frames" not in message:
        assert values_of(good).n_frames == 30


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fmt = FrameFormat(64, 64, 8, "420")
    backend = broken_tool(tmp_path, "time.sleep(60)")
    monkeypatch.setattr(vmaf_process, "STALL_S", 0.2)
    session = backend.open_group(Group(content="c", fmt=fmt, framerate="25/1", pairs=(pair(["adm2"]),)))
    with pytest.raises(ClipError) as caught:
        for planes in pictures(fmt, 200):
            session.push(planes, [planes])
        session.finish()
    session.close()
    assert (caught.value.stage, str(caught.value)) == ("compare", "libvmaf moved nothing for 0.2 s and was stopped")


def test_a_program_that_closes_its_output_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fmt = FrameFormat(64, 64, 8, "420")
    backend = broken_tool(tmp_path, "os.close(1)\nos.close(2)\ntime.sleep(60)")
    monkeypatch.setattr(vmaf_process, "EXIT_S", 0.2)
    (answer,) = compare(backend, fmt, pictures(fmt, 2), pictures(fmt, 2), features=["adm2"])
    assert isinstance(answer, ClipError)
    assert str(answer) == "libvmaf closed its output but did not end in 0.2 s and was stopped"


def test_a_slow_program_is_not_given_up(tmp_path: Path) -> None:
    slow = "import time\nfor _ in range(3):\n    print('.', end='', flush=True)\n    time.sleep(1.2)"
    path = program(tmp_path, "slow", slow)
    process = VmafProcess(lambda reference, distorted: [path])
    pump([process], until=lambda: process.ended, stall_s=2.0)
    assert process.result() == b"..."
    process.close()


def test_close_stops_a_running_program_and_frees_its_pipes(tmp_path: Path) -> None:
    path = program(tmp_path, "sleeper", "import time\ntime.sleep(60)")
    before = set(Path("/proc/self/fd").iterdir())
    process = VmafProcess(lambda reference, distorted: [path])
    process.feed(b"x", b"y")
    process.close()
    process.close()
    assert process._process.returncode == -9
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_nothing_is_left_open_when_the_program_cannot_start() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileNotFoundError):
        VmafProcess(lambda reference, distorted: ["/nowhere/vmaf"])
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_pump_waits_no_longer_than_it_must() -> None:
    pump([], until=lambda: True)
    with pytest.raises(ClipError, match=r"^libvmaf moved nothing for 0\.01 s and was stopped$"):
        pump([], until=lambda: False, stall_s=0.01)
