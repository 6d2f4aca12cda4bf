"""What the models are worth on public feature matrices of KoNViD-1k, in the protocol of the published figures.

    python -m benchmarks.train_models MATRIX.parquet... [--models svr-blend,svr,ridge,mlp-v1] [--repeats 100] [--json FILE]

A matrix has the columns ``mos`` and ``f00``, ``f01``, ... (VIDEVAL, BRISQUE). 100 splits of 80/20, hyper-parameters inside the
training part, median over the splits; PLCC and RMSE after a four-parameter logistic fit.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from corekit import TrainOptions, train
from corekit.driver.train.words import number

PUBLISHED = {
    "konvid1k_videval": {"srocc": 0.7832, "plcc": 0.7803},
    "konvid1k_brisque": {"srocc": 0.6567, "plcc": 0.6576},
}
"""Tu et al., UGC-VQA: benchmarking blind video quality assessment for user generated content, IEEE TIP 2021, table of KoNViD-1k."""


def run(matrix: Path, model: str, repeats: int, workers: int) -> dict[str, Any]:
    """One model on one matrix."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        options = TrainOptions(
            tables=(matrix,), out=Path(folder) / "model", features="f[0-9]*", label="mos", model=model, impute="median",
            repeats=repeats, workers=workers,
        )  # fmt: skip
        report = train(options).report
    measures = {name: getattr(report, name) for name in ("srocc", "krocc", "plcc", "rmse")}
    return {
        "matrix": matrix.stem,
        "model": model,
        "repeats": repeats,
        "wall_s": round(time.monotonic() - started, 1),
        **{name: {"median": m.median, "std": m.std} for name, m in measures.items()},
        "published": PUBLISHED.get(matrix.stem),
    }


def main() -> None:
    """Run every model on every matrix and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("matrices", nargs="+", type=Path)
    parser.add_argument("--models", default="svr-blend,svr,ridge,mlp-v1")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{'matrix':<20} {'model':<10} {'SROCC':>7} {'std':>6} {'PLCC':>7} {'RMSE':>7} {'published':>15} {'s':>7}")
    rows = []
    for matrix in arguments.matrices:
        for model in arguments.models.split(","):
            row = run(matrix, model, arguments.repeats, arguments.workers)
            rows.append(row)
            known = row["published"]
            shown = f"{known['srocc']:.4f}/{known['plcc']:.4f}" if known else "-"
            medians = [number(row[name]["median"]) for name in ("srocc", "plcc", "rmse")]
            print(
                f"{row['matrix']:<20} {model:<10} {medians[0]:>7} {number(row['srocc']['std'], 3):>6} {medians[1]:>7} {medians[2]:>7} "
                f"{shown:>15} {row['wall_s']:>7}",
                flush=True,
            )
            if arguments.json:
                machine.write_json(arguments.json, {"machine": machine.describe(), "rows": rows})


if __name__ == "__main__":
    main()
