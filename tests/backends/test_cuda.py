"""The cuda backend, on the device that is here: the cpu backend's numbers, batches that change nothing, memory, reasons."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from corekit import BackendError, ClipError, FrameFormat, RunOptions, UsageError, read_table, run
from corekit.backends import cuda_batches, cuda_stages
from corekit.backends.base import DeviceLost, Group
from corekit.backends.cpu import CpuExtractor, CpuOptions
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.backends.cuda_families import Verdict
from corekit.features.registry import undefined
from corekit.plugins.composition import parse_options
from corekit.schema import FEATURES
from tests.backends.test_cpu import measure, moving_picture, pair

FMT = FrameFormat(80, 66, 10, "420")
SPEEDY = FrameFormat(176, 160, 8, "420")
LARGE = FrameFormat(256, 216, 8, "420")
SMALL_FEATURES = tuple(name for name in FEATURES if undefined(name, FMT) is None)
FLOATING = {"ssimulacra2": 1e-12, "ciede2000": 2e-6}
"""Features that are not equal to the last bit, and how near they are."""
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture
def extractor() -> CudaExtractor:
    return CudaExtractor(open_device(DEVICE), CudaOptions())


@pytest.fixture(scope="module")
def cpu() -> CpuExtractor:
    return CpuExtractor(CpuOptions())


def test_the_cpu_backends_numbers_to_the_bit(extractor: CudaExtractor, cpu: CpuExtractor) -> None:
    reference = moving_picture(FMT, 9, seed=1)
    rungs = [moving_picture(FMT, n, seed=seed, noise=0.02 * seed) for seed, n in ((2, 9), (3, 5), (4, 9))]
    pairs = [pair(SMALL_FEATURES, "a"), pair(("adm2", "psnr_y"), "b"), pair(("motion2", "vmaf"), "c")]
    ours = measure(extractor, FMT, pairs, reference, rungs)
    theirs = measure(cpu, FMT, pairs, reference, rungs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.n_frames == other.n_frames
        assert list(one.values) == [name for name in other.values if name in one.values] and set(one.values) == set(
            other.values
        )
        for name, values in one.values.items():
            margin = FLOATING.get(name, 0.0)
            np.testing.assert_allclose(values, other.values[name], rtol=0, atol=margin, err_msg=name)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_size_of_a_batch_changes_nothing(
    extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    reference, distorted = moving_picture(FMT, 7, seed=1), moving_picture(FMT, 7, seed=2, noise=0.02)
    whole = measure(extractor, FMT, [pair(SMALL_FEATURES)], reference, [distorted])[0]
    monkeypatch.setattr(cuda_batches, "most_pairs", lambda fmt: most)
    parts = measure(extractor, FMT, [pair(SMALL_FEATURES)], reference, [distorted])[0]
    for name, values in whole.values.items():
        np.testing.assert_array_equal(values, parts.values[name], err_msg=name)


def test_a_clip_against_itself(extractor: CudaExtractor, cpu: CpuExtractor) -> None:
    clip = moving_picture(FMT, 4, seed=1)
    for backend in (extractor, cpu):
        session = backend.open_group(Group(content="c", fmt=FMT, framerate="25/1", pairs=(pair(SMALL_FEATURES),)))
        for planes in clip:
            session.push(planes, [planes])
        (result,) = session.finish()
        assert not isinstance(result, ClipError)
        assert (result.values["psnr_y"] == 72.0).all() and result.values["motion"][1] > 0


def test_every_feature_is_that_of_the_cpu_backend(extractor: CudaExtractor, cpu: CpuExtractor) -> None:
    reference = moving_picture(LARGE, 3, seed=1)
    rungs = [moving_picture(LARGE, 3, seed=seed, noise=0.02 * seed) for seed in (2, 3)]
    pairs = [pair(FEATURES, "a"), pair(FEATURES, "b", eotf="pq")]
    ours = measure(extractor, LARGE, pairs, reference, rungs)
    theirs = measure(cpu, LARGE, pairs, reference, rungs)
    for one, other in zip(ours, theirs, strict=True):
        assert list(one.values) == list(FEATURES)
        for name, values in one.values.items():
            margin = FLOATING.get(name, 0.0)
            np.testing.assert_allclose(values, other.values[name], rtol=0, atol=margin, err_msg=name)


def test_what_no_backend_computes_is_said(extractor: CudaExtractor) -> None:
    assert all(extractor.lacks(name, FrameFormat(640, 360, 8, "420")) is None for name in FEATURES)
    assert "needs at least 33x33 pixels" in str(extractor.lacks("adm2", FrameFormat(32, 32, 8, "420")))


def test_its_rows_stand_in_for_those_of_the_cpu_backend(extractor: CudaExtractor, cpu: CpuExtractor) -> None:
    assert dict(extractor.identity) == dict(cpu.identity)


def test_too_little_memory_makes_smaller_batches(extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, distorted = moving_picture(FMT, 7, seed=1), moving_picture(FMT, 7, seed=2, noise=0.02)
    whole = measure(extractor, FMT, [pair(("vif_scale0",))], reference, [distorted])[0]
    family = extractor.family("vif", FMT)
    assert not isinstance(family, str)
    sums, sizes = family.sums, []

    def short_of_memory(batch: Any) -> torch.Tensor:
        sizes.append(batch.n_pairs)
        if batch.n_pairs > 2:
            raise torch.OutOfMemoryError("out of memory")
        return sums(batch)

    monkeypatch.setattr(family, "sums", short_of_memory)
    parts = measure(extractor, FMT, [pair(("vif_scale0",))], reference, [distorted])[0]
    np.testing.assert_array_equal(parts.values["vif_scale0"], whole.values["vif_scale0"])
    assert max(sizes) == 7 and sizes[-1] <= 2

    def nothing_fits(batch: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(family, "sums", nothing_fits)
    with pytest.raises(ClipError, match="does not hold one frame"):
        measure(extractor, FMT, [pair(("vif_scale0",))], reference, [distorted])


def test_a_lost_device_ends_the_worker(extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch) -> None:
    family = extractor.family("psnr", FMT)
    assert not isinstance(family, str)

    def gone(batch: Any) -> torch.Tensor:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")

    monkeypatch.setattr(family, "sums", gone)
    session = extractor.open_group(Group(content="c", fmt=FMT, framerate="25/1", pairs=(pair(("psnr_y",)),)))
    picture = moving_picture(FMT, 1, seed=1)[0]
    session.push(picture, [picture])
    with pytest.raises(DeviceLost, match=r"was lost: CUDA error: an illegal memory access was encountered$"):
        session.finish()


def test_smaller_parts_of_a_batch_take_fewer_frames(
    extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch, cpu: CpuExtractor
) -> None:
    """Whatever is done for every frame of a part would else take the memory of the whole batch."""
    features = ("motion2", "psnr_y", "speed_chroma_u", "speed_temporal")
    reference = moving_picture(SPEEDY, 9, seed=1)
    rungs = [moving_picture(SPEEDY, n, seed=seed, noise=0.02 * seed) for seed, n in ((2, 9), (3, 6))]
    pairs = [pair(features, "a"), pair(features, "b")]
    whole = measure(extractor, SPEEDY, pairs, reference, rungs)
    sizes: dict[str, list[tuple[int, int, int]]] = {}
    for name in ("motion", "psnr", "speed"):
        family = extractor.family(name, SPEEDY)
        assert not isinstance(family, str)
        seen = sizes.setdefault(name, [])
        monkeypatch.setattr(family, "sums", partial(_of_four, family.sums, seen))
    for one, other in zip(measure(extractor, SPEEDY, pairs, reference, rungs), whole, strict=True):
        for name, values in one.values.items():
            np.testing.assert_array_equal(values, other.values[name], err_msg=name)
    for seen in sizes.values():
        small = [size for size in seen if size[0] <= 4]
        assert len(small) >= 4 and max(frames for _, frames, _ in small) <= 5 and max(d for _, _, d in small) <= 7
    same = measure(extractor, SPEEDY, pairs[:1], reference, [reference])[0]
    assert (same.values["psnr_y"] == 60.0).all()


def _of_four(sums: Any, seen: list[tuple[int, int, int]], batch: Any) -> torch.Tensor:
    seen.append((batch.n_pairs, batch.reference[0].shape[0], batch.distorted[0].shape[0]))
    if batch.n_pairs > 4:
        raise RuntimeError("Triton Error [CUDA]: out of memory")
    result: torch.Tensor = sums(batch)
    return result


@pytest.mark.parametrize("said", ["CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"])
def test_memory_that_is_short_is_no_lost_device(
    extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    clip = moving_picture(FMT, 3, seed=1)
    whole = measure(extractor, FMT, [pair(("psnr_y",))], clip, [moving_picture(FMT, 3, seed=2)])[0]
    on_the_way, calls = cuda_batches.Batcher._on_the_way, []

    def short_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError(said)
        return on_the_way(*arguments)

    monkeypatch.setattr(cuda_batches.Batcher, "_on_the_way", short_once)
    again = measure(extractor, FMT, [pair(("psnr_y",))], clip, [moving_picture(FMT, 3, seed=2)])[0]
    np.testing.assert_array_equal(again.values["psnr_y"], whole.values["psnr_y"])
    assert len(calls) == 2


@pytest.mark.parametrize("where", ["sums", "write"])
def test_a_lost_device_is_no_groups_fault(
    extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Groups that wait for their last batch must hear of it too, and get no answer that lacks sums."""
    family = extractor.family("psnr", FMT)
    assert not isinstance(family, str)

    def gone(*arguments: Any) -> Any:
        raise RuntimeError("CUDA error: unspecified launch failure\nmore")

    pictures = moving_picture(FMT, 2, seed=1)
    sessions = [
        extractor.open_group(Group(content=str(n), fmt=FMT, framerate="25/1", pairs=(pair(("psnr_y",), str(n)),)))
        for n in range(3)
    ]
    for session in sessions:
        session.push(pictures[0], [pictures[1]])
    monkeypatch.setattr(*((family, "sums", gone) if where == "sums" else (cuda_stages.Stage, "write", gone)))
    if where == "write":
        with pytest.raises(DeviceLost, match=r"was lost: CUDA error: unspecified launch failure$"):
            sessions[0].push(pictures[0], [pictures[1]])
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(session.finish) for session in sessions]
        for one in waiting:
            assert isinstance(one.exception(20), DeviceLost)
    with pytest.raises(DeviceLost, match="was lost: CUDA error"):
        sessions[1].push(pictures[0], [pictures[1]])


def test_kernels_that_fail_at_work_are_left_out(extractor: CudaExtractor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were tried on small pictures can still need more shared memory than the card has at another size."""
    clip, other = moving_picture(FMT, 3, seed=1), moving_picture(FMT, 3, seed=2)
    whole = measure(extractor, FMT, [pair(("psnr_y",))], clip, [other])[0]
    monkeypatch.setattr(extractor, "verdict", lambda name, fmt: Verdict("triton"))
    told: list[str] = []
    monkeypatch.setattr(extractor, "notify", told.append)
    family = extractor.family("psnr", FMT)

    def too_much(batch: Any) -> torch.Tensor:
        raise ValueError("out of resource: shared memory, Required: 81920, Hardware limit: 65536")

    monkeypatch.setattr(family, "sums", too_much)
    for _ in range(2):
        again = measure(extractor, FMT, [pair(("psnr_y",))], clip, [other])[0]
        np.testing.assert_array_equal(again.values["psnr_y"], whole.values["psnr_y"])
    (said,) = told
    assert said.startswith(f"psnr on {DEVICE}") and said.endswith("Hardware limit: 65536); torch is used")
    monkeypatch.setattr(extractor.family("psnr", FMT), "sums", too_much)
    with pytest.raises(ValueError, match="shared memory"):
        measure(extractor, FMT, [pair(("psnr_y",))], clip, [other])


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_a_memory_that_there_is_not(value: str) -> None:
    with pytest.raises(UsageError, match="--set for cuda: "):
        parse_options(CudaOptions, {"memory_gb": value}, "cuda")


def test_a_gpu_that_says_nothing_of_itself_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nmore")

    monkeypatch.setattr(torch.cuda, "get_device_properties", broken)
    extractor = CudaExtractor(open_device("cpu"), CudaOptions())
    extractor.devices = ("cuda:3",)
    (report,) = extractor.device_reports()
    assert report.title == "cannot be used (CUDA error: uncorrectable ECC error encountered)"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_why_there_is_no_gpu_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="is built without CUDA; install a CUDA build of torch"):
        open_device("auto")
    with pytest.raises(BackendError, match="give auto, cuda, cuda:N or cpu"):
        open_device("meta")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(BackendError, match=r"no GPU can be used \(.*\); check the driver with nvidia-smi"):
        open_device("cuda:1")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match=r"needs torch, which is not installed; pip install 'corekit\[cuda\]'"):
        open_device("auto")


def test_a_run_gives_the_table_of_the_cpu_backend(tmp_path: Any) -> None:
    from corekit import make_sample

    root = make_sample("chug", tmp_path / "demo")
    tables = []
    for backend, device in (("cuda", DEVICE), ("cpu", "auto")):
        out = tmp_path / f"{backend}.parquet"
        run(
            RunOptions(
                corpus="chug",
                root=root,
                out=out,
                backend=backend,
                device=device,
                limit=6,
                features="canonical,vmaf,psnr_y",
            )
        )
        tables.append(read_table(out).data)
    assert tables[0].column("feature_backend").to_pylist()[0] == "cuda"
    skipped = {"run_id", "timestamp", "score_time_ms", "feature_backend"}
    for name in tables[0].column_names:
        if name not in skipped:
            assert tables[0].column(name).to_pylist() == tables[1].column(name).to_pylist(), name
