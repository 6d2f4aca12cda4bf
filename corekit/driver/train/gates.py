"""The conditions that a model must meet to be more than proposed, from core's table or a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from corekit.driver.train.report import Gate, Measures
from corekit.errors import UsageError

_FOLDS_OF_A_SPREAD = 10
"""A spread over folds says something of a handful of folds; over many random splits it is their sampling."""


class GateLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits on means over the folds, without a mapping: as the older scripts shipped by (1..5 axis), who fitted none."""

    plcc: float = 0.85
    srocc: float = 0.82
    rmse: float = 0.45
    """In the unit of the label."""
    plcc_spread: float = 0.005
    """Greatest standard deviation of PLCC over at most ten folds."""
    groups: int = 20
    """Fewest contents: figures over a handful of them say nothing."""
    axis: tuple[float, float] = (1.0, 5.0)
    """The label's axis that the limits belong to."""


def read_gates(path: Path | None) -> GateLimits:
    """The limits of a TOML file, or core's.

    Raises
    ------
    UsageError
        The file cannot be read, is no TOML, or names another limit.
    """
    if path is None:
        return GateLimits()
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), GateLimits, strict=False)
    except OSError as error:
        raise UsageError(f"--require-gate {path}: {error.strerror}; name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        known = ", ".join(GateLimits.__struct_fields__)
        raise UsageError(f"--require-gate {path}: {error}; the file may set {known}") from error


def check_gates(
    limits: GateLimits,
    measures: Measures,
    axis: tuple[float, float] | None,
    *,
    label_kind: str,
    folds: int,
    groups: int,
) -> list[Gate]:
    """Every gate with the value it was held against."""
    reason = ""
    if label_kind != "mos":
        reason = f"the gates are for MOS, the model learns {label_kind}"
    elif axis is None or tuple(axis) != limits.axis:
        low, high = limits.axis
        shown = f"{axis[0]:g}..{axis[1]:g}" if axis else "unknown"
        reason = f"the gates belong to the axis {low:g}..{high:g}, the label's is {shown}"
    found: Mapping[str, tuple[float, float | None, bool]] = {
        "plcc": (limits.plcc, measures.plcc_raw.mean if measures.plcc_raw else None, True),
        "srocc": (limits.srocc, measures.srocc.mean if measures.srocc else None, True),
        "rmse": (limits.rmse, measures.rmse_raw.mean if measures.rmse_raw else None, False),
        "plcc_spread": (limits.plcc_spread, measures.plcc_raw.std if measures.plcc_raw else None, False),
        "groups": (float(limits.groups), float(groups), True),
    }
    gates = []
    for name, (limit, value, at_least) in found.items():
        why = reason
        if not why and name == "plcc_spread" and not 1 < folds <= _FOLDS_OF_A_SPREAD:
            why = f"a spread over {folds} folds is no property of the model"
        passed = None if why else value is not None and (value >= limit if at_least else value <= limit)
        gates.append(Gate(name=name, limit=limit, value=value, passed=passed, reason=why))
    return gates


def all_passed(gates: list[Gate]) -> bool:
    """Whether every gate that applies was passed, and at least one applies."""
    applied = [gate.passed for gate in gates if gate.passed is not None]
    return bool(applied) and all(applied)
