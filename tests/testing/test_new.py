"""`corekit new`: what it writes works as it is, and what it refuses."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from corekit.driver.new import new_plugin, plugin_files
from corekit.errors import LabelError, UsageError
from corekit.model import Clip
from tests.command import corekit
from tests.testing.environment import Environment

_WORDS = "give lower-case letters, digits and single underscores, no word of Python, such as lab"


def test_a_new_plugin_is_installed_tested_and_run(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    said = environment.run("corekit new night_vision2 mine", tmp_path)
    assert said.splitlines() == [
        f"wrote the plugin night_vision2 to {tmp_path / 'mine'}",
        'next: pip install -e "mine[test]" && python -m pytest mine',
    ]
    environment.run("pip install ./mine", tmp_path)
    listed = environment.run("corekit plugins", tmp_path)
    assert ["corpus", "night_vision2", "corekit-night-vision2", "0.1.0", "ok"] in [
        line.split() for line in listed.splitlines()
    ]
    tested = environment.run("python -W error -m pytest -q mine", tmp_path)
    assert " passed" in tested
    assert "failed" not in tested
    environment.run("corekit sample night_vision2 demo", tmp_path)
    ran = environment.run("corekit run --corpus night_vision2 --root demo", tmp_path)
    assert "4 measured now, 0 before, 0 failed, 0 missing" in ran
    assert (tmp_path / "night_vision2.parquet").is_file()


def test_it_writes_every_template(tmp_path: Path) -> None:
    folder = new_plugin("lab", tmp_path / "deep" / "lab")
    written = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert written == plugin_files("lab")
    assert len(written) == len(list((files("corekit") / "templates").iterdir()))
    assert not any("$" in text for text in written.values())
    assert folder.stat().st_mode & 0o777 == 0o755
    assert list((tmp_path / "deep").iterdir()) == [folder]


def test_the_folder_is_named_after_the_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new_plugin("night_vision") == tmp_path / "corekit-night-vision"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, f"cannot name a corpus; {_WORDS}") for name in ("1st", "Lab", "my-lab", "_lab", "a__b", "class", "", "é")),
        ("enc", "cannot name a corpus: its columns would look like core's enc_internal_qp_mean; choose another name"),
        ("mos", "cannot name a corpus: its columns would look like core's mos_native; choose another name"),
        *((name, "is the name of another plugin or of corekit's own; choose another name") for name in ("chug", "cpu", "x")),
    ],
)  # fmt: skip
def test_names_that_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        new_plugin(name, tmp_path / "new")
    assert str(caught.value) == f"{name!r} {reason}"
    assert not (tmp_path / "new").exists()


def read_scores(root: Path, scores: str) -> list[Clip]:
    """The clips that a new plugin reads from a label file."""
    (root / "scores.csv").write_text(scores, encoding="utf-8")
    module: dict[str, Any] = {}
    exec(plugin_files("lab")["corekit_lab/__init__.py"], module)
    return list(module["corekit_read_corpus"](root))


_HEADER = "file,content,reference,device,mos\n"


def test_a_row_with_more_cells_than_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError) as caught:
        read_scores(tmp_path, f"{_HEADER}a.mp4,a,0,phone,4.8\n\nb.mp4,b,0,phone,4,8\n")
    assert str(caught.value) == (f"{tmp_path}/scores.csv:4: the row has more cells than the header; write 4.8, not 4,8")


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    (clip,) = read_scores(tmp_path, f"\ufeff{_HEADER}a.mp4,a,0,phone,4.8\n")
    assert (clip.name, clip.label.value, clip.origin) == ("a.mp4", 4.8, "scores.csv:2")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    done = corekit("new", "lab", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"corekit: {tmp_path} exists; name a new folder for the plugin\n"
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(OSError, match="no space"):
        new_plugin("lab", tmp_path / "lab")
    assert list(tmp_path.iterdir()) == []
