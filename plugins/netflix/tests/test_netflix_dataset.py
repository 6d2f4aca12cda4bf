"""The dataset file: literals are understood, everything else is refused by its line, and nothing is ever run."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from corekit_netflix.dataset import read_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit import CorpusError, LabelError

GOOD = """'''A dataset.'''
# a comment
width = 1920
offset = -1.5
ref_dir = '[path]/ref'
ref_videos = [
 {'content_id': 0,
  'content_name': 'Kites',
  'path': ref_dir + '/' + 'Kites_25fps.yuv'},
]
dis_videos = ({'asset_id': 0, 'content_id': 0, 'dmos': 22.5, 'path': ref_dir + '/a.yuv'},
 {'dmos': None, 'path': "x" '/b.yuv'},)
"""


def write(root: Path, text: str | bytes) -> Path:
    path = root / "NFLX_dataset_public.py"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def sentence(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_dataset(path)
    return str(caught.value)


def test_literals_are_understood(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path, GOOD))
    assert dataset.scalars == {"width": 1920, "offset": -1.5, "ref_dir": "[path]/ref"}
    assert dataset.lines["ref_dir"] == 5
    (reference,) = dataset.ref_videos
    assert reference.line == 7
    assert reference.fields == {"content_id": 0, "content_name": "Kites", "path": "[path]/ref/Kites_25fps.yuv"}
    assert [(entry.line, entry.fields["path"]) for entry in dataset.dis_videos] == [
        (11, "[path]/ref/a.yuv"),
        (12, "x/b.yuv"),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("import os", "Import"),
        ("from os import system", "ImportFrom"),
        ("open('pwned', 'w')", "Expr"),
        ("x = open('pwned', 'w')", "Call"),
        ("x = ().__class__.__bases__", "Attribute"),
        ("x = [open('pwned', 'w')]", "List"),
        ("x = 'a' * 1000000000", "BinOp"),
        ("x = 2 ** 1000000000", "BinOp"),
        ("x = 'a' + width", "Name"),
        ("x = 'a' + open('pwned', 'w')", "Call"),
        ("x = 'a' % 'b'", "BinOp"),
        ("x = 'a' - 'b'", "BinOp"),
        ("x = unknown", "Name"),
        ("x = f'{width}'", "JoinedStr"),
        ("x = lambda: open('pwned', 'w')", "Lambda"),
        ("x = b'a'", "Constant"),
        ("x = 1j", "Constant"),
        ("x = ...", "Constant"),
        ("x = not 1", "UnaryOp"),
        ("x: int = 1", "AnnAssign"),
        ("x = y = 1", "Assign"),
        ("x += 1", "AugAssign"),
        ("x, y = 1, 2", "Assign"),
        ("x.y = 1", "Assign"),
        ("def f(): open('pwned', 'w')", "FunctionDef"),
        ("class A: open('pwned', 'w')", "ClassDef"),
        ("if True: open('pwned', 'w')", "If"),
        ("exec('1')", "Expr"),
    ],
)
def test_all_else_is_refused_by_its_line_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, f"{GOOD}{line}\n")
    said = sentence(path)
    assert said.startswith(f"{path}:13: a label file assigns literals alone and is read, never run, so ")
    assert said.endswith(" is refused; correct the line.")
    assert f"so {kind} is refused" in said
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "entry",
    [
        "{'path': open('pwned', 'w')}",
        "{open('pwned', 'w'): 1}",
        "{**{'path': 'a'}}",
        "{'os': [1, 2]}",
        "{1: 2}",
        "dict(path='a')",
        "'a'",
    ],
)
def test_entries_hold_plain_values_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, f"ref_videos = [\n {entry}]\n")
    assert sentence(path).startswith(f"{path}:2: a label file assigns literals alone")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{GOOD}width = 1\n", ":13: width is assigned here and on line 3; keep one."),
        ("ref_videos = [\n{'a': 1, 'a': 2}]\n", ":2: 'a' stands twice in one entry; keep one."),
        (f"{GOOD}x = (\n", ":13: it is not valid Python ('(' was never closed); correct the line."),
        (b"x = 1\ny = '\xff'\n", ":2: the text is not UTF-8; save the label file as UTF-8."),
        (b"x = 1\ny = '\0'\n", ":2: the line is too long or holds NUL bytes; take the label file anew."),
        ("", ": it names no ref_videos; take the label file from Netflix/vmaf anew."),
        ("ref_videos = []\n", ": it names no ref_videos; take the label file from Netflix/vmaf anew."),
        ("#\n" * 600_000, ": more than 1048576 bytes are no label file; take it from Netflix/vmaf anew."),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = write(tmp_path, text)
    assert sentence(path) == f"{path}{said}"


@pytest.mark.parametrize(
    "bomb",
    [
        "x = " + "-" * 3000 + "1",
        "x = " + "[" * 3000,
        "x = " + "not " * 1000 + "1",
        "x = " + "9" * 5000,
        "x = " + "1+" * 2000 + "1",
        "x = 'a'" + " + 'a'" * 500,
        "x = " + "f(" * 150 + "1" + ")" * 150,
        "a" * 5000,
    ],
)
def test_a_bomb_is_a_label_error_with_its_line(tmp_path: Path, bomb: str) -> None:
    path = write(tmp_path, f"{GOOD}{bomb}\n")
    with pytest.raises(LabelError) as caught:
        read_dataset(path)
    assert caught.value.line in (1, 13)


@pytest.mark.parametrize("bomb", ["x = (1 +\n" + "1 +\n" * 100_000 + "1)", "x = (\n" + "-\n" * 100_000 + "1)"])
def test_a_bomb_over_many_lines_is_a_label_error(tmp_path: Path, bomb: str) -> None:
    path = write(tmp_path, bomb)
    assert sentence(path) == f"{path}:1: the file is nested too deeply to be a label file; take it anew."


def test_texts_that_double_are_stopped(tmp_path: Path) -> None:
    lines = ["x0 = 'a'", *(f"x{n} = " + " + ".join([f"x{n - 1}"] * 16) for n in range(1, 30))]
    path = write(tmp_path, "\n".join(lines))
    assert sentence(path) == f"{path}:5: the text is too long for a path; correct the line."


def test_an_escape_that_python_warns_of_is_no_matter(tmp_path: Path) -> None:
    assert read_dataset(write(tmp_path, f"{GOOD}x = '\\d'\n")).scalars["x"] == "\\d"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_breaks(data: st.DataObject) -> None:
    content = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        try:
            dataset = read_dataset(write(Path(folder), bytes(content)))
        except CorpusError:
            return
    assert dataset.ref_videos and dataset.dis_videos
