"""One key of the metadata as a typed Arrow column: what fits into it, and what does not."""

from __future__ import annotations

import math
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
_GUESSES = (
    (r"^(0|-?[1-9][0-9]*)$", "int64"),
    (r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$", "double"),
    (r"^(?i:true|false)$", "bool"),
)
_EXACT_DIGITS = 15
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
        self._long = False
        """Whether there are whole numbers that float64 would round."""
        self._chunks: list[pa.Array] = []
        self._values: list[Any] = []

    def fit(self, value: Any) -> tuple[Any, str]:
        """The value as the column holds it, and why it cannot, empty where it can. NaN and infinity are no value."""
        if self._untyped and self._type is not None and value is not None:
            value = _parsed(value, self._kind)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None, ""
        kind = _KINDS.get(type(value))
        if kind is None:
            return None, f"has {_shown(value)} in {self.name}, which is no single value"
        wanted = self._kind or kind
        if self._type is None and (wanted, kind) == ("int", "float") and not value.is_integer():
            if self._long:
                return None, f"has {_shown(value)} in {self.name}, whose whole numbers beyond 2^53 numbers would round"
            self._flush()
            wanted = "float"
        if (wanted, kind) == ("float", "int") and _is_long(value):
            return None, f"has {_shown(value)} in {self.name}, which a column of numbers would round"
        fitted = _as(wanted, kind, value)
        if fitted is None or (wanted == "int" and not self._lowest <= fitted <= self._highest):
            of = _WORDS[wanted] if self._type is None else f"{_WORDS[wanted]} ({self._type})"
            return None, f"has {_shown(value)} in {self.name}, a column of {of}"
        self._kind = wanted
        self._long |= wanted == "int" and _is_long(fitted)
        return fitted, ""

    def append(self, value: Any) -> None:
        """Take a value that ``fit`` has given back."""
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
        chunks = [chunk.cast(type_, safe=False) for chunk in self._chunks]
        array = pa.concat_arrays(chunks) if chunks else pa.nulls(0, type_)
        return _guessed(array) if self._untyped and self._type is None else array

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
    if (wanted, kind) == ("int", "float") and value.is_integer():
        return int(value)
    if (wanted, kind) == ("float", "int"):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _is_long(value: int) -> bool:
    """Whether float64 cannot hold a whole number."""
    try:
        return int(float(value)) != value
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
    """Text as whole numbers, numbers or truth values, where all of it is; ``007`` is text, and so is what would be rounded."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for pattern, alias in _GUESSES:
        if not pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            continue
        if alias == "double" and any(map(_is_long, _whole(texts))):
            return texts
        try:
            return texts.cast(alias)
        except pa.ArrowInvalid:  # beyond int64
            return texts
    return texts


def _whole(texts: pa.Array) -> list[int]:
    """The long whole numbers among texts."""
    import pyarrow.compute as pc

    long = pc.and_(pc.match_substring_regex(texts, _GUESSES[0][0]), pc.greater(pc.utf8_length(texts), _EXACT_DIGITS))
    return [int(text) for text in texts.filter(long).to_pylist()]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
