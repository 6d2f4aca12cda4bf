"""The dataset file as a syntax tree: literals are understood, everything else is refused, nothing is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from corekit import CorpusError, LabelError

Scalar = str | int | float | bool | None

_LISTS = ("ref_videos", "dis_videos")
_LARGEST_FILE = 1 << 20
_LONGEST_LINE = 4096
_LONGEST_TEXT = 4096
_MOST_PARTS = 16
"""Operands of one text that is put together with ``+``."""


class Entry(Struct, frozen=True):
    """One dictionary of ``ref_videos`` or ``dis_videos``, and the line where it begins."""

    line: int
    fields: Mapping[str, Scalar]


class Dataset(Struct, frozen=True):
    """What a dataset file assigns."""

    scalars: Mapping[str, Scalar]
    lines: Mapping[str, int]
    """Name to the line of its assignment."""
    ref_videos: tuple[Entry, ...]
    dis_videos: tuple[Entry, ...]


def read_dataset(path: Path) -> Dataset:
    """Read a dataset file of VMAF.

    Raises ``LabelError`` with the line of whatever is not an assignment of a literal, ``CorpusError`` where the file is
    missing, too large, or lacks ``ref_videos`` or ``dis_videos``.
    """
    module = _Module(path)
    for statement in _parse(path, _text(path)).body:
        module.take(statement)
    for name in _LISTS:
        if not module.lists.get(name):
            raise CorpusError(f"{path}: it names no {name}; take the label file from Netflix/vmaf anew.")
    return Dataset(module.scalars, module.lines, module.lists["ref_videos"], module.lists["dis_videos"])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise CorpusError(f"{path}: the label file cannot be read ({error.strerror}); put it there.") from error
    if len(data) > _LARGEST_FILE:
        raise CorpusError(f"{path}: more than {_LARGEST_FILE} bytes are no label file; take it from Netflix/vmaf anew.")
    for number, line in enumerate(data.split(b"\n"), start=1):
        if len(line) > _LONGEST_LINE or b"\0" in line:
            raise LabelError(path, number, "the line is too long or holds NUL bytes; take the label file anew.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise LabelError(path, number, "the text is not UTF-8; save the label file as UTF-8.") from error


def _parse(path: Path, text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise LabelError(path, error.lineno or 1, f"it is not valid Python ({error.msg}); correct the line.") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise LabelError(path, 1, "the file is nested too deeply to be a label file; take it anew.") from error


class _Module:
    """What has been assigned so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.scalars: dict[str, Scalar] = {}
        self.lists: dict[str, tuple[Entry, ...]] = {}
        self.lines: dict[str, int] = {}

    def take(self, statement: ast.stmt) -> None:
        """Take one top-level statement: a docstring, or the only assignment of a name."""
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                raise self._refused(statement)
        if name in self.lines:
            problem = f"{name} is assigned here and on line {self.lines[name]}; keep one."
            raise LabelError(self._path, statement.lineno, problem)
        self.lines[name] = statement.lineno
        if name in _LISTS:
            self.lists[name] = self._entries(value)
        else:
            self.scalars[name] = self._scalar(value)

    def _entries(self, node: ast.expr) -> tuple[Entry, ...]:
        if not isinstance(node, (ast.List, ast.Tuple)):
            raise self._refused(node)
        return tuple(self._entry(item) for item in node.elts)

    def _entry(self, node: ast.expr) -> Entry:
        if not isinstance(node, ast.Dict):
            raise self._refused(node)
        fields: dict[str, Scalar] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                raise self._refused(key or value)
            if key.value in fields:
                raise LabelError(self._path, key.lineno, f"{key.value!r} stands twice in one entry; keep one.")
            fields[key.value] = self._scalar(value)
        return Entry(node.lineno, fields)

    def _scalar(self, node: ast.expr) -> Scalar:
        match node:
            case ast.Constant(value=str() | int() | float() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.BinOp() | ast.Name():
                return self._joined(node)
            case _:
                raise self._refused(node)

    def _joined(self, node: ast.expr) -> str:
        """Text put together with ``+`` from literals and names that hold text, such as ``ref_dir + '/a.yuv'``."""
        parts: list[str] = []
        rest: ast.expr | None = node
        while rest is not None:
            operand, rest = (rest.right, rest.left) if isinstance(rest, ast.BinOp) and _adds(rest) else (rest, None)
            match operand:
                case ast.Constant(value=str() as literal):
                    parts.append(literal)
                case ast.Name(id=name) if isinstance(text := self.scalars.get(name), str):
                    parts.append(text)
                case _:
                    raise self._refused(operand)
            if len(parts) > _MOST_PARTS or sum(map(len, parts)) > _LONGEST_TEXT:
                raise LabelError(self._path, node.lineno, "the text is too long for a path; correct the line.")
        return "".join(reversed(parts))

    def _refused(self, node: ast.AST) -> LabelError:
        line = getattr(node, "lineno", 1)
        kind = type(node).__name__
        problem = f"a label file assigns literals alone and is read, never run, so {kind} is refused; correct the line."
        return LabelError(self._path, line, problem)


def _adds(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Add)
