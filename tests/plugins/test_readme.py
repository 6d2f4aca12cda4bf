"""The plugin that the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq

from tests.command import corekit
from tests.plugins.distributions import Site
from tests.plugins.test_strangers_end_to_end import y4m

README = Path(__file__).parents[2] / "README.md"


def test_the_plugin_of_the_readme(tmp_path: Path) -> None:
    source = next(
        block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "COREKIT_API" in block
    )
    assert len([line for line in source.splitlines() if line.strip()]) <= 35
    (tmp_path / "site").mkdir()
    Site(tmp_path / "site").add_corpus("lab", source)
    root = tmp_path / "lab"
    (root / "clips").mkdir(parents=True)
    (root / "scores.csv").write_text("file,mos\na.y4m,3.4\nb.y4m,1.2\n")
    y4m(root / "clips" / "a.y4m", luma=100)
    y4m(root / "clips" / "b.y4m", luma=60)
    env = {"PYTHONPATH": str(tmp_path / "site")}
    out = tmp_path / "lab.parquet"
    arguments = ("run", "--corpus", "lab", "--root", root, "--out", out, "--features", "motion2")
    done = corekit(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert pq.ParquetFile(out).read(["clip_name", "mos"]).to_pylist() == [
        {"clip_name": "a.y4m", "mos": 3.4},
        {"clip_name": "b.y4m", "mos": 1.2},
    ]
    (root / "scores.csv").write_text("file,mos\na.y4m,3.4\nb.y4m,\n")
    done = corekit(*arguments, env=env)
    assert done.returncode == 3
    assert done.stderr.endswith(f"{root}/scores.csv:3: no MOS here; write a number into the column mos\n")
    (root / "scores.csv").write_text("file,mos\na.y4m,3,4\nb.y4m,1.2\n")
    done = corekit(*arguments, env=env)
    assert done.returncode == 3
    assert done.stderr.endswith(f"{root}/scores.csv:2: more cells than columns; write 4.8, not 4,8\n")
    (root / "scores.csv").write_text("\ufefffile,mos\na.y4m,3.4\nb.y4m,1.2\n", encoding="utf-8")
    assert corekit(*arguments, env=env).returncode == 0
