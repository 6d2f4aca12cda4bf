"""The multilayer head of the older scripts, trained by torch on one thread and kept as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corekit.learning.head import MlpHead, Scaling

if TYPE_CHECKING:
    import torch

Values = npt.NDArray[np.float64]

_WIDTH = 64
_DROPOUT = 0.1
_EPOCHS = 30
_BATCH = 64
_RATE = 1e-3
_DECAY = 1e-5


def fit_mlp_v1(x: Values, y: Values, validation: tuple[Values, Values] | None, seed: int) -> tuple[MlpHead, int]:
    """Layer norm, two layers of 64 ReLU with dropout 0.1, sigmoid: AdamW 1e-3, decay 1e-5, batches of 64, 30 epochs.

    Returns the head of the epoch with the least error on ``validation`` (the last one without), and that epoch, from 1. The
    sigmoid spans the label's range on the training rows, widened by a tenth at either end. Features are not standardised, as
    they were not. The same input and seed give the same head.
    """
    import torch
    from torch import nn

    torch.set_num_threads(1)
    n_features = x.shape[1]
    margin = 0.1 * float(np.ptp(y))
    low, high = float(y.min()) - margin, float(y.max()) + margin
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.LayerNorm(n_features), nn.Linear(n_features, _WIDTH), nn.ReLU(), nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(_WIDTH, 1), nn.Sigmoid(),
        ).double()  # fmt: skip
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        inputs = torch.from_numpy(np.ascontiguousarray(x))
        targets = torch.from_numpy(np.ascontiguousarray((y - low) / (high - low or 1.0)))
        best: tuple[float, int, MlpHead] | None = None
        for epoch in range(1, _EPOCHS + 1):
            network.train()
            for rows in torch.randperm(len(inputs)).split(_BATCH):  # type: ignore[no-untyped-call]
                optimiser.zero_grad()
                loss = nn.functional.mse_loss(network(inputs[rows])[:, 0], targets[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            head = _frozen(network.state_dict(), low, high)
            error = float(np.mean((head.predict(validation[0]) - validation[1]) ** 2)) if validation else -float(epoch)
            if best is None or error < best[0]:
                best = error, epoch, head
    assert best is not None
    return best[2], best[1]


def _frozen(state: dict[str, torch.Tensor], low: float, high: float) -> MlpHead:
    arrays = {name: value.detach().numpy().copy() for name, value in state.items()}
    return MlpHead(
        scaling=Scaling.none(arrays["0.weight"].size),
        norm_gain=arrays["0.weight"],
        norm_bias=arrays["0.bias"],
        weight_1=arrays["1.weight"],
        bias_1=arrays["1.bias"],
        weight_2=arrays["4.weight"],
        bias_2=arrays["4.bias"],
        weight_3=arrays["7.weight"],
        bias_3=arrays["7.bias"],
        low=low,
        high=high,
    )
