"""Fitted regression heads as frozen data: what a model file holds, and the float64 arithmetic that every export must match."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class Scaling:
    """Feature standardisation, fitted on training rows: ``z = (squash((x - center) / scale) - mean) / deviation``.

    All arrays have shape ``(n_features,)``. ``squash`` is the inverse hyperbolic sine, which tames heavy tails and is linear
    near zero, or nothing.
    """

    center: Values
    scale: Values
    mean: Values
    deviation: Values
    squash: bool

    def __call__(self, x: Values) -> Values:
        """Standardised features, shape ``(n, n_features)`` as given."""
        z = (x - self.center) / self.scale
        if self.squash:
            z = np.arcsinh(z)
        return np.asarray((z - self.mean) / self.deviation)

    @classmethod
    def none(cls, n_features: int) -> Scaling:
        """Features as they are."""
        zeros, ones = np.zeros(n_features), np.ones(n_features)
        return cls(zeros, ones, zeros, ones, False)

    @classmethod
    def min_max(cls, x: Values) -> Scaling:
        """To [0, 1] over the training rows; a constant feature becomes 0."""
        low, spread = x.min(axis=0), np.ptp(x, axis=0)
        zeros, ones = np.zeros(x.shape[1]), np.ones(x.shape[1])
        return cls(low, np.where(spread > 0, spread, 1.0), zeros, ones, False)

    @classmethod
    def standard(cls, x: Values) -> Scaling:
        """To mean 0 and standard deviation 1 over the training rows; a constant feature becomes 0."""
        zeros, ones = np.zeros(x.shape[1]), np.ones(x.shape[1])
        return cls(zeros, ones, x.mean(axis=0), _positive(x.std(axis=0)), False)

    @classmethod
    def robust(cls, x: Values) -> Scaling:
        """Median and interquartile range, then the inverse hyperbolic sine, then mean 0 and standard deviation 1."""
        q25, center, q75 = np.percentile(x, (25, 50, 75), axis=0)
        scale = _positive(q75 - q25)
        squashed = np.arcsinh((x - center) / scale)
        return cls(center, scale, squashed.mean(axis=0), _positive(squashed.std(axis=0)), True)


class Head(ABC):
    """A fitted head: features of clips in, one score each out."""

    kind: ClassVar[str]

    @abstractmethod
    def predict(self, x: Values) -> Values:
        """Scores of shape ``(n,)`` for features of shape ``(n, n_features)``, on the axis of the label."""


@dataclass(frozen=True, eq=False)
class RidgeHead(Head):
    """``intercept + z @ weights``; weights have shape ``(n_features,)``."""

    kind: ClassVar[str] = "ridge"
    scaling: Scaling
    weights: Values
    intercept: float

    def predict(self, x: Values) -> Values:
        return np.asarray(self.scaling(x) @ self.weights + self.intercept)


@dataclass(frozen=True, eq=False)
class SvrHead(Head):
    """``intercept + sum_j dual_j exp(-gamma |z - support_j|^2)``; support has shape ``(n_support, n_features)``."""

    kind: ClassVar[str] = "svr"
    scaling: Scaling
    support: Values
    dual: Values
    gamma: float
    intercept: float

    def predict(self, x: Values) -> Values:
        z = self.scaling(x)
        norms = np.einsum("ij,ij->i", self.support, self.support)
        parts = [self._scores(z[start : start + _ROWS_AT_A_TIME], norms) for start in range(0, len(z), _ROWS_AT_A_TIME)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _scores(self, z: Values, norms: Values) -> Values:
        squared = np.einsum("ij,ij->i", z, z)[:, None] + norms - 2.0 * z @ self.support.T
        return np.asarray(np.exp(-self.gamma * np.maximum(squared, 0.0)) @ self.dual + self.intercept)


@dataclass(frozen=True, eq=False)
class MlpHead(Head):
    """Layer normalisation, two ReLU layers and a sigmoid onto [low, high]: the head of the older scripts.

    ``weight_i`` has shape ``(n_out, n_in)``, ``bias_i`` ``(n_out,)``; the variance of the normalisation has ddof 0.
    """

    kind: ClassVar[str] = "mlp"
    scaling: Scaling
    norm_gain: Values
    norm_bias: Values
    weight_1: Values
    bias_1: Values
    weight_2: Values
    bias_2: Values
    weight_3: Values
    bias_3: Values
    low: float
    high: float
    epsilon: float = 1e-5

    def predict(self, x: Values) -> Values:
        from scipy.special import expit

        z = self.scaling(x)
        centred = z - z.mean(axis=1, keepdims=True)
        z = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.epsilon) * self.norm_gain + self.norm_bias
        z = np.maximum(z @ self.weight_1.T + self.bias_1, 0.0)
        z = np.maximum(z @ self.weight_2.T + self.bias_2, 0.0)
        return np.asarray(self.low + (self.high - self.low) * expit(z @ self.weight_3.T + self.bias_3)[:, 0])


@dataclass(frozen=True, eq=False)
class MeanHead(Head):
    """The mean of its members' scores."""

    kind: ClassVar[str] = "mean"
    members: tuple[Head, ...]

    def predict(self, x: Values) -> Values:
        return np.asarray(np.mean([member.predict(x) for member in self.members], axis=0))


_KINDS: dict[str, type[Head]] = {kind.kind: kind for kind in (RidgeHead, SvrHead, MlpHead, MeanHead)}


def pack(head: Head) -> tuple[dict[str, Any], dict[str, Values]]:
    """A head as plain JSON and named arrays, from which ``unpack`` makes the same head."""
    tensors: dict[str, Values] = {}
    return _pack(head, "", tensors), tensors


def unpack(described: Mapping[str, Any], tensors: Mapping[str, Values]) -> Head:
    """The head that was packed.

    Raises
    ------
    KeyError, TypeError
        The description or an array is missing or not one of ours.
    """
    kind = _KINDS[described["kind"]]
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        value = described[field.name]
        if field.name == "scaling":
            arrays = {name: tensors[key] for name, key in value["arrays"].items()}
            value = Scaling(**arrays, squash=value["squash"])
        elif field.name == "members":
            value = tuple(unpack(member, tensors) for member in value)
        elif isinstance(value, str):
            value = tensors[value]
        values[field.name] = value
    return kind(**values)


def _pack(head: Head, prefix: str, tensors: dict[str, Values]) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": head.kind}
    for field in fields(head):  # type: ignore[arg-type]
        value = getattr(head, field.name)
        key = f"{prefix}{field.name}"
        if isinstance(value, Scaling):
            names = {name: f"{key}.{name}" for name in ("center", "scale", "mean", "deviation")}
            tensors |= {names[name]: getattr(value, name) for name in names}
            described[field.name] = {"arrays": names, "squash": value.squash}
        elif isinstance(value, tuple):
            described[field.name] = [_pack(member, f"{prefix}{i}.", tensors) for i, member in enumerate(value)]
        elif isinstance(value, np.ndarray):
            tensors[key] = value
            described[field.name] = key
        else:
            described[field.name] = value
    return described


def _positive(spread: Values) -> Values:
    return np.where(spread > 0, spread, 1.0)
