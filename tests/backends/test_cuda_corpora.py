"""Tables made by the cuda backend equal the cpu backend's, for a corpus in every layout: on a GPU with all features, else with torch on the CPU."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import corekit
from corekit.features.registry import REGISTRY
from corekit.schema import STATISTICS
from tests.shared_data import SHARED, needs_shared

torch = pytest.importorskip("torch")
ON_GPU = torch.cuda.is_available()
CASES: dict[str, dict[str, Any]] = {
    "bvi_dvc": {"pairing": "synthetic"},
    "chug": {"pairing": "fr"},
    "k150k": {"pairing": "nr", "identity": "compute"},
    "konvid": {"pairing": "synthetic"},
    "netflix": {"pairing": "fr", "identity": "compute", "include_references": True},
}
OF_THE_RUN = {"run_id", "timestamp", "encode_time_ms", "score_time_ms", "feature_backend"}


@needs_shared
@pytest.mark.parametrize("corpus", CASES)
@pytest.mark.parametrize(
    "decode", ["cpu", pytest.param("auto", marks=pytest.mark.skipif(not ON_GPU, reason="no GPU is here"))]
)
def test_the_table_is_that_of_the_cpu_backend(corpus: str, decode: str, tmp_path: Path) -> None:
    root = _root(corpus, tmp_path)
    tables = []
    for backend, device in (("cpu", "auto"), ("cuda", "auto" if ON_GPU else "cpu")):
        out = tmp_path / f"{backend}.parquet"
        corekit.run(
            corekit.RunOptions(
                corpus=corpus, root=root, out=out, backend=backend, device=device, workers=2,
                decode=decode if backend == "cuda" else "cpu",  # type: ignore[arg-type]
                features="full" if ON_GPU else "canonical,vmaf,psnr_y,float_ssim",
                limit=None if ON_GPU else 1, **CASES[corpus],
            )
        )  # fmt: skip
        tables.append(corekit.read_table(out).data.to_pylist())
    ours, theirs = tables
    assert len(ours) == len(theirs) > 0
    for row, expected in zip(ours, theirs, strict=True):
        for name in row.keys() - OF_THE_RUN:
            assert _same(name, row[name], expected[name]), (row["clip_name"], name, row[name], expected[name])


def _root(corpus: str, tmp_path: Path) -> Path:
    root = SHARED / "corpora" / corpus
    if corpus != "netflix":
        return root
    shutil.copytree(root, tmp_path / corpus)
    unpack = [sys.executable, str(tmp_path / corpus / "unpack.py")]
    subprocess.run(unpack, check=True, capture_output=True)
    return tmp_path / corpus


def _same(column: str, value: Any, expected: Any) -> bool:
    """Equal, or a feature within its tolerance."""
    if value == expected:
        return True
    feature = next((column.removesuffix(f"_{each}") for each in STATISTICS if column.endswith(f"_{each}")), "")
    if feature not in REGISTRY or not isinstance(value, float):
        return False
    return math.isclose(value, expected, rel_tol=0.0, abs_tol=REGISTRY[feature].tolerance) or (
        math.isnan(value) and math.isnan(expected)
    )
