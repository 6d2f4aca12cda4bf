"""A trained model as a file holds it: the head, its inputs, their ranges, and how wide an interval is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.driver.train.data import TrainData
from corekit.errors import IntegrityError, UsageError
from corekit.learning.conformal import LEVEL
from corekit.learning.head import Head, pack, unpack
from corekit.learning.onnx_model import INPUT

Values = npt.NDArray[np.float64]

SCHEMA = "corekit-model-1"
_NAMED = 3
_ONNX_TOLERANCE = 1e-5
_KEY = "corekit"
"""One metadata entry: safetensors writes several in no fixed order."""
_MARK = 6
"""Bytes of a digest by which a row is known again: two tables of ten thousand rows share one by chance in less than one case of 500,000."""
_UNNAMED = re.compile(r"row \d+")


class ModelInput(Struct, frozen=True):
    """One feature, its range on the rows learnt from, and its median there."""

    name: str
    low: float
    high: float
    median: float


class Learnt(Struct, frozen=True):
    """The rows that a model learnt, as short digests in order: enough to know one again in whatever file it comes."""

    rows: bytes
    groups: bytes

    @classmethod
    def of(cls, data: TrainData) -> Learnt:
        return cls(_packed(mark for marks in _row_marks(data) for mark in marks), _packed(_group_marks(data).values()))

    def rows_in(self, data: TrainData) -> npt.NDArray[np.bool_]:
        """Which rows were learnt, shape ``(n,)``."""
        known = _unpacked(self.rows)
        return np.array([not known.isdisjoint(marks) for marks in _row_marks(data)], np.bool_)

    def groups_in(self, data: TrainData) -> list[str]:
        """Groups that bear the name of a learnt one."""
        known = _unpacked(self.groups)
        return sorted(name for name, mark in _group_marks(data).items() if mark in known)


def _row_marks(data: TrainData) -> Iterator[tuple[bytes, ...]]:
    """A row is its clip with the same label or the same inputs, since a name alone may be another corpus's too.

    A row without a name is its label and inputs together. Numbers count to single precision, so that text keeps them.
    """
    with np.errstate(over="ignore"):
        inputs, labels = ((values + 0.0).astype("<f4") for values in (data.x, data.y))
    for clip, row, label in zip(data.clips, inputs, labels, strict=True):
        if _UNNAMED.fullmatch(clip):
            yield (_mark(b"row", row.tobytes(), label.tobytes()),)
        else:
            name = clip.encode()
            yield _mark(b"label", name, label.tobytes()), _mark(b"inputs", name, row.tobytes())


def _group_marks(data: TrainData) -> dict[str, bytes]:
    return {name: _mark(b"group", name.encode()) for name in data.group_names if not _UNNAMED.fullmatch(name)}


def _mark(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()[:_MARK]


def _packed(marks: Iterable[bytes]) -> bytes:
    return b"".join(sorted(set(marks)))


def _unpacked(marks: bytes) -> set[bytes]:
    return {marks[start : start + _MARK] for start in range(0, len(marks), _MARK)}


class ModelRecord(Struct, frozen=True, kw_only=True):
    """What a model says of itself."""

    schema: str = SCHEMA
    model_id: str
    title: str
    model: str
    status: str
    label: str
    label_kind: str
    target: str | None
    inputs: tuple[ModelInput, ...]
    imputes: bool
    """Whether a missing feature is filled with its median."""
    label_mean: float
    """Of the rows learnt from."""
    half_width: float | None
    """Of the split-conformal interval."""
    level: float = LEVEL
    corpora: tuple[str, ...] = ()
    hdr: tuple[str, ...] = ()
    """Transfer classes of the clips learnt from, where the table has them."""
    warnings: tuple[str, ...] = ()
    learnt: Learnt | None = None
    """None in models that were trained before they kept it."""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A head and its record."""

    record: ModelRecord
    head: Head
    path: Path = Path("model.safetensors")
    """The file that it was read from."""

    @property
    def output(self) -> str:
        """Name of what is predicted: the teacher's feature, else the kind of the label."""
        return self.record.target or self.record.label_kind

    @property
    def fill(self) -> Values | None:
        """Medians that stand in for missing features, or None where they are an error."""
        return np.array([entry.median for entry in self.record.inputs]) if self.record.imputes else None

    def predict(self, x: Values) -> Values:
        """Scores of shape ``(n,)``; NaN where a feature is missing and the model does not impute."""
        fill = self.fill
        return self.head.predict(x if fill is None else np.where(np.isfinite(x), x, fill))

    def to_onnx(self) -> bytes:
        """The model as ONNX; its metadata holds the record's names and range."""
        from corekit.learning.onnx_model import onnx_bytes

        record = self.record
        shown = {
            "model_id": record.model_id,
            "title": record.title,
            "status": record.status,
            "label": record.label,
            "interval": msgspec.json.encode({"level": record.level, "half_width": record.half_width}).decode(),
        }
        names = [entry.name for entry in record.inputs]
        return onnx_bytes(self.head, features=names, output=self.output, fill=self.fill, metadata=shown)

    def checked_onnx(self, x: Values) -> bytes:
        """``to_onnx``, run by onnxruntime on some rows and held against ``predict``.

        Raises
        ------
        IntegrityError
            The two differ by more than 1e-5 of the score.
        """
        import onnxruntime

        content = self.to_onnx()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        given = x.astype(np.float32)
        scores = np.asarray(session.run([self.output], {INPUT: given})[0], np.float64)
        expected = self.predict(given.astype(np.float64))
        apart = float(np.max(np.abs(scores - expected) / np.maximum(np.abs(expected), 1.0)))
        if not apart <= _ONNX_TOLERANCE:
            raise IntegrityError(
                f"the ONNX model of {self.record.model_id} and its own arithmetic differ by {apart:.2g}; report this as a bug"
            )
        return content

    def to_safetensors(self) -> bytes:
        """The model as safetensors: every array, and the record with the head's description as metadata."""
        from safetensors.numpy import save

        described, tensors = pack(self.head)
        text = msgspec.json.encode({"record": self.record, "head": described}).decode()
        arrays = {name: np.ascontiguousarray(value, np.float64) for name, value in tensors.items()}
        return bytes(save(arrays, metadata={_KEY: text}))


def outside_range(model: TrainedModel, x: Values) -> list[str]:
    """One sentence on features outside the range that the model learnt from, or nothing; ``x`` has shape ``(n, n_features)``."""
    told = []
    for entry, column in zip(model.record.inputs, x.T, strict=True):
        outside = np.flatnonzero((column < entry.low) | (column > entry.high))
        if outside.size:
            where = f"{column[outside[0]]:.6g}" if len(x) == 1 else f"in {outside.size} of {len(x)} rows"
            told.append(f"{entry.name} ({where}, learnt {entry.low:.6g}..{entry.high:.6g})")
    if not told:
        return []
    shown = ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more" if len(told) > _NAMED else "")
    return [
        f"extrapolation: {len(told)} of {x.shape[1]} features lie outside the range that the model learnt from: {shown}"
    ]


class _Described(Struct):
    record: ModelRecord
    head: dict[str, Any]


def require(package: str, extra: str, what: str) -> None:
    """Refuse to go on without a package of an extra; ``what`` needs it.

    Raises
    ------
    UsageError
        Says how to install it.
    """
    if find_spec(package) is None:
        raise UsageError(f"{what} needs {package}, which is not installed; pip install 'corekit[{extra}]'")


def load_model(path: Path) -> TrainedModel:
    """Read a model: the folder that `corekit train` wrote, or a file in it (the ONNX file's twin is read).

    Raises
    ------
    UsageError
        There is no model, it is not one of ours, or the packages that read it are not installed.
    """
    for package in ("safetensors", "scipy"):
        require(package, "train", "reading a model")
    from safetensors import SafetensorError, safe_open

    file = path / "model.safetensors" if path.is_dir() else path.with_suffix(".safetensors")
    if not file.is_file():
        raise UsageError(f"{path}: there is no model.safetensors; name the folder that `corekit train` wrote")
    try:
        with safe_open(file, framework="numpy") as opened:
            described = msgspec.json.decode((opened.metadata() or {})[_KEY], type=_Described)
            head = unpack(described.head, {name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    except (SafetensorError, msgspec.DecodeError, KeyError, TypeError, OSError) as error:
        raise UsageError(f"{file} is not a model of `corekit train` ({error}); train it again") from error
    if described.record.schema != SCHEMA:
        raise UsageError(f"{file} is a {described.record.schema}; this corekit reads {SCHEMA}: train it again")
    return TrainedModel(described.record, head, file.absolute())
