"""Tables made by the cuda backend equal the cpu backend's, for a corpus in every layout: on a GPU with all features, else with torch on the CPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import corekit
from corekit.driver.replay.compare import compare_tables
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
        tables.append(out)
    ignore = frozenset({"run_id", "feature_backend"})
    compared = compare_tables(*tables, key=("clip_name",), ignore=ignore, clips=None, backends=("cpu", "cuda"))
    assert compared.rows > 0
    assert not compared.only_recorded and not compared.only_made_again
    assert [each for each in compared.differences if not each.within] == []


def _root(corpus: str, tmp_path: Path) -> Path:
    root = SHARED / "corpora" / corpus
    if corpus != "netflix":
        return root
    shutil.copytree(root, tmp_path / corpus)
    unpack = [sys.executable, str(tmp_path / corpus / "unpack.py")]
    subprocess.run(unpack, check=True, capture_output=True)
    return tmp_path / corpus
