"""Published figures and real label files, where the shared test data is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corekit import TrainOptions, UsageError, train
from tests.shared_data import SHARED, needs_shared

LABELS = SHARED / "labels"
PUBLISHED = {
    "konvid1k_videval": (0.7832, 0.7803, 0.0216),
    "konvid1k_brisque": (0.6567, 0.6576, 0.0323),
}
"""Median SROCC and PLCC over 100 splits (Tu et al., IEEE TIP 2021), and how far one split's SROCC lies from the median."""


@needs_shared
@pytest.mark.parametrize("matrix", PUBLISHED)
def test_support_vectors_reach_the_published_figures(tmp_path: Path, matrix: str) -> None:
    srocc, plcc, spread = PUBLISHED[matrix]
    report = train(
        TrainOptions(
            tables=(LABELS / f"{matrix}.parquet",), out=tmp_path / "m", features="f[0-9]*", model="svr", impute="median",
            repeats=5, workers=2,
        )
    ).report  # fmt: skip
    assert report.srocc is not None and report.plcc is not None
    assert report.srocc.median == pytest.approx(srocc, abs=1.5 * spread)
    assert report.plcc.median == pytest.approx(plcc, abs=1.5 * spread)


def chug(tmp_path: Path, **more: object) -> TrainOptions:
    settings: dict[str, object] = {
        "tables": (LABELS / "chug.csv",), "out": tmp_path / "m", "label": "mos_j", "group": "content_name",
        "rung": "bitladder", "features": "width,height", "model": "ridge", "repeats": 50,
    }  # fmt: skip
    return TrainOptions(**{**settings, **more})  # type: ignore[arg-type]


@needs_shared
def test_metadata_alone_on_the_real_chug_labels(tmp_path: Path) -> None:
    report = train(chug(tmp_path)).report
    metadata = next(one for one in report.baselines if one.name == "metadata-only").measures
    assert metadata.srocc and metadata.plcc and metadata.rmse_raw
    assert metadata.srocc.median == pytest.approx(0.722, abs=0.005)
    assert metadata.plcc.median == pytest.approx(0.757, abs=0.005)
    assert metadata.rmse_raw.median == pytest.approx(8.08, abs=0.1)
    assert (report.n, report.n_groups) == (5992, 856)


@needs_shared
def test_a_row_random_split_of_chug_is_refused_with_its_leak(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(chug(tmp_path, protocol="random"))
    leaked = float(str(caught.value).partition("reaches SROCC ")[2][:5])
    assert leaked == pytest.approx(0.908, abs=0.01)
    assert np.isfinite(float(str(caught.value).partition("that way, ")[2][:5]))
