"""The cpu backend: families composed over a group, against libvmaf itself and against its own single pairs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import NumbaError

from corekit.backends.base import Extractor, Group, Pair, PairFeatures
from corekit.backends.cpu import CpuExtractor, CpuOptions, corekit_extract_features
from corekit.backends.libvmaf import LibvmafOptions
from corekit.backends.libvmaf import corekit_extract_features as open_libvmaf
from corekit.errors import BackendError
from corekit.features.family import Planes
from corekit.features.registry import REGISTRY
from corekit.model import Clip, FrameFormat, Label
from corekit.schema import FEATURES

SIMD_TOLERANCE = 1e-4  # libvmaf inside FFmpeg takes its SIMD code
PRINTED = 2e-6  # and prints 6 decimals


@pytest.fixture(scope="module")
def cpu() -> Extractor:
    return CpuExtractor(CpuOptions())


def moving_picture(fmt: FrameFormat, frames: int, *, seed: int, noise: float = 0.0) -> list[Planes]:
    """A drifting texture with a gradient and a bar; the same scene for every seed of noise."""
    random = np.random.default_rng(seed)
    top = (1 << fmt.bit_depth) - 1
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    pictures = []
    for index in range(frames):
        planes = []
        for rows, columns in fmt.shapes:
            y, x = np.mgrid[0:rows, 0:columns]
            wave = np.sin((x + 2 * index) / 7.0) * np.cos(y / 11.0) * 0.2 + x / columns * 0.3 + 0.3
            wave[rows // 3 : rows // 2, (3 * index) % columns :: columns // 4] = 0.9
            wave = wave + random.normal(0, 0.01 + noise, wave.shape)
            planes.append(np.clip(np.round(wave * top), 0, top).astype(dtype))
        pictures.append((planes[0], planes[1], planes[2]))
    return pictures


def pair(features: tuple[str, ...], name: str = "a", eotf: str = "bt1886") -> Pair:
    clip = Clip(name=name, path=name, content="c", label=Label(kind="none"))
    return Pair(clip=clip, features=features, options={"cambi_eotf": eotf})


def measure(
    extractor: Extractor, fmt: FrameFormat, pairs: list[Pair], reference: list[Planes], distorted: list[list[Planes]]
) -> list[PairFeatures]:
    session = extractor.open_group(Group(content="c", fmt=fmt, framerate="25/1", pairs=tuple(pairs)))
    try:
        for index, planes in enumerate(reference):
            session.push(planes, [clip[index] if index < len(clip) else None for clip in distorted])
        results = session.finish()
    finally:
        session.close()
    assert all(isinstance(result, PairFeatures) for result in results), results
    return [result for result in results if isinstance(result, PairFeatures)]


@pytest.mark.parametrize(
    ("width", "height", "depth", "chroma"),
    [(256, 224, 8, "420"), (320, 240, 10, "420"), (256, 216, 8, "444"), (240, 256, 10, "422"), (224, 224, 12, "420")],
)
def test_agrees_with_libvmaf_within_the_registry_tolerances(
    cpu: Extractor, width: int, height: int, depth: int, chroma: str
) -> None:
    fmt = FrameFormat(width, height, depth, chroma)  # type: ignore[arg-type]
    judge = open_libvmaf((), "auto", LibvmafOptions())
    wanted = tuple(name for name in FEATURES if not cpu.lacks(name, fmt) and not judge.lacks(name, fmt))
    reference = moving_picture(fmt, 4, seed=1)
    distorted = moving_picture(fmt, 4, seed=2, noise=0.02)
    ours = measure(cpu, fmt, [pair(wanted, eotf="pq")], reference, [distorted])[0]
    theirs = measure(judge, fmt, [pair(wanted, eotf="pq")], reference, [distorted])[0]
    assert set(ours.values) == set(theirs.values) == set(wanted)
    for name in wanted:
        allowed = max(REGISTRY[name].tolerance, SIMD_TOLERANCE if name.startswith("adm") else PRINTED)
        allowed = max(allowed, 2.6e-3 if name == "vmaf" else 0.0)
        np.testing.assert_allclose(ours.values[name], theirs.values[name], rtol=0, atol=allowed, err_msg=name)


def test_a_group_gives_what_its_pairs_give_alone(cpu: Extractor) -> None:
    fmt = FrameFormat(240, 224, 10, "420")
    reference = moving_picture(fmt, 5, seed=1)
    rungs = [moving_picture(fmt, 5, seed=seed, noise=0.01 * seed) for seed in (2, 3, 4)]
    wanted = tuple(name for name in FEATURES if not cpu.lacks(name, fmt))
    together = measure(cpu, fmt, [pair(wanted, str(i)) for i in range(3)], reference, rungs)
    for rung, result in zip(rungs, together, strict=True):
        alone = measure(cpu, fmt, [pair(wanted)], reference, [rung])[0]
        for name in wanted:
            np.testing.assert_array_equal(result.values[name], alone.values[name], err_msg=name)


def test_pairs_of_a_group_may_want_different_features(cpu: Extractor) -> None:
    fmt = FrameFormat(240, 224, 8, "420")
    reference = moving_picture(fmt, 3, seed=1)
    wanted = [("psnr_y", "vmaf"), ("motion", "cambi"), ()]
    results = measure(cpu, fmt, [pair(w, str(i)) for i, w in enumerate(wanted)], reference, [reference] * 3)
    assert [set(result.values) for result in results] == [{"psnr_y", "vmaf"}, {"motion", "cambi"}, set()]
    assert [result.n_frames for result in results] == [3, 3, 3]
    np.testing.assert_array_equal(results[0].values["psnr_y"], 60.0)


def test_a_rung_that_ends_early_leaves_the_others_alone(cpu: Extractor) -> None:
    fmt = FrameFormat(240, 224, 8, "420")
    reference = moving_picture(fmt, 4, seed=1)
    whole = moving_picture(fmt, 4, seed=2, noise=0.02)
    wanted = ("motion2", "psnr_y", "speed_temporal")
    short, full = measure(cpu, fmt, [pair(wanted, "s"), pair(wanted, "f")], reference, [whole[:2], whole])
    assert (short.n_frames, full.n_frames) == (2, 4)
    np.testing.assert_array_equal(short.values["psnr_y"], full.values["psnr_y"][:2])
    np.testing.assert_array_equal(
        full.values["motion2"], measure(cpu, fmt, [pair(wanted)], reference, [whole])[0].values["motion2"]
    )


def test_motion_3_1_is_an_option_and_part_of_the_identity() -> None:
    old, new = CpuExtractor(CpuOptions(motion="3.1")), CpuExtractor(CpuOptions())
    assert old.identity != new.identity
    fmt = FrameFormat(64, 64, 8, "420")
    reference = moving_picture(fmt, 4, seed=1)
    values = [measure(e, fmt, [pair(("motion",))], reference, [reference])[0].values["motion"] for e in (old, new)]
    assert 0 < np.abs(values[0] - values[1]).max() < 1e-3


def test_a_kernel_that_cannot_be_compiled_costs_its_own_features_alone(
    cpu: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corekit.features.vif import Vif

    def refuse(self: Vif, planes: Planes) -> None:
        raise NumbaError("no such instruction\nand a long explanation")

    monkeypatch.setattr(Vif, "reference", refuse)
    fmt = FrameFormat(64, 64, 8, "420")
    reference = moving_picture(fmt, 2, seed=1)
    result = measure(cpu, fmt, [pair(("adm2", "vif_scale0", "vmaf"))], reference, [reference])[0]
    reason = "its kernel could not be compiled here (NumbaError: no such instruction)"
    assert set(result.values) == {"adm2"}
    assert result.nulls == {"vif_scale0": reason, "vmaf": f"vif_scale0: {reason}"}


def test_a_numba_that_does_not_work_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(
        BackendError, match=r"^numba cannot compile kernels here \(.*\); repair it .*, or use --backend"
    ):
        corekit_extract_features((), "auto", CpuOptions())


def test_another_device_is_refused() -> None:
    with pytest.raises(BackendError, match="--device cuda: the cpu backend runs on the CPU; leave --device out"):
        corekit_extract_features((), "cuda", CpuOptions())


@pytest.mark.parametrize("cache", ["/proc/nowhere", "{tmp}/file"])
def test_works_without_a_cache_folder(tmp_path: Path, cache: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    script = "from corekit.backends.cpu import *\nprint(CpuExtractor(CpuOptions()).identity['class'])"
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache.format(tmp=tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "corekit\n"


def test_compiling_is_told(cpu: Extractor) -> None:
    told: list[str] = []
    extractor = CpuExtractor(CpuOptions())
    extractor.notify = told.append  # type: ignore[method-assign, assignment]
    import numba

    numba.njit(lambda x: x + 1)(1)
    extractor.close()
    extractor.close()
    numba.njit(lambda x: x + 2)(1)
    assert told == ["compiling the feature kernels, about a minute; numba keeps them for the next time"]


def test_prepare_runs_every_wanted_kernel_of_the_format(cpu: Extractor) -> None:
    cpu.prepare(FrameFormat(1920, 1080, 10, "420"), FEATURES)
