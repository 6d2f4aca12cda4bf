"""What a corpus plugin hands over, held against the types that corekit's structs declare. What values mean is judged elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from corekit.model import Clip, CorpusInfo

_LONGEST = 60


class UndeclaredTypeError(ValueError):
    """A field has a value of another type than its struct declares; the text says which, in one clause."""


def clip_as_declared(clip: Clip) -> Clip:
    """The clip with its values as Python's own: numpy's float64 and str_ become float and str. It takes about 2 µs.

    Raises
    ------
    UndeclaredTypeError
        A value is of another type than ``Clip`` declares.
    """
    try:
        converted: Clip = _converted(clip, Clip)
    except (msgspec.ValidationError, TypeError) as error:
        raise UndeclaredTypeError(next(_faults(clip), str(error))) from error
    return converted


def info_as_declared(info: CorpusInfo) -> CorpusInfo:
    """The description with its values as Python's own.

    Raises
    ------
    UndeclaredTypeError
        A value is of another type than ``CorpusInfo`` declares.
    """
    if not (isinstance(info.options, type) and issubclass(info.options, Struct)):
        raise UndeclaredTypeError(f"options = {_shown(info.options)} (expected a subclass of msgspec.Struct)")
    plain = [field for field in msgspec.structs.fields(CorpusInfo) if field.name != "options"]
    try:
        values = {field.name: _converted(getattr(info, field.name), field.type) for field in plain}
    except (msgspec.ValidationError, TypeError) as error:
        raise UndeclaredTypeError(next(_faults(info, skip="options"), str(error))) from error
    return msgspec.structs.replace(info, **values)


def _converted(value: Any, type_: Any) -> Any:
    return msgspec.convert(msgspec.to_builtins(value, enc_hook=_plain), type_)


def _plain(value: Any) -> float | str:
    """What msgspec does not know: subclasses of Python's types, as every reader of pandas yields them."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"got `{type(value).__module__}.{type(value).__qualname__}`")


def _faults(struct: Struct, prefix: str = "", skip: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name == skip:
            continue
        if isinstance(value, Struct):
            yield from _faults(value, f"{prefix}{field.name}.")
        try:
            _converted(value, field.type)
        except (msgspec.ValidationError, TypeError) as error:
            yield f"{prefix}{field.name} = {_shown(value)} ({str(error)[:1].lower()}{str(error)[1:]})"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
