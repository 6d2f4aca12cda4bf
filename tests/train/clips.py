"""Small clip tables for the tests of training: contents with a ladder, features that tell the label, and noise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corekit import TrainOptions

RUNGS = ("a_low", "b_mid", "c_high")


def columns(contents: int = 30, *, seed: int = 0, spread: float = 0.5) -> dict[str, Any]:
    """Columns of a table with three rungs a content."""
    random = np.random.default_rng(seed)
    n = contents * len(RUNGS)
    rung = np.tile(np.arange(len(RUNGS)), contents)
    content = np.repeat(np.arange(contents), len(RUNGS))
    quality = (
        rung + random.normal(scale=0.6, size=n) + np.repeat(random.normal(scale=spread, size=contents), len(RUNGS))
    )
    low, high = quality.min(), quality.max()
    mos = 1.0 + 4.0 * (quality - low) / (high - low)
    return {
        "clip_name": [f"c{c:02}_{RUNGS[r]}.mp4" for c, r in zip(content, rung, strict=True)],
        "content": [f"content{c:02}" for c in content],
        "rung": [RUNGS[r] for r in rung],
        "corpus": ["toy"] * n,
        "label_kind": ["mos"] * n,
        "mos": mos,
        "split": [("train", "train", "train", "val", "test")[c % 5] for c in content],
        "width": [1920] * n,
        "height": [1080] * n,
        "adm2_mean": 0.5 + 0.1 * quality + random.normal(scale=0.02, size=n),
        "motion2_mean": random.uniform(0, 9, size=n),
        "vif_scale0_mean": 0.2 + 0.05 * quality**2 + random.normal(scale=0.05, size=n),
        "ssimulacra2_mean": pa.nulls(n, pa.float64()),
    }


def write_table(path: Path, changes: Mapping[str, Any] | None = None, *, contents: int = 30) -> Path:
    """A table as Parquet; a change to None leaves the column out."""
    values = {**columns(contents), **(changes or {})}
    pq.write_table(pa.table({name: column for name, column in values.items() if column is not None}), path)
    return path


def options(table: Path, **more: Any) -> TrainOptions:
    """A quick training on it."""
    settings: dict[str, Any] = {
        "tables": (table,), "out": table.parent / "model", "features": "full", "model": "ridge", "repeats": 4,
    }  # fmt: skip
    return TrainOptions(**{**settings, **more})
