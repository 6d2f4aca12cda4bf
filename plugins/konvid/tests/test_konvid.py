"""The konvid plugin as core meets it: its description, columns, manifest section, and what it opens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import corekit_konvid
import msgspec
import pytest
from corekit_konvid.info import KonvidOptions

from corekit import Clip, Label, Value


def test_the_entry_point_is_the_package() -> None:
    (entry,) = entry_points(group="corekit.corpora", name="konvid")
    assert entry.load() is corekit_konvid
    assert corekit_konvid.COREKIT_API == 1


def test_info() -> None:
    info = corekit_konvid.corekit_corpus()
    assert (info.name, info.split_seed, info.root_env) == ("konvid", "konvid-v1", "COREKIT_KONVID_ROOT")
    assert (info.label_kind, info.label_min, info.label_max) == ("mos", 1, 5)
    assert info.pairings == ("synthetic", "nr")
    assert not info.missing_is_normal
    assert [(column.name, column.type) for column in info.columns] == [
        ("konvid_mos", "float"),
        ("konvid_flickr_id", "str"),
    ]
    assert info.metadata_keys == ("konvid_mos", "konvid_flickr_id")
    assert all(licence.name and licence.stated_in for licence in info.licences)
    assert info.treat_as


def test_options_are_checked_by_their_type() -> None:
    assert msgspec.convert({"crf": "20", "preset": "slow"}, KonvidOptions, strict=False).recipe.crf == 20
    for wrong in ({"crf": "-1"}, {"crf": "64"}, {"crf": "low"}, {"part": "a"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, KonvidOptions, strict=False)


def test_shape_row_gives_every_column_in_order() -> None:
    extra: dict[str, Value] = {"konvid_mos": 3.25, "konvid_flickr_id": "13291575674", "other_files": ""}
    clip = Clip(name="x.mp4", path="x.mp4", content="x", label=Label(kind="mos", value=3.25), extra=extra)
    row = corekit_konvid.corekit_shape_row(clip)
    assert tuple(row) == corekit_konvid.corekit_corpus().columns
    assert [*row.values()] == [3.25, "13291575674"]


def test_reading_opens_one_label_file_alone_and_loads_nothing_heavy(tmp_path: Path) -> None:
    metadata = tmp_path / "KoNViD_1k_metadata"
    metadata.mkdir()
    (metadata / "KoNViD_1k_mos.csv").write_text("flickr_id,mos\n1,3.4\n2,2.0\n")
    (tmp_path / "KoNViD_1k_videos").mkdir()
    (tmp_path / "KoNViD_1k_videos" / "1.mp4").touch()
    # Pipes that nobody writes to: opening one would never return.
    for folder in (metadata, tmp_path, tmp_path / "KoNViD_1k_videos"):
        os.mkfifo(folder / "KoNViD_1k_subjective.csv")
    code = (
        "import sys, pathlib, corekit_konvid as k\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "assert len(list(k.corekit_read_corpus(pathlib.Path(sys.argv[1]), k.KonvidOptions()))) == 2\n"
        "print(sorted(pathlib.Path(p).name for p in opened if p.startswith(sys.argv[1])))\n"
        "print([m for m in ('av', 'numpy', 'pyarrow', 'torch', 'corekit.video') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['KoNViD_1k_mos.csv']\n[]\n"


def test_the_name_of_the_personal_data_is_in_no_code_but_its_warnings() -> None:
    sources = Path(corekit_konvid.__file__).parent.glob("*.py")
    lines = [line for path in sources for line in path.read_text().splitlines() if "subjective" in line]
    assert all('"""' in line or line.strip().startswith('"KoNViD_1k_subjective.csv holds') for line in lines)
    assert json.dumps(corekit_konvid.corekit_corpus().notes).count("never opened") == 1
