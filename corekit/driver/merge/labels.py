"""Labels of clip rows: which axis each stands on, and the affine map to 0..100; whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from corekit.model import Column, LabelKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

LABEL_INPUTS = (
    "corpus", "label_kind", "mos", "mos_native", "mos_scale_min", "mos_scale_max", "mos_std_dev", "mos_se", "n_ratings",
    "mos_raw_0_100",
)  # fmt: skip
"""Columns that say what a row's label is."""

SCALED_COLUMNS = (
    Column(name="mos_0_100", type="float", description="the label mapped linearly from its native axis to 0..100"),
    Column(name="mos_std_dev_0_100", type="float", description="mos_std_dev on the axis of mos_0_100"),
    Column(name="mos_se_0_100", type="float", description="mos_se on the axis of mos_0_100"),
)
"""What ``--scale 0-100`` adds."""

TOLERANCE = 0.05
"""How far beyond its native axis a label may lie; it is never clipped."""


class Axis(Struct, frozen=True):
    """The native axis of a corpus's labels."""

    kind: LabelKind
    low: float
    high: float | None


_ACR = Axis("mos", 1.0, 5.0)
_HUNDRED = Axis("mos", 0.0, 100.0)
_DMOS = Axis("dmos", 0.0, None)
_NONE = Axis("none", 0.0, None)
AXES: dict[str, Axis] = {
    "konvid": _ACR, "konvid-1k": _ACR, "k150k": _ACR, "konvid-150k": _ACR, "lsvq": _ACR, "youtube-ugc": _ACR,
    "chug": _HUNDRED, "waterloo-ivc-4k": _HUNDRED, "live-vqc": _HUNDRED,
    "netflix": _DMOS, "netflix-public": _DMOS,
    "bvi-dvc": _NONE,
}  # fmt: skip
"""For rows that carry no scale of their own: older files."""


class Labels(Struct, frozen=True, kw_only=True):
    """The labels of a batch of rows; NaN is unavailable, arrays have one element a row."""

    kind: npt.NDArray[np.object_]
    native: Floats
    low: Floats
    high: Floats
    std_dev: Floats
    std_error: Floats
    mos: Floats
    """On the MOS-head axis 1..5."""
    value: Floats
    """On 0..100."""
    factor: Floats
    """From the native axis to 0..100; NaN where the scale is unknown."""
    known_spread: Mask
    """Whether the standard deviation is known: positive, or zero of two ratings or more."""
    unread: Mask
    """MOS of corpora on 0..100 that nothing tells from a value on the MOS-head axis."""
    problems: tuple[tuple[int, str], ...]
    """Row of the batch, and what is wrong with its label: of each kind of problem the first."""


def read_labels(table: pa.Table, *, need_scale: bool) -> Labels:
    """Find out the axis of every label of a batch and map it.

    ``problems`` is about values outside their axis, impossible scales and, with ``need_scale``, unknown ones.
    """
    import numpy as np

    size = table.num_rows
    corpora = _text(table, "corpus")
    names = [name.lower().replace("_", "-") for name in corpora.names]
    axes = [AXES.get(name) for name in names]
    stated = _text(table, "label_kind")
    kind = np.array([None, *stated.names], dtype=object)[stated.codes + 1]
    native, low, high = (_floats(table, name) for name in ("mos_native", "mos_scale_min", "mos_scale_max"))
    head, raw = _floats(table, "mos"), _floats(table, "mos_raw_0_100")
    std_dev, std_error = _floats(table, "mos_std_dev"), _floats(table, "mos_se")

    older = np.isnan(native) & ~(np.isnan(head) & np.isnan(raw)) & (kind != "none")
    by_raw = older & ~np.isnan(raw)
    native = np.where(by_raw, raw, np.where(older, head, native))
    low, high = np.where(by_raw, 0.0, low), np.where(by_raw, 100.0, high)
    kind[by_raw] = "mos"
    unread = np.zeros(size, dtype=bool)
    for code, axis in enumerate(axes):
        rows = (corpora.codes == code) & np.isnan(low)
        if axis is not None and rows.any():
            on_head = rows & older & (axis is _HUNDRED) & ("mos_raw_0_100" in table.column_names)
            native = np.where(on_head, (native - 1.0) * 25.0, native)
            unread |= rows & older & (axis is _HUNDRED) & ~on_head
            low = np.where(rows, axis.low, low)
            high = np.where(rows, np.nan if axis.high is None else axis.high, high)
            kind[rows & ~np.isin(kind, ("mos", "dmos"))] = axis.kind
        if names[code] == "chug":
            # the older scripts store CHUG's sos_j, a standard error, as a deviation
            moved = (corpora.codes == code) & older
            std_error = np.where(moved & np.isnan(std_error), std_dev, std_error)
            std_dev = np.where(moved, np.nan, std_dev)
    kind[~np.isnan(low) & (kind == None)] = "mos"  # noqa: E711
    native, low = (np.where(kind == "none", np.nan, numbers) for numbers in (native, low))

    has = ~np.isnan(native)
    unbounded = np.isnan(high) & np.isin(kind, ("dmos", "teacher")) & ~np.isnan(low)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(unbounded, 1.0, 100.0 / (high - low))
    value = np.where(unbounded, native, (native - low) * factor)
    mos = np.where(kind == "mos", np.where((low == 1.0) & (high == 5.0), native, 1.0 + value / 25.0), np.nan)
    n_ratings = _floats(table, "n_ratings")
    problems = _problems(
        (has & (std_dev < 0), lambda row: f"mos_std_dev {std_dev[row]:g} is negative; correct it"),
        (has & (high <= low), lambda row: f"the scale {low[row]:g}..{high[row]:g} is empty; correct it"),
        (
            has & ((native < low - TOLERANCE) | (native > high + TOLERANCE)),
            lambda row: f"label {native[row]:g} lies outside its native scale {_span(low[row], high[row])}; correct it",
        ),
        (has & need_scale & np.isnan(factor), lambda row: _unknown(native[row], corpora.at(row))),
    )
    return Labels(
        kind=kind, native=native, low=low, high=high, std_dev=std_dev, std_error=std_error, value=value, factor=factor,
        mos=np.where(older & (~np.isnan(factor) | (kind == "none")), mos, head), unread=unread & has, problems=problems,
        known_spread=~np.isnan(std_dev) & ((std_dev > 0) | (n_ratings >= 2)) & ~np.isnan(factor),
    )  # fmt: skip


def _problems(*checks: tuple[Mask, Callable[[int], str]]) -> tuple[tuple[int, str], ...]:
    found = []
    for rows, describe in checks:
        if rows.any():
            row = int(rows.argmax())
            found.append((row, describe(row)))
    return tuple(sorted(found))


def _span(low: float, high: float) -> str:
    return f"{low:g} and up" if high != high else f"{low:g}..{high:g}"


def _unknown(value: float, corpus: str | None) -> str:
    who = f"corpus {corpus} has no known one" if corpus else "nothing says the corpus"
    return (
        f"label {value:g} has no scale: {who}; give the rows mos_scale_min and mos_scale_max, or name the corpus with "
        "--corpus-source PATH=NAME"
    )


class _Text(Struct, frozen=True):
    """A text column by codes; -1 is null."""

    codes: npt.NDArray[np.int64]
    names: list[str]

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.names[code]


def _text(table: pa.Table, name: str) -> _Text:
    import numpy as np

    if name not in table.column_names:
        return _Text(np.full(table.num_rows, -1), [])
    encoded: Any = table.column(name).combine_chunks().dictionary_encode()
    return _Text(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist())


def _floats(table: pa.Table, name: str) -> Floats:
    import numpy as np

    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(name).cast("float64", safe=False)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
