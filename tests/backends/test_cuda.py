"""The cuda backend, on the device that is here: the cpu backend's numbers, batches that change nothing, memory, reasons."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from corekit import BackendError, ClipError, FrameFormat, RunOptions, read_table, run
from corekit.backends import cuda_batches
from corekit.backends.base import DeviceLost, Group
from corekit.backends.cpu import CpuExtractor, CpuOptions
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.features.registry import undefined
from corekit.schema import FEATURES
from tests.backends.test_cpu import measure, moving_picture, pair

FMT = FrameFormat(80, 66, 10, "420")
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
