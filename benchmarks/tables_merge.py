"""`corekit merge` on frame tables of millions of rows, beside the same work in plain pandas in the same run.

    python -m benchmarks.tables_merge [--rows 10000000] [--out FILE.json]

Two synthetic tables, the second in the shape of the older scripts and without ssimulacra2, become one in the locked order,
compressed with zstd. Both sides run in a process of their own; corekit hashes inputs, values and output besides. pandas is
optional: without it there is no peer.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import machine
from corekit.schema import FEATURES, FRAME_COLUMNS

_ROWS = 10_000_000
_FRAMES_PER_CLIP = 250
_ROWS_PER_GROUP = 1 << 20
_CORES = "from corekit.cli.main import main; main()"
_PANDAS = """
import sys
import pandas as pd

first, second, out, *columns = sys.argv[1:]
tables = [
    pd.read_parquet(first).assign(corpus="alpha"),
    pd.read_parquet(second).rename(columns={"key": "source"}).assign(corpus="beta"),
]
pd.concat(tables, ignore_index=True).reindex(columns=columns).to_parquet(out, compression="zstd")
"""


def write_table(path: Path, rows: int, columns: list[str], seed: int) -> None:
    """A frame table of ``rows`` rows in row groups as pandas writes them."""
    random = np.random.default_rng(seed)
    schema = pa.schema([(name, _type(name)) for name in columns])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _ROWS_PER_GROUP):
            count = min(_ROWS_PER_GROUP, rows - start)
            index = np.arange(start, start + count)
            values = {name: _values(name, index, random) for name in columns}
            writer.write_table(pa.table(values, schema=schema), row_group_size=_ROWS_PER_GROUP)


def _type(name: str) -> pa.DataType:
    if name in FEATURES:
        return pa.float64()
    return pa.int64() if name == "frame_index" else pa.string()


def _values(name: str, index: Any, random: np.random.Generator) -> Any:
    if name in FEATURES:
        return random.normal(50.0, 10.0, len(index))
    if name == "frame_index":
        return index % _FRAMES_PER_CLIP
    if name in ("codec", "teacher_model"):
        return pa.array([{"codec": "h264", "teacher_model": "vmaf_v0.6.1"}[name]] * len(index))
    return np.char.add("clip_", (index // _FRAMES_PER_CLIP).astype(str))


def main() -> int:
    """Run both sides and print a table; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--out", type=Path, help="write the figures as JSON, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measured = _measure(Path(name), options.rows)
    print(f"{options.rows} rows, {len(FRAME_COLUMNS)} columns\n")
    rows = [
        [
            side,
            f"{figures['wall_s']:.1f}",
            f"{figures['cpu_s']:.1f}",
            f"{figures['peak_mib']:.0f}",
            f"{figures['mib']:.0f}",
        ]
        for side, figures in measured.items()
    ]
    print(machine.table(["side", "wall s", "CPU s", "peak MiB", "output MiB"], rows))
    if options.out:
        machine.write_json(options.out, {"machine": machine.describe(), "rows": options.rows, "measured": measured})
    return 0


def _measure(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    columns = [column.name for column in FRAME_COLUMNS]
    first, second = folder / "first.parquet", folder / "second.parquet"
    write_table(first, rows // 2, [name for name in columns if name != "corpus"], seed=1)
    older = {"source": "key", "corpus": "", "clip_name": "", "ssimulacra2": ""}
    write_table(second, rows - rows // 2, [found for name in columns if (found := older.get(name, name))], seed=2)
    sides = {
        "corekit": [sys.executable, "-c", _CORES, "merge", f"alpha={first}", f"beta={second}", "--out"],
        "pandas": [sys.executable, "-c", _PANDAS, str(first), str(second)],
    }
    if importlib.util.find_spec("pandas") is None:
        del sides["pandas"]
    measured = {}
    for side, command in sides.items():
        out = folder / f"{side}.parquet"
        usage = machine.run(
            [*command, str(out), *(columns if side == "pandas" else [])], dict(os.environ), folder / "log"
        )
        measured[side] = {
            "wall_s": round(usage.wall_s, 2),
            "cpu_s": round(usage.cpu_s, 2),
            "peak_mib": usage.peak_mib or 0.0,
            "mib": round(out.stat().st_size / 2**20, 1),
        }
        out.unlink()
    return measured


if __name__ == "__main__":
    sys.exit(main())
