"""A stranger's corpus and a stranger's backend, through the command line, as ours."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corekit.manifest import Manifest, read_manifest
from tests.command import corekit
from tests.plugins.distributions import GOOD_BACKEND, GOOD_CORPUS, Site

_EXTENSION = """
from corekit import Column, ManifestSection, hookimpl
COREKIT_API = 1
WIDE = Column(name="x_wide_wide", type="bool", description="wider than high")
@hookimpl
def corekit_shape_row(probe):
    return {WIDE: probe.width > probe.height}
@hookimpl
def corekit_write_manifest(run):
    return ManifestSection("wide", {"clips": len(run.clips), "rows": sum(1 for _ in run.measured())})
"""


def y4m(path: Path, *, luma: int, frames: int = 3, width: int = 16, height: int = 16) -> None:
    frame = b"FRAME\n" + bytes([luma]) * (width * height) + bytes([128]) * (width * height // 2)
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode() + frame * frames)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An import folder with a stranger's corpus, backend and extension, and a plugin that breaks."""
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder)
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_backend("flat", GOOD_BACKEND)
    site.add_extension("wide", _EXTENSION)
    site.add_corpus("bad", "raise SystemExit(7)")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "farm"
    root.mkdir()
    (root / "farm.txt").write_text("ref.y4m scene ref 9.5\nlow.y4m scene dis 2\nhigh.y4m scene dis 7.5\n")
    for name, luma in (("ref", 100), ("low", 60), ("high", 95)):
        y4m(root / f"{name}.y4m", luma=luma)
    return root


def test_a_run_of_strangers(installed: Path, root: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(installed), "FARM_ROOT": str(root)}
    out = tmp_path / "out" / "farm.parquet"
    done = corekit(
        "run", "--corpus", "farm", "--backend", "flat", "--features", "psnr_y,vmaf", "--out", out, "--json", env=env
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counters"]["parquet_rows"] == 2
    table = pq.read_table(out)
    assert table.column_names[-2:] == ["farm_grade", "x_wide_wide"]
    wanted = (
        "clip_name",
        "psnr_y_mean",
        "psnr_y_std",
        "vmaf_mean",
        "mos",
        "feature_backend",
        "farm_grade",
        "x_wide_wide",
    )
    assert table.select(wanted).to_pylist() == [
        dict(zip(wanted, values, strict=True))
        for values in [
            ("low.y4m", 40.0, 0.0, None, 1.8, "flat", 7, False),
            ("high.y4m", 5.0, 0.0, None, 4.0, "flat", 8, False),
        ]
    ]
    manifest = read_manifest(out.with_name("farm.manifest.json"))
    assert isinstance(manifest, Manifest)
    assert [(p.kind, p.name, p.distribution, p.version) for p in manifest.code.plugins] == [
        ("corpus", "farm", "dist-farm", "1.0"),
        ("extension", "wide", "dist-wide", "1.0"),
        ("backend", "flat", "dist-flat", "1.0"),
    ]
    assert manifest.sections["wide"] == {"clips": 3, "rows": 2}
    assert [(null.reason, null.rows) for null in manifest.nulls["vmaf"]] == [("flat knows psnr_y alone", 2)]


def test_a_broken_plugin_asked_for_by_name_is_exit_code_2(installed: Path, root: Path) -> None:
    done = corekit("run", "--corpus", "bad", "--root", root, env={"PYTHONPATH": str(installed)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "corekit: the corpus 'bad' of dist-bad 1.0 cannot be used: importing mod_dist_bad_bad failed: SystemExit: 7; "
        "repair or reinstall dist-bad\n"
    )


def test_list_commands_show_strangers_beside_ours(installed: Path) -> None:
    env = {"PYTHONPATH": str(installed)}
    plugins = json.loads(corekit("plugins", "--json", env=env).stdout)
    states = {(plugin["kind"], plugin["name"]): plugin["state"] for plugin in plugins}
    assert states[("corpus", "farm")] == states[("backend", "flat")] == states[("extension", "wide")] == "ok"
    assert states[("corpus", "bad")] == "broken"
    disabled = json.loads(
        corekit("plugins", "--json", "--disable", "farm", env={**env, "COREKIT_DISABLE": "bad"}).stdout
    )
    assert {p["name"] for p in disabled if p["state"] == "disabled"} == {"farm", "bad"}
    corpora = json.loads(corekit("corpora", "--json", env=env).stdout)
    assert [c["can"] for c in corpora if c["name"] == "farm"] == [["run"]]
    assert [c["broken"] for c in corpora if c["name"] in ("bad", "farm")] == [
        "importing mod_dist_bad_bad failed: SystemExit: 7",
        "",
    ]
    backends = json.loads(corekit("backends", "--json", env=env).stdout)
    assert [(b["usable"], b["versions"]) for b in backends if b["name"] == "flat"] == [(True, {"flat": "1"})]


def test_a_column_clash_ends_the_run_before_its_second_clip(installed: Path, root: Path, tmp_path: Path) -> None:
    Site(installed).add_extension("clash", _EXTENSION.replace("x_wide_wide", "farm_grade"))
    done = corekit(
        "run", "--corpus", "farm", "--root", root, "--backend", "flat", "--features", "psnr_y", "--out", tmp_path / "t.parquet",
        env={"PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "corekit: column 'farm_grade' is claimed by dist-farm and dist-clash; one must rename it, or be switched off with "
        "--disable"
    )
    assert not (tmp_path / "t.parquet").exists()
