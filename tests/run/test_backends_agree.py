"""Tables made by the cpu backend and by libvmaf itself from one corpus agree within each feature's tolerance."""

from __future__ import annotations

from pathlib import Path

import pytest

import corekit
from corekit.features.registry import REGISTRY
from corekit.schema import FEATURES, STATISTICS

PRINTED = 2e-6  # FFmpeg prints 6 decimals
SIMD = {"vmaf": 2.6e-3, **{name: 1e-4 for name in FEATURES if name.startswith("adm")}}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[corekit.RunResult, corekit.RunResult]:
    folder = tmp_path_factory.mktemp("agree")
    root = corekit.make_sample("chug", folder / "chug")

    def run(backend: str) -> corekit.RunResult:
        out = folder / f"{backend}.parquet"
        return corekit.run(corekit.RunOptions(corpus="chug", root=root, out=out, backend=backend, limit=6, workers=2))

    return run("cpu"), run("libvmaf")


def rows(result: corekit.RunResult) -> list[dict[str, object]]:
    return list(corekit.read_table(Path(result.table)).data.to_pylist())


def test_the_same_rows(tables: tuple[corekit.RunResult, corekit.RunResult]) -> None:
    ours, theirs = (rows(result) for result in tables)
    assert len(ours) == len(theirs) == 6
    same = ("clip_name", "src_sha256", "ref_sha256", "n_frames", "mos", "split", "is_hdr", "chug_bitladder")
    assert [[row[name] for name in same] for row in ours] == [[row[name] for name in same] for row in theirs]
    assert {row["feature_backend"] for row in ours} == {"cpu"}


@pytest.mark.parametrize("feature", [name for name in FEATURES if name != "ssimulacra2"])
def test_the_same_values(tables: tuple[corekit.RunResult, corekit.RunResult], feature: str) -> None:
    allowed = max(REGISTRY[feature].tolerance, SIMD.get(feature, 0.0), PRINTED)
    for ours, theirs in zip(rows(tables[0]), rows(tables[1]), strict=True):
        for statistic in STATISTICS:
            a, b = ours[f"{feature}_{statistic}"], theirs[f"{feature}_{statistic}"]
            assert (a is None) == (b is None), (ours["clip_name"], statistic)
            if isinstance(a, float) and isinstance(b, float):
                assert a == pytest.approx(b, abs=allowed, rel=0), (ours["clip_name"], statistic)


def test_what_libvmaf_lacks_is_null_there_alone(tables: tuple[corekit.RunResult, corekit.RunResult]) -> None:
    ours, theirs = (result.manifest.nulls for result in tables)
    assert [(null.reason, null.rows) for null in theirs["ssimulacra2"]] == [("libvmaf has no ssimulacra2", 6)]
    assert "ssimulacra2" not in ours
