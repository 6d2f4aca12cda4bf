"""What went wrong on a device: its memory or the device itself. Torch, Triton and the driver tell them apart in words alone."""

from __future__ import annotations

import torch

from corekit.backends.base import DeviceLost


def is_memory(error: BaseException) -> bool:
    """Whether memory was not enough: the device's, page-locked memory of the host, or that of a library."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in said.lower() or "ALLOC_FAILED" in said


def is_lost(error: BaseException) -> bool:
    """Whether the device does nothing any more for this process."""
    said = str(error)
    return ("CUDA error" in said or "Triton Error [CUDA]" in said) and not is_memory(error)


def lost(device: torch.device | str, error: BaseException, doing: str = "") -> DeviceLost:
    """The error that ends the process; ``doing`` says at what, with a space before it."""
    return DeviceLost(f"{device} was lost{doing}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """What an error says, without what the driver adds below."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
