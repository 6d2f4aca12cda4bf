"""Frames decoded on a device are the CPU's or are refused. Without a GPU its decoder is played by the CPU's, in NVDEC's layouts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av import VideoFrame

from corekit import ClipError, FrameFormat
from corekit.backends.cuda import CudaExtractor
from corekit.video import Planes, VideoReader, nvdec
from corekit.video.nvdec import DeviceDecoder, NvdecReader, Unsuited, planes_of
from tests.video.media import SMALL, X264, X265, digest, moving, write

SURFACES = {8: "nv12", 10: "p010le", 12: "p012le"}
DEEP = FrameFormat(64, 48, 10, "420")


def on_host(planes: Any) -> Planes:
    y, cb, cr = (plane.contiguous().numpy() for plane in planes)
    if y.dtype == np.int16:
        return y.view(np.uint16), cb.view(np.uint16), cr.view(np.uint16)
    return y, cb, cr


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The CPU plays the GPU's decoder; ``wrong`` names the frame, counted per reader, whose luma it gets wrong."""
    state: dict[str, Any] = {"wrong": None, "opened": 0}
    counts: dict[int, int] = {}

    def hardware(device: str) -> None:
        assert device == "cuda:0"
        state["opened"] += 1

    def surface(frame: VideoFrame, bit_depth: int) -> Any:
        y, cb, cr = planes_of(frame.reformat(format=SURFACES[bit_depth]), bit_depth)
        number = counts[state["opened"]] = counts.get(state["opened"], -1) + 1
        # The first frame is taken twice: once to be compared when the clip is opened.
        return (y ^ 1 if max(0, number - 1) == state["wrong"] else y), cb, cr

    monkeypatch.setattr(nvdec, "_hardware", hardware)
    monkeypatch.setattr(nvdec, "planes_of", surface)
    return state


@pytest.mark.parametrize("depth", [8, 10])
def test_surfaces_give_the_samples(depth: int) -> None:
    fmt = FrameFormat(64, 48, depth, "420")
    for planes in moving(fmt, 2):
        frame = VideoFrame(fmt.width, fmt.height, fmt.pix_fmt)
        for plane, samples in zip(frame.planes, planes, strict=True):
            padded = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
            padded[:, : samples.shape[1]] = samples
            plane.update(padded.tobytes())
        got = planes_of(frame.reformat(format=SURFACES[depth]), depth)
        assert got[0].dtype == (torch.uint8 if depth == 8 else torch.int16)
        for mine, samples in zip(on_host(got), planes, strict=True):
            np.testing.assert_array_equal(mine, samples)


@pytest.mark.parametrize(("fmt", "codec", "options"), [(SMALL, "libx264", X264), (DEEP, "libx265", X265)])
def test_the_frames_are_those_of_the_cpu(
    tmp_path: Path, played: dict[str, Any], fmt: FrameFormat, codec: str, options: dict[str, str]
) -> None:
    path = write(tmp_path / "a.mp4", fmt, 30, codec=codec, options=options)
    decoder = DeviceDecoder("cuda:0", "nvdec")
    with VideoReader(path) as reader:
        expected = digest(reader)
    for _ in range(2):
        reader, remark = decoder.reader(path, target=fmt, content=None)  # type: ignore[assignment]
        assert isinstance(reader, NvdecReader) and remark == "decoded by NVDEC"
        assert digest(on_host(planes) for planes in reader) == expected
        assert (reader.fmt, reader.frames, reader.kind) == (
            fmt,
            30,
            (codec.removeprefix("lib").replace("x264", "h264").replace("x265", "hevc"), reader.kind[1], fmt.bit_depth),
        )
        reader.close()
    assert played["opened"] == 3  # twice for its frames, once to be compared


def test_an_archives_member(tmp_path: Path, played: dict[str, Any]) -> None:
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264)
    with VideoReader(path) as reader:
        expected = digest(reader)
    content = io.BytesIO(path.read_bytes())
    frames, _ = DeviceDecoder("cuda:0", "nvdec").reader(Path("a.zip/a.mp4"), target=None, content=content)
    assert frames is not None
    assert digest(on_host(planes) for planes in frames) == expected


@pytest.mark.parametrize(
    ("fmt", "target"),
    [
        (SMALL, FrameFormat(32, 24, 8, "420")),
        (SMALL, FrameFormat(64, 48, 10, "420")),
        (FrameFormat(64, 48, 8, "422"), None),
        (FrameFormat(64, 48, 8, "444"), None),
        (FrameFormat(63, 48, 8, "420"), None),
        (FrameFormat(64, 47, 8, "420"), None),
        (FrameFormat(64, 48, 9, "420"), None),
    ],
)
@pytest.mark.parametrize("mode", ["nvdec", "auto"])
def test_what_the_gpu_does_not_do_is_the_cpus_work(
    tmp_path: Path, played: dict[str, Any], fmt: FrameFormat, target: FrameFormat | None, mode: Any
) -> None:
    path = write(tmp_path / "a.mkv", fmt, 3)
    assert DeviceDecoder("cuda:0", mode).reader(path, target=target, content=None) == (None, "")
    assert played["opened"] == 0


def test_turned_pictures_are_the_cpus_work(tmp_path: Path, played: dict[str, Any]) -> None:
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264, rotation=90)
    assert DeviceDecoder("cuda:0", "nvdec").reader(path, target=None, content=None) == (None, "")


@pytest.mark.parametrize("wrong", [0, 1, 29])
def test_a_decoder_that_differs_is_refused(tmp_path: Path, played: dict[str, Any], wrong: int) -> None:
    path = write(tmp_path / "a.mp4", SMALL, 30, codec="libx264", options=X264)
    other = write(tmp_path / "b.mp4", SMALL, 30, codec="libx264", options=X264)
    deep = write(tmp_path / "c.mp4", DEEP, 30, codec="libx265", options=X265)
    played["wrong"] = wrong
    which = "its first frame" if wrong == 0 else f"frame {wrong} of a.mp4 (h264 High, 8 bits)"
    for mode in ("nvdec", "auto"):
        decoder = DeviceDecoder("cuda:0", mode)
        for clip in (path, other):
            reason = f"{which} is not the one that the CPU decodes"
            if mode == "auto":
                assert decoder.reader(clip, target=None, content=None) == (None, f"NVDEC is not used: {reason}")
            else:
                with pytest.raises(ClipError) as caught:
                    decoder.reader(clip, target=None, content=None)
                assert str(caught.value) == (
                    f"{clip}: NVDEC of cuda:0 is not used: {reason}; give --decode auto or cpu"
                )
        played["wrong"] = None
        assert decoder.reader(deep, target=None, content=None)[1] == "decoded by NVDEC"
        played["wrong"] = wrong


def test_a_damaged_clip_says_who_decoded_it(tmp_path: Path, played: dict[str, Any]) -> None:
    path = write(tmp_path / "a.mkv", SMALL, 60, codec="libx264", options=X264)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    frames, _ = DeviceDecoder("cuda:0", "auto").reader(path, target=None, content=None)
    assert frames is not None
    with pytest.raises(ClipError, match="fetch it again; decoded by NVDEC, so try --decode cpu first"):
        list(frames)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_no_clip_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264)
    with pytest.raises(Unsuited, match="its decoder does not take the clip"):
        NvdecReader(path, device="cuda:0")
    assert DeviceDecoder("cuda:0", "auto").reader(path, target=None, content=None)[0] is None


def test_a_job_gives_the_rows_of_the_cpus_decoder(
    tmp_path: Path, played: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the job of a worker, with arrays scaled on the CPU and with tensors scaled by the backend."""
    from corekit.backends.cuda import CudaOptions, open_device
    from corekit.driver.measure import measure_job
    from corekit.driver.tasks import Done, Job, Settings, Task
    from corekit.model import Clip, Label

    root = tmp_path
    write(root / "ref.mp4", SMALL, 20, codec="libx264", options=X264)
    write(root / "same.mp4", SMALL, 20, codec="libx264", options={**X264, "crf": "40"})
    write(root / "half.mp4", FrameFormat(32, 24, 8, "420"), 20, codec="libx264", options=X264)
    reference, *rungs = (
        Clip(name=name, path=f"{name}.mp4", content="c", label=Label(kind="none")) for name in ("ref", "same", "half")
    )
    tasks = tuple(Task(clip=clip, reference=reference, pairing="fr") for clip in rungs)
    features = ("motion2", "psnr_y", "psnr_cb", "vif_scale0")
    settings = Settings(
        root=str(root), backend="cuda", device="cpu", decode="nvdec", backend_settings={}, disable=(), features=features,
        identity="null", frame_mismatch="error", frames_dir=None, timeout_s=60.0,
    )  # fmt: skip
    extractor = CudaExtractor(open_device("cpu"), CudaOptions())
    answers = []
    for decoder in (None, DeviceDecoder("cuda:0", "nvdec")):
        extractor.scales_frames = decoder is not None
        messages = measure_job(Job(number=0, content="c", tasks=tasks), settings, extractor, lambda n: None, decoder)
        answers.append({m.clip: m.measurement for m in messages if isinstance(m, Done)})
    by_cpu, by_gpu = answers
    assert list(by_gpu) == ["same", "half"] == list(by_cpu)
    for name in by_cpu:
        assert by_gpu[name].pooled == by_cpu[name].pooled
    assert by_gpu["same"].notes == ("decoded by NVDEC", "its reference: decoded by NVDEC")
    assert by_gpu["half"].notes == ("decoded by NVDEC", "its reference: decoded by NVDEC")
