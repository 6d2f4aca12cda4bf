"""`corekit enrich` on a frame table of millions of rows, beside the same work in plain pandas in the same run.

    python -m benchmarks.tables_enrich [--rows 10000000] [--out FILE.json]

A synthetic frame table gets six metadata columns and the split columns from a JSONL sidecar with a line per clip. Both sides
run in a process of their own and compress with zstd; corekit surveys first, hashes input, values and output, and writes a
manifest besides. pandas is optional: without it there is no peer.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import machine
from benchmarks.tables_merge import write_table
from corekit.schema import FRAME_COLUMNS

_ROWS = 10_000_000
_COREKIT = "from corekit.cli.main import main; main()"
_PANDAS = """
import hashlib
import sys
import pandas as pd

def split_of(content):
    value = int.from_bytes(hashlib.blake2s(f"chug-hdr-v1\\0{content}".encode(), digest_size=8).digest(), "big") / 2**64
    return "train" if value < 0.8 else "val" if value < 0.9 else "test"

table, sidecar, out = sys.argv[1:]
metadata = pd.read_json(sidecar, lines=True)
metadata["clip_name"] = metadata.pop("src").str.rsplit("/", n=1).str[-1]
joined = pd.read_parquet(table).merge(metadata, on="clip_name", how="left")
splits = {content: split_of(content) for content in joined["source"].unique()}
joined["split"] = joined["source"].map(splits)
joined["chug_split_key"] = joined["source"]
joined["chug_split_policy"] = "content-name-blake2s-80-10-10"
joined.to_parquet(out, compression="zstd")
"""


def main() -> int:
    """Run both sides and print a table; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--out", type=Path, help="write the figures as JSON, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measured = _measure(Path(name), options.rows)
    print(f"{options.rows} rows, {len(FRAME_COLUMNS)} columns before\n")
    rows = [[side, *(f"{figures[name]:.1f}" for name in figures)] for side, figures in measured.items()]
    print(machine.table(["side", "wall s", "CPU s", "peak MiB", "output MiB"], rows))
    if options.out:
        machine.write_json(options.out, {"machine": machine.describe(), "rows": options.rows, "measured": measured})
    return 0


def _measure(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    table, sidecar = folder / "table.parquet", folder / "sidecar.jsonl"
    write_table(table, rows, [column.name for column in FRAME_COLUMNS if column.name != "corpus"], seed=1)
    _write_sidecar(table, sidecar)
    sides = {
        "corekit": [sys.executable, "-c", _COREKIT, "enrich", str(table), "--metadata", str(sidecar), "--out"],
        "pandas": [sys.executable, "-c", _PANDAS, str(table), str(sidecar)],
    }
    if importlib.util.find_spec("pandas") is None:
        del sides["pandas"]
    measured = {}
    for side, command in sides.items():
        out = folder / f"{side}.parquet"
        usage = machine.run([*command, str(out)], dict(os.environ), folder / "log")
        measured[side] = {
            "wall_s": round(usage.wall_s, 2),
            "cpu_s": round(usage.cpu_s, 2),
            "peak_mib": usage.peak_mib or 0.0,
            "mib": round(out.stat().st_size / 2**20, 1),
        }
        out.unlink()
    return measured


def _write_sidecar(table: Path, sidecar: Path) -> None:
    with sidecar.open("w", encoding="utf-8") as file:
        for number, name in enumerate(pq.read_table(table, columns=["clip_name"])["clip_name"].unique().to_pylist()):
            line = {
                "src": f"clips/{name}",
                "corpus": "chug",
                "mos_raw_0_100": number % 1000 / 10,
                "chug_video_id": name,
                "chug_ref": number % 7 // 6,
                "chug_orientation": "Landscape",
                "chug_framerate_manifest": 29.97,
                "chug_height_manifest": 1080,
            }
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
