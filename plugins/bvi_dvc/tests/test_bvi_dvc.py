"""The bvi_dvc plugin as core meets it: its description, columns, options, and what it opens."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import corekit_bvi_dvc
import msgspec
import pytest
from corekit_bvi_dvc.info import BviDvcOptions

from corekit import Clip, Label, Value


def test_the_entry_point_is_the_package() -> None:
    (entry,) = entry_points(group="corekit.corpora", name="bvi_dvc")
    assert entry.load() is corekit_bvi_dvc
    assert corekit_bvi_dvc.COREKIT_API == 1


def test_info() -> None:
    info = corekit_bvi_dvc.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("bvi_dvc", "bvi_dvc-v1", "COREKIT_BVI_DVC_ROOT")
    assert (info.label_kind, info.label_min, info.label_max) == ("none", None, None)
    assert info.pairings == ("synthetic",)
    assert [(column.name, column.type) for column in info.columns] == [
        ("bvi_dvc_tier", "str"),
        ("bvi_dvc_fps_token", "int"),
    ]
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_options_are_checked_by_their_type() -> None:
    assert msgspec.convert({"crf": "20"}, BviDvcOptions, strict=False).recipe.preset == "fast"
    for wrong in ({"crf": "64"}, {"crf": "2.5"}, {"tier": "A"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, BviDvcOptions, strict=False)


def test_shape_row_gives_every_column_in_order() -> None:
    extra: dict[str, Value] = {"bvi_dvc_tier": "C", "bvi_dvc_fps_token": 23}
    clip = Clip(name="x.mp4", path="x.mp4", content="x", label=Label(kind="none"), extra=extra)
    row = corekit_bvi_dvc.corekit_shape_row(clip)
    assert tuple(row) == corekit_bvi_dvc.corekit_corpus().columns
    assert [*row.values()] == ["C", 23]


def test_reading_opens_no_sequence_and_loads_nothing_heavy(tmp_path: Path) -> None:
    name = "DAir_480x272_25fps_10bit_420.mp4"
    (tmp_path / "Videos").mkdir()
    (tmp_path / "Videos" / name).touch()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("DSea_480x272_25fps_10bit_420.mp4", "x")
    code = (
        "import sys, pathlib, corekit_bvi_dvc as b\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "assert len(list(b.corekit_read_corpus(pathlib.Path(sys.argv[1]), b.BviDvcOptions()))) == 2\n"
        "print(sorted(pathlib.Path(p).name for p in opened if p.startswith(sys.argv[1])))\n"
        "print([m for m in ('av', 'numpy', 'pyarrow', 'torch', 'corekit.video') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['a.zip']\n[]\n"
