"""Without a GPU the Triton kernels run in its interpreter, which must be said before anything imports triton."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
