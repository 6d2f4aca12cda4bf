"""The ``cuda`` backend: the exact features as integer sums of torch tensors, many frames at a time, on a GPU or any torch device."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from corekit.backends.base import BackendInfo, Extractor, Group, GroupSession, PairFeatures
from corekit.errors import BackendError, ClipError
from corekit.features.registry import undefined
from corekit.markers import hookimpl
from corekit.model import FrameFormat
from corekit.schema import VMAF

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from corekit.features.tensor.family import Batch, TensorFamily, TensorPlanes
    from corekit.planes import Planes

COREKIT_API = 1
COMPUTED = (
    "adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3",
    "motion", "motion2", "motion3", "psnr_y", "psnr_cb", "psnr_cr", "adm3", VMAF,
)  # fmt: skip
"""What the backend computes: the features behind VMAF, and PSNR."""
_NOT_COMPUTED = "the cuda backend does not compute it; the cpu backend does"
_MOST_PAIRS = 32
"""Frame pairs in a batch: more bring nothing once the device is busy."""
_SHARE = 0.6
"""Of the free memory of the device, what a batch may take."""
_CPU_BYTES = 1 << 30
"""Where the device is the CPU, what a batch may take."""


class CudaOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of the backend."""

    motion: Literal["3.2", "3.1"] = "3.2"
    """Which libvmaf's definition of motion: 3.2 and newer, or 3.1 and older."""
    memory_gb: float = 0.0
    """Device memory for a batch; 0 takes six tenths of what is free."""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(
        name="cuda",
        title="VMAF's features and PSNR on a GPU (torch), exact",
        numeric_class="corekit",
        options=CudaOptions,
    )


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: CudaOptions) -> Extractor:
    return CudaExtractor(open_device(device), options)


def open_device(name: str) -> torch.device:
    """The torch device of that name; ``auto`` is the first GPU.

    Raises
    ------
    BackendError
        It cannot be used: says what is missing and how to get it.
    """
    try:
        import torch
    except ImportError as error:
        raise BackendError(
            "the cuda backend needs torch, which is not installed; pip install 'corekit[cuda]'"
        ) from error
    if name == "cpu":
        torch.set_num_threads(1)
        return torch.device("cpu")
    wanted = "cuda:0" if name in ("auto", "cuda") else name
    try:
        device = torch.device(wanted)
        if device.type != "cuda":
            raise BackendError(f"--device {name}: give auto, cuda, cuda:N or cpu")
        torch.zeros(1, device=device)
    except BackendError:
        raise
    except (RuntimeError, AssertionError) as error:
        raise BackendError(_why_not(name, error)) from error
    return device


def _why_not(name: str, error: Exception) -> str:
    """Why torch has no such device, in one sentence."""
    import torch

    said = str(error).split("\n")[0].strip().rstrip(".")
    if torch.version.cuda is None and torch.version.hip is None:
        return (
            f"torch {torch.__version__} is built without CUDA; install a CUDA build of torch (pytorch.org), or pass --device cpu "
            "to compute the same on the CPU"
        )
    if not torch.cuda.is_available():
        return f"no GPU can be used ({said}); check the driver with nvidia-smi, or use --backend cpu"
    count = torch.cuda.device_count()
    return f"--device {name} cannot be used ({said}); there are {count}, cuda:0 to cuda:{count - 1}"


class CudaExtractor(Extractor):
    """One device for the whole run; the tables of each frame format stay on it."""

    def __init__(self, device: torch.device, options: CudaOptions) -> None:
        import torch

        self.device = device
        self._options = options
        self._families: dict[FrameFormat, dict[str, TensorFamily]] = {}
        self._fused = device.type == "cuda" and importlib.util.find_spec("triton") is not None
        self.versions = {"torch": str(torch.__version__)}
        if device.type == "cuda":
            self.versions["device"] = torch.cuda.get_device_name(device)
        # A row of this backend lacks features that one of the cpu backend has: neither stands in for the other.
        self.identity = {"class": "corekit", "motion": options.motion, "computes": "vmaf, psnr"}

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        return undefined(feature, fmt) or (None if feature in COMPUTED else _NOT_COMPUTED)

    def open_group(self, group: Group) -> GroupSession:
        return CudaSession(group, self)

    def families(self, fmt: FrameFormat) -> dict[str, TensorFamily]:
        """The families for frames of ``fmt``, by module name; made once."""
        if fmt not in self._families:
            from corekit.features.tensor.adm import Adm
            from corekit.features.tensor.motion import Motion
            from corekit.features.tensor.psnr import Psnr
            from corekit.features.tensor.vif import Vif

            motion = Motion(fmt, self.device, definition=self._options.motion, fused=self._fused)
            self._families[fmt] = {
                "adm": Adm(fmt, self.device, fused=self._fused),
                "vif": Vif(fmt, self.device, fused=self._fused),
                "motion": motion,
                "psnr": Psnr(fmt, self.device),
            }
        return self._families[fmt]

    def budget(self) -> float:
        """Bytes that a batch may take."""
        import torch

        if self._options.memory_gb > 0:
            return self._options.memory_gb * 1e9
        if self.device.type != "cuda":
            return float(_CPU_BYTES)
        free, _ = torch.cuda.mem_get_info(self.device)
        return _SHARE * (free + torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device))


class DeviceLost(SystemExit):
    """The device does not answer any more: this process cannot go on, another one can."""


class CudaSession(GroupSession):
    """One content group: frames are gathered to batches, whose sums stay on the device until the end."""

    def __init__(self, group: Group, extractor: CudaExtractor) -> None:
        self._group = group
        self._extractor = extractor
        self._families = {
            name: (family, pairs)
            for name, family in extractor.families(group.fmt).items()
            if (pairs := _wanting(group, family.names))
        }
        self._gathered = _Gathered(group.fmt, len(group.pairs), extractor.device)
        self._sums: dict[str, list[torch.Tensor]] = {name: [] for name in self._families}
        self._order: list[list[int]] = []
        """For each batch the pair of each of its rows."""
        self._counts = [0] * len(group.pairs)
        needed = max((family.pair_bytes() for family, _ in self._families.values()), default=1)
        self._most = int(max(1, min(_MOST_PAIRS, extractor.budget() // needed)))

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        for index, planes in enumerate(distorted):
            self._counts[index] += planes is not None
        if self._families:
            self._gathered.add(reference, distorted)
            if self._gathered.n_pairs >= self._most:
                self._flush()

    def finish(self) -> list[PairFeatures | ClipError]:
        self._flush()
        rows = [pair for batch in self._order for pair in batch]
        sums = {name: _on_host(parts) for name, parts in self._sums.items()}
        return [self._result(index, rows, sums) for index in range(len(self._group.pairs))]

    def close(self) -> None:
        self._sums.clear()
        self._gathered = _Gathered(self._group.fmt, len(self._group.pairs), self._extractor.device)

    def _flush(self) -> None:
        """Compute what was gathered; where the device's memory does not hold it, in smaller parts from then on."""
        import torch

        if not self._gathered.n_pairs:
            return
        batch, order = self._gathered.take()
        self._order.append(order)
        start = 0
        while start < len(order):
            part = slice(start, start + self._most)
            try:
                found = {name: family.sums(_part(batch, part)) for name, (family, _) in self._families.items()}
            except torch.OutOfMemoryError as error:
                if self._most == 1:
                    raise ClipError(
                        "compare", f"the memory of {self._extractor.device} does not hold one frame ({error})"
                    ) from error
                self._most //= 2
                torch.cuda.empty_cache()
                continue
            except RuntimeError as error:
                if "CUDA error" in str(error):
                    raise DeviceLost(f"{self._extractor.device} was lost: {str(error).splitlines()[0]}") from error
                raise
            for name, sums in found.items():
                self._sums[name].append(sums)
            start += self._most

    def _result(self, index: int, rows: Sequence[int], sums: dict[str, npt.NDArray[np.int64]]) -> PairFeatures:
        from corekit.features import vmaf

        mine = [row for row, pair in enumerate(rows) if pair == index]
        wanted = self._group.pairs[index].features
        values: dict[str, npt.NDArray[np.float64]] = {}
        for name, (family, pairs) in self._families.items():
            if index in pairs:
                scores = family.scores(sums[name][mine])
                values |= {feature: scores[:, column].copy() for column, feature in enumerate(family.names)}
        if VMAF in wanted:
            values[VMAF] = vmaf.vmaf(**{name: values[name] for name in vmaf.INPUTS})
        return PairFeatures({name: values[name] for name in wanted if name in values}, {}, self._counts[index])


class _Gathered:
    """Frames on the host until they are a batch, and the last reference frame, which the next batch's first is compared with."""

    def __init__(self, fmt: FrameFormat, n_pairs: int, device: torch.device) -> None:
        self._fmt = fmt
        self._device = device
        self._reference: list[Planes] = []
        self._distorted: list[Planes | None] = []
        """None where the distorted frame is the reference's own."""
        self._pairs: list[tuple[int, int]] = []
        """Pair of the group, and index of the reference frame."""
        self._last: TensorPlanes | None = None

    @property
    def n_pairs(self) -> int:
        return len(self._pairs)

    def add(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        """Copy one frame of the reference and of every pair that has one."""
        index = len(self._reference)
        self._reference.append(_copied(reference))
        for pair, planes in enumerate(distorted):
            if planes is not None:
                self._distorted.append(None if planes is reference else _copied(planes))
                self._pairs.append((pair, index))

    def take(self) -> tuple[Batch, list[int]]:
        """The batch on the device, and the pair of each of its rows; the gathering starts anew."""
        import torch

        from corekit.features.tensor.family import Batch

        reference = self._uploaded(self._reference)
        own = [
            self._reference[index] if planes is None else planes
            for planes, (_, index) in zip(self._distorted, self._pairs, strict=True)
        ]
        distorted = reference if self._is_reference_itself() else self._uploaded(own)
        context = 0
        if self._last is not None:
            reference = _joined(self._last, reference)
            context = 1
        self._last = tuple(plane[-1:].clone() for plane in reference)  # type: ignore[assignment]
        n = len(self._reference) + context
        previous = torch.arange(-1, n - 1, device=self._device)
        indices = torch.tensor([index + context for _, index in self._pairs], device=self._device)
        batch = Batch(
            fmt=self._fmt,
            reference=reference,
            distorted=distorted,
            pair_reference=indices,
            pair_distorted=torch.arange(len(self._pairs), device=self._device),
            reference_previous=previous,
            distorted_previous=torch.full((len(self._pairs),), -1, device=self._device),
        )
        order = [pair for pair, _ in self._pairs]
        self._reference, self._distorted, self._pairs = [], [], []
        return batch, order

    def _is_reference_itself(self) -> bool:
        """Whether every pair is the reference against itself, one a frame."""
        return len(self._pairs) == len(self._reference) and all(planes is None for planes in self._distorted)

    def _uploaded(self, frames: Sequence[Planes]) -> TensorPlanes:
        import numpy as np
        import torch

        planes = []
        for plane in range(3):
            stacked = torch.from_numpy(np.stack([frame[plane] for frame in frames]))
            if stacked.dtype == torch.uint16:
                stacked = stacked.view(torch.int16)
            if self._device.type == "cuda":
                stacked = stacked.pin_memory()
            planes.append(stacked.to(self._device, non_blocking=True))
        return planes[0], planes[1], planes[2]


def _wanting(group: Group, names: tuple[str, ...]) -> list[int]:
    """The pairs of a group that need a family."""
    from corekit.features.vmaf import INPUTS

    wanted = [set(pair.features) | (set(INPUTS) if VMAF in pair.features else set()) for pair in group.pairs]
    return [index for index, features in enumerate(wanted) if features & set(names)]


def _copied(planes: Planes) -> Planes:
    y, cb, cr = (plane.copy() for plane in planes)
    return y, cb, cr


def _joined(first: TensorPlanes, second: TensorPlanes) -> TensorPlanes:
    import torch

    y, cb, cr = (torch.cat(pair) for pair in zip(first, second, strict=True))
    return y, cb, cr


def _part(batch: Batch, rows: slice) -> Batch:
    """Some of a batch's pairs."""
    from dataclasses import replace

    return replace(batch, pair_reference=batch.pair_reference[rows], pair_distorted=batch.pair_distorted[rows])


def _on_host(parts: Sequence[torch.Tensor]) -> Any:
    import torch

    return torch.cat(list(parts)).cpu().numpy() if parts else None
