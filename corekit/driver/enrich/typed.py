"""One key of the metadata as a typed Arrow column: what fits into it, and what does not."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from corekit.errors import UsageError
from corekit.model import ColumnType
from corekit.table import column_type

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS: dict[ColumnType, str] = {"str": "text", "int": "whole numbers", "float": "numbers", "bool": "true or false"}
_KINDS: dict[type, ColumnType] = {str: "str", int: "int", float: "float", bool: "bool"}
_ARROW = {"str": "string", "int": "int64", "float": "double", "bool": "bool"}
_TRUTH = {"true": True, "false": False}
_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_GUESSES = (
    (_WHOLE, "int64"),
    (r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$", "double"),
    (r"^(?i:true|false)$", "bool"),
)
_EXACT = 2**53
"""As far as float64 tells every whole number from the next; more digits than ``_SURE`` may be beyond."""
_SURE = 15
_MOST_DIGITS = 300
_ROUNDED = "which a column of numbers would round (text in every line keeps it)"
_ROWS_PER_CHUNK = 8192
_MOST_SHOWN = 40


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type itself, or that of a dictionary's values."""
    import pyarrow as pa

    return type_.value_type if pa.types.is_dictionary(type_) else type_


class TypedColumn:
    """Collects the values of one key.

    ``type_`` is the Arrow type that the values must fit, None to follow from the values. ``untyped`` values are text
    that means whatever it looks like.
    """

    def __init__(self, name: str, type_: pa.DataType | None, *, untyped: bool) -> None:
        self.name = name
        self._type = None if type_ is None else value_type(type_)
        self._untyped = untyped
        self._kind: ColumnType | None = None if type_ is None else column_type(type_)
        if type_ is not None and self._kind is None:
            raise UsageError(
                f"column {name!r} of the table holds {type_}, which cannot be filled; leave it out of --keys"
            )
        self._lowest, self._highest = _bounds(self._type)
        self._beyond: int | None = None
        self._chunks: list[pa.Array] = []
        self._values: list[Any] = []

    def fit(self, value: Any) -> tuple[Any, str]:
        """The value as the column holds it, and why it cannot, empty where it can. NaN and infinity are no value."""
        raw = value
        if self._untyped and self._type is not None and value is not None:
            value = _parsed(value, self._kind)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None, ""
        kind = _KINDS.get(type(value))
        if kind is None:
            return None, self._has(raw, ", which is no single value")
        wanted = self._kind or kind
        if self._type is None and (wanted, kind) == ("int", "float") and not _is_whole(value):
            if self._beyond is not None:
                return None, self._has(raw, f", where an earlier line has {self._beyond}, {_ROUNDED}")
            wanted = "float"
        fitted = _as(wanted, kind, value)
        if fitted is None or (wanted == "int" and not self._lowest <= fitted <= self._highest):
            of = _WORDS[wanted] if self._type is None else f"{_WORDS[wanted]} ({self._type})"
            return None, self._has(raw, f", a column of {of}")
        if (wanted, kind) == ("float", "int") and _rounds(value, self._type):
            how = _ROUNDED if self._type is None else f"which its numbers ({self._type}) would round"
            return None, self._has(raw, f", {how}")
        return fitted, ""

    def append(self, value: Any) -> None:
        """Take a value that ``fit`` has given back."""
        if self._type is None and value is not None:
            self._follow(value)
        self._values.append(value)
        if len(self._values) == _ROWS_PER_CHUNK:
            self._flush()

    def finish(self) -> pa.Array | None:
        """All values; None where no type was given and there was no value to follow."""
        import pyarrow as pa

        self._flush()
        type_ = self._arrow_type()
        if type_ is None:
            return None
        # unsafe: a safe cast refuses whole numbers beyond 2^53 that a double holds; `fit` let no others in
        chunks = [chunk.cast(type_, safe=False) for chunk in self._chunks]
        array = pa.concat_arrays(chunks) if chunks else pa.nulls(0, type_)
        return _guessed(array) if self._untyped and self._type is None else array

    def _has(self, raw: Any, why: str) -> str:
        return f"has {_shown(raw)} in {self.name}{why}"

    def _follow(self, value: Any) -> None:
        kind = _KINDS[type(value)]
        if kind != self._kind:
            self._flush()
            self._kind = kind
        if kind == "int" and self._beyond is None and _rounds(value, None):
            self._beyond = value

    def _arrow_type(self) -> pa.DataType | None:
        import pyarrow as pa

        if self._type is not None:
            return self._type
        return None if self._kind is None else pa.type_for_alias(_ARROW[self._kind])

    def _flush(self) -> None:
        import pyarrow as pa

        if self._values:
            self._chunks.append(pa.array(self._values, type=self._arrow_type()))
            self._values = []


def _bounds(type_: pa.DataType | None) -> tuple[int, int]:
    import pyarrow as pa

    if type_ is None or not pa.types.is_integer(type_):
        return -(2**63), 2**63 - 1
    bits = type_.bit_width
    return (0, 2**bits - 1) if pa.types.is_unsigned_integer(type_) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _as(wanted: ColumnType, kind: ColumnType, value: Any) -> Any:
    """The value as one of another kind, or None where it is not one."""
    if kind == wanted:
        return value
    if (wanted, kind) == ("int", "float") and _is_whole(value):
        return int(value)
    if (wanted, kind) == ("float", "int"):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _is_whole(value: float) -> bool:
    """Whether it surely stands for one whole number: from 2^53 on it may have been another that was rounded."""
    return value.is_integer() and abs(value) < _EXACT


def _rounds(value: int, type_: pa.DataType | None) -> bool:
    """Whether floating point of a type (None: float64) holds another number in the place of a whole one."""
    if type_ is None or type_.bit_width == 64:
        return abs(value) > _EXACT and float(value) != value
    code = {16: "e", 32: "f"}[type_.bit_width]
    try:
        return bool(struct.unpack(code, struct.pack(code, value))[0] != value)
    except OverflowError:
        return True


def _parsed(text: str, kind: ColumnType | None) -> Any:
    """Text as a number or truth value; None where it says that there is none, itself where it is neither."""
    if kind == "str":
        return text
    bare = text.strip().lower()
    if kind == "bool":
        return _TRUTH.get(bare, text) if bare else None
    if bare in ("", "nan") or "_" in bare:
        return text if "_" in bare else None
    for number in (int, float):
        try:
            return number(bare)
        except ValueError:
            continue
    return text


def _guessed(texts: pa.Array) -> pa.Array:
    """Text as whole numbers, numbers or truth values, where all of it is; ``007``, and what would be rounded, is text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for pattern, alias in _GUESSES:
        if not pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            continue
        if alias == "double" and _would_round(texts):
            return texts
        try:
            return texts.cast(alias)
        except pa.ArrowInvalid:  # a whole number that int64 does not hold
            return texts
    return texts


def _would_round(texts: pa.Array) -> bool:
    """Whether float64 would hold another number in the place of one of the whole ones."""
    import pyarrow.compute as pc

    long = texts.filter(pc.and_(pc.greater(pc.utf8_length(texts), _SURE), pc.match_substring_regex(texts, _WHOLE)))
    return any(len(text) > _MOST_DIGITS or _rounds(int(text), None) for text in long.to_pylist())


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
