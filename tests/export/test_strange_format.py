"""A format that a stranger's distribution brings is offered, written and recorded as ours are; a broken one is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.command import corekit

_MODULE = """
from corekit import ExportFormat, hookimpl

COREKIT_API = 1


def write(source, file, options):
    names = [row["clip_name"] for row in source.rows()]
    file.write("\\n".join(names).encode())
    return len(names) if {whole} else 1 / 0


@hookimpl
def corekit_export_formats():
    return [ExportFormat(name="{name}", title="names alone", suffix=".names", write=write)]
"""


def install(site: Path, name: str = "names", *, whole: bool = True) -> dict[str, str]:
    site.mkdir(exist_ok=True)
    (site / "corekit_lister.py").write_text(_MODULE.format(name=name, whole=whole))
    metadata = site / "corekit_lister-3.1.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: corekit-lister\nVersion: 3.1\n")
    (metadata / "entry_points.txt").write_text("[corekit.extensions]\nlister = corekit_lister\n")
    return {"PYTHONPATH": str(site)}


def table(folder: Path) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.table({"clip_name": ["a.mp4", "b.mp4"]}), path)
    return path


def test_a_strangers_format(tmp_path: Path) -> None:
    env = install(tmp_path / "site")
    listed = corekit("export", "--list", env=env)
    assert "names           clip         corekit-lister  names alone" in listed.stdout
    done = corekit("export", table(tmp_path), "--to", "names", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "t.names").read_text() == "a.mp4\nb.mp4"
    assert '"distribution": "corekit-lister"' in (tmp_path / "t.names.manifest.json").read_text()
    switched_off = corekit("export", table(tmp_path), "--to", "names", "--disable", "lister", env=env)
    assert switched_off.returncode == 2


def test_a_format_that_fails_names_its_distribution(tmp_path: Path) -> None:
    env = install(tmp_path / "site", whole=False)
    done = corekit("export", table(tmp_path), "--to", "names", env=env)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "corekit: the format 'names' of corekit-lister 3.1 failed with ZeroDivisionError: division by zero; report it to "
        "corekit-lister 3.1"
    )
    assert not (tmp_path / "t.names").exists()


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    env = install(tmp_path / "site", name="csv")
    done = corekit("export", table(tmp_path), "--to", "csv", env=env)
    assert done.returncode == 2
    assert "the format 'csv' is brought by corekit and corekit-lister; switch one off with --disable" in done.stderr
