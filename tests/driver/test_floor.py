"""The constants of a clip compared with itself: how far they lie from what is computed, and what a run makes of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corekit import Clip, FrameFormat, Group, Label, Pair, PairFeatures, RunOptions, make_sample, read_table, run
from corekit.backends.cpu import CpuExtractor, CpuOptions
from corekit.driver.floor import completed, computed
from corekit.driver.options import Identity
from corekit.features.registry import identity_value, undefined
from corekit.planes import Planes
from corekit.schema import FEATURES, INFORMATIVE, VMAF
from corekit.video import VideoReader
from tests.shared_data import SHARED, needs_shared

TOLERANCE = 2e-5
VMAF_TOLERANCE = 2e-3
"""Of pictures as cameras take them; the SVM multiplies what its inputs are off by some hundred times."""
FMT = FrameFormat(320, 240, 8, "420")
SELF = tuple(feature for feature in FEATURES if feature not in INFORMATIVE)


def computed_values(fmt: FrameFormat, frames: Iterator[Planes]) -> PairFeatures:
    wanted = tuple(feature for feature in FEATURES if not undefined(feature, fmt))
    extractor = CpuExtractor(CpuOptions())
    clip = Clip(name="a", path="a", content="a", label=Label(kind="none"))
    pair = Pair(clip=clip, features=wanted, options={"cambi_eotf": "bt1886"})
    session = extractor.open_group(Group(content="a", fmt=fmt, framerate="25/1", pairs=(pair,)))
    for planes in frames:
        session.push(planes, [planes])
    (answer,) = session.finish()
    session.close()
    extractor.close()
    assert isinstance(answer, PairFeatures)
    return answer


def coded(plane: Any, fmt: FrameFormat) -> Any:
    """Samples of 0 to 1 as code values."""
    top = (1 << fmt.bit_depth) - 1
    return (np.clip(plane, 0, 1) * top).astype(np.uint8 if fmt.bit_depth == 8 else np.uint16)


def picture(fmt: FrameFormat, n: int) -> Iterator[Planes]:
    """Textured, grainy frames that move, as a camera gives them."""
    random = np.random.default_rng(5)

    def rough(rows: int, columns: int) -> Any:
        cells = [
            np.kron(random.normal(0, 0.03, (rows // c + 1, columns // c + 1)), np.ones((c, c))) for c in (2, 4, 8, 16)
        ]
        return sum(cell[:rows, :columns] for cell in cells)

    bases = [rough(*shape) for shape in fmt.shapes]
    for index in range(n):
        y, cb, cr = (0.5 + np.roll(base, 3 * index, 1) + random.normal(0, 0.01, base.shape) for base in bases)
        yield coded(y, fmt), coded(cb, fmt), coded(cr, fmt)


def gradient(fmt: FrameFormat, n: int) -> Iterator[Planes]:
    for index in range(n):
        y, cb, cr = (np.broadcast_to((np.arange(shape[1]) + index) / (shape[1] + 8), shape) for shape in fmt.shapes)
        yield coded(y, fmt), coded(cb, fmt), coded(cr, fmt)


def distances(fmt: FrameFormat, answer: PairFeatures) -> dict[str, float]:
    wanted = tuple(answer.values)
    floor = completed(answer_of(answer, computed(wanted)), wanted, fmt)
    assert set(floor.values) == set(wanted)
    return {
        feature: 0.0 if np.array_equal(floor.values[feature], answer.values[feature])
        else float(np.abs(floor.values[feature] - answer.values[feature]).max())
        for feature in wanted
    }  # fmt: skip


def answer_of(answer: PairFeatures, features: tuple[str, ...]) -> PairFeatures:
    return PairFeatures({name: answer.values[name] for name in features}, {}, answer.n_frames)


@pytest.mark.parametrize("fmt", [FMT, FrameFormat(320, 240, 10, "420"), FrameFormat(256, 192, 8, "444")])
def test_pictures_are_within_the_tolerance(fmt: FrameFormat) -> None:
    found = distances(fmt, computed_values(fmt, picture(fmt, 4)))
    assert found.pop(VMAF) < VMAF_TOLERANCE
    assert {name: off for name, off in found.items() if off > TOLERANCE} == {}


def test_smooth_gradients_are_not_and_that_is_documented() -> None:
    fmt = FrameFormat(640, 360, 12, "420")
    found = distances(fmt, computed_values(fmt, gradient(fmt, 3)))
    assert 1e-3 < found["adm_scale3"] < 1e-2 and 1e-4 < found["adm2"] < 1e-3 and 0.1 < found[VMAF] < 0.5
    assert found["float_ssim"] <= TOLERANCE and found["psnr_y"] == 0.0


@needs_shared
def test_the_goldens_of_clips_against_themselves_are_within_the_tolerance() -> None:
    truth = json.loads((SHARED / "TRUTH.json").read_text())
    goldens = [golden for golden in truth["golden"] if golden["corpus"] == "k150k"]
    assert len(goldens) >= 2
    for golden in goldens:
        n = golden["n_frames"]
        fmt = FrameFormat(golden["width"], golden["height"], 8, "420")
        known = {name: np.array([math.inf if v is None else v for v in vs]) for name, vs in golden["features"].items()}
        answer = PairFeatures({name: known[name] for name in FEATURES if name in known}, {}, n)
        found = distances(fmt, answer)
        assert found.pop(VMAF) < VMAF_TOLERANCE
        assert {name: off for name, off in found.items() if off > TOLERANCE} == {}


@needs_shared
@pytest.mark.parametrize("name", ["bbb_576x324_420_8", "bikes_640x272_420_10", "carphone_176x144_420_8"])
def test_clips_against_themselves_are_within_the_tolerance(name: str) -> None:
    with VideoReader(SHARED / "clips" / f"{name}_ref.mkv") as reader:
        found = distances(reader.fmt, computed_values(reader.fmt, islice(reader, 8)))
    assert found.pop(VMAF) < VMAF_TOLERANCE
    assert {feature: off for feature, off in found.items() if off > TOLERANCE} == {}


def test_what_must_be_computed() -> None:
    assert computed(FEATURES) == INFORMATIVE
    assert computed(("adm2", "psnr_y")) == ()
    assert computed(("adm2", VMAF)) == ("motion2",)
    assert computed(("motion", "cambi")) == ("motion", "cambi")


def test_constants_follow_the_depth() -> None:
    assert identity_value("psnr_y", FMT) == 60.0
    assert identity_value("psnr_cb", FrameFormat(64, 64, 10, "420")) == 72.0
    assert math.isinf(identity_value("ciede2000", FMT))
    assert all(isinstance(identity_value(feature, FMT), float) for feature in SELF if feature != VMAF)


def test_without_motion2_there_is_no_vmaf() -> None:
    answer = completed(PairFeatures({}, {"motion2": "it broke"}, 2), ("adm2", VMAF), FMT)
    assert list(answer.values) == ["adm2"] and answer.nulls[VMAF] == "needs motion2: it broke"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("floor")
    root = make_sample("k150k", folder / "k150k")
    found: dict[str, list[dict[str, Any]]] = {}
    identities: tuple[Identity, ...] = ("null", "floor", "compute")
    for identity in identities:
        options = RunOptions(
            corpus="k150k", root=root, out=folder / f"{identity}.parquet", identity=identity, backend="cpu", limit=1,
        )  # fmt: skip
        found[identity] = read_table(run(options).table).data.to_pylist()
    return found


class TestRun:
    def test_floor_is_compute_within_the_tolerance(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        for floor, full in zip(tables["floor"], tables["compute"], strict=True):
            for feature in FEATURES:
                one, other = floor[f"{feature}_mean"], full[f"{feature}_mean"]
                if other is None:
                    assert one is None, feature
                else:
                    tolerance = VMAF_TOLERANCE if feature == VMAF else TOLERANCE
                    assert one == pytest.approx(other, rel=0, abs=tolerance), feature
            assert floor["vmaf_score"] == floor["vmaf_mean"] and floor["vmaf_model"] == "vmaf_v0.6.1"

    def test_null_leaves_them_out(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        for bare, floor in zip(tables["null"], tables["floor"], strict=True):
            assert [bare[f"{feature}_mean"] for feature in SELF] == [None] * len(SELF)
            for feature in INFORMATIVE:
                assert bare[f"{feature}_mean"] == floor[f"{feature}_mean"]

    def test_vmaf_alone_gives_vmaf_alone(self, tmp_path: Path) -> None:
        root = make_sample("k150k", tmp_path / "k150k")
        options = RunOptions(
            corpus="k150k", root=root, out=tmp_path / "t.parquet", identity="floor", backend="cpu", limit=1,
            features="vmaf,psnr_hvs",
        )  # fmt: skip
        result = run(options)
        (row,) = read_table(result.table).data.to_pylist()
        assert 97 < row["vmaf_mean"] <= 100
        assert row["motion2_mean"] is row["adm2_mean"] is row["psnr_hvs_mean"] is None
        reasons = {feature: [null.reason for null in nulls] for feature, nulls in result.manifest.nulls.items()}
        assert reasons["psnr_hvs"] == ["no frame has a finite value"]
        assert reasons["motion2"] == ["not asked for (--features)"]
        assert result.manifest.options["identity"] == "floor"
