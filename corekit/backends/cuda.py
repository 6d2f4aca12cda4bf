"""The ``cuda`` backend: the exact features as sums of torch tensors, many frames at a time, on a GPU or any torch device."""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from corekit.backends.base import (
    BackendInfo,
    DeviceReport,
    Extractor,
    FeatureReport,
    Group,
    GroupSession,
    PairFeatures,
)
from corekit.backends.cuda_families import (
    DISTORTED_BEFORE,
    FAMILIES,
    REFERENCE_BEFORE,
    Verdict,
    families_of,
    has_triton,
    make,
    plan,
    trial_format,
    try_out,
)
from corekit.errors import BackendError, ClipError
from corekit.features.registry import undefined
from corekit.markers import hookimpl
from corekit.model import FrameFormat
from corekit.schema import FEATURES, VMAF

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from corekit.backends.cuda_batches import Batcher
    from corekit.features.tensor.family import TensorFamily
    from corekit.features.tensor.scaling import FrameScaler
    from corekit.planes import Planes
    from corekit.video.scaling import Scaling

COREKIT_API = 1
_CHECKED_FORMATS = tuple(FrameFormat(1920, 1080, depth, "420") for depth in (8, 10))
_SHARE = 0.6
"""Of the free memory of the device, what a batch may take."""
_CPU_BYTES = 1 << 30
"""Where the device is the CPU, what a batch may take."""


class CudaOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of the backend."""

    motion: Literal["3.2", "3.1"] = "3.2"
    """Which libvmaf's definition of motion: 3.2 and newer, or 3.1 and older."""
    memory_gb: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Memory of each GPU for batches; 0 takes six tenths of what is free."""
    processes: Annotated[int, Meta(ge=1, le=64)] = 1
    """Worker processes a GPU, each with a share of ``--workers`` and of the memory, where threads hold up one another."""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(
        name="cuda",
        title="corekit's own exact features on a GPU (torch, Triton)",
        numeric_class="corekit",
        options=CudaOptions,
    )


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: CudaOptions) -> Extractor:
    extractor = CudaExtractor(open_device(device), options)
    if device in ("auto", "cuda"):
        extractor.use_every_gpu()
    return extractor


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


def _device_report(name: str) -> DeviceReport:
    import torch

    from corekit.backends.cuda_faults import first_line

    try:
        properties = torch.cuda.get_device_properties(name)
        free, total = torch.cuda.mem_get_info(name)
    except (RuntimeError, AssertionError) as error:
        title = f"cannot be used ({first_line(error)})"
        return DeviceReport(name=name, title=title, memory_bytes=0, free_bytes=0, compute_capability="")
    return DeviceReport(
        name=name,
        title=properties.name,
        memory_bytes=total,
        free_bytes=free,
        compute_capability=f"{properties.major}.{properties.minor}",
    )


class CudaExtractor(Extractor):
    """One device for the whole run: its buffers, its kernels and the tables of each frame format stay on it."""

    scales_frames = True

    def __init__(self, device: torch.device, options: CudaOptions) -> None:
        import torch

        self.device = device
        self._options = options
        self._lock = threading.RLock()
        self._batcher: Batcher | None = None
        self._families: dict[tuple[str, FrameFormat], TensorFamily | str] = {}
        self._verdicts: dict[tuple[str, FrameFormat], Verdict] = {}
        self._scalers: dict[Hashable, FrameScaler | None] = {}
        self._plain: set[tuple[str, FrameFormat]] = set()
        """Families whose kernels failed at work."""
        self.versions = {"torch": str(torch.__version__)}
        if device.type == "cuda":
            self.devices = (str(device),) * options.processes
            self.frames_on = str(device)
            self.versions["device"] = torch.cuda.get_device_name(device)
            if has_triton():
                self.versions["triton"] = importlib.metadata.version("triton")
        # That of the cpu backend: their values are the same, so a row of one stands in for one of the other.
        self.identity = {"class": "corekit", "motion": options.motion}

    def use_every_gpu(self) -> None:
        """Let a run have a worker on each GPU that torch sees."""
        import torch

        names = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
        self.devices = names * self._options.processes

    def lacks(self, feature: str, fmt: FrameFormat) -> str | None:
        return undefined(feature, fmt)

    def scales(self, scaling: Scaling) -> bool:
        from corekit.backends.cuda_scaling import scaler_for
        from corekit.backends.cuda_stages import current_device

        with self._lock:
            if scaling.key not in self._scalers:
                with current_device(self.device):
                    self._scalers[scaling.key] = scaler_for(scaling, self.device)
            return self._scalers[scaling.key] is not None

    def open_group(self, group: Group) -> GroupSession:
        return CudaSession(group, self)

    def is_lost(self) -> bool:
        import torch

        if self.device.type != "cuda":
            return False
        try:
            torch.cuda.synchronize(self.device)
        except RuntimeError:  # an error that the device does not forget
            return True
        return False

    def device_reports(self) -> list[DeviceReport]:
        return [_device_report(name) for name in dict.fromkeys(self.devices)]

    def feature_reports(self, *, check: bool = False) -> list[FeatureReport]:
        reports = []
        for name, features in FAMILIES.items():
            verdicts = [self.verdict(name, fmt) for fmt in _CHECKED_FORMATS] if check else [plan(name, self.device)]
            worst = max(verdicts, key=lambda verdict: ("triton", "torch", "none").index(verdict.how))
            reports += [FeatureReport(feature=feature, how=worst.how, why=worst.reason) for feature in features]
        by_feature = {report.feature: report for report in reports}  # cambi has two families of one feature
        vmaf = FeatureReport(feature=VMAF, how="numpy", why="from the features that it is made of, on the CPU")
        return [by_feature[name] for name in FEATURES if name in by_feature] + [vmaf]

    def close(self) -> None:
        self._batcher = None
        self._families.clear()

    @property
    def batcher(self) -> Batcher:
        """Where the frames of all groups meet."""
        from corekit.backends.cuda_batches import Batcher
        from corekit.backends.cuda_lanes import Needs

        with self._lock:
            if self._batcher is None:
                needs = Needs(REFERENCE_BEFORE, DISTORTED_BEFORE)
                self._batcher = Batcher(
                    self.device, self._whole_family, self._scaler, self._budget, needs, self._without_kernels
                )
            return self._batcher

    def family(self, name: str, fmt: FrameFormat) -> TensorFamily | str:
        """A family at work on the device, made once per format; a reason (one clause) where it gives no right values there."""
        with self._lock:
            if (name, fmt) not in self._families:
                verdict = self.verdict(name, fmt)
                self._families[name, fmt] = (
                    verdict.reason if verdict.how == "none"
                    else make(name, fmt, self.device, motion=self._options.motion, fused=verdict.how == "triton")
                )  # fmt: skip
            return self._families[name, fmt]

    def verdict(self, name: str, fmt: FrameFormat) -> Verdict:
        """How a family computes frames of ``fmt`` here; on a GPU it is tried out on small pictures first."""
        from corekit.backends.cuda_stages import current_device

        key = name, trial_format(fmt)
        with self._lock:
            if key not in self._verdicts:
                if self.device.type == "cuda":
                    self.notify(
                        f"trying {name} on {self.device}: kernels are compiled for each depth, a minute at first"
                    )
                with current_device(self.device):
                    self._verdicts[key] = try_out(name, key[1], self.device, motion=self._options.motion)
                if self._verdicts[key].reason and self.device.type == "cuda":
                    self.notify(f"{name} on {self.device}: {self._verdicts[key].reason}")
            return self._verdicts[key]

    def _scaler(self, scaling: Scaling) -> FrameScaler:
        scaler = self._scalers[scaling.key]
        assert scaler is not None
        return scaler

    def _whole_family(self, name: str, fmt: FrameFormat) -> TensorFamily:
        family = self.family(name, fmt)
        assert not isinstance(family, str)
        return family

    def _without_kernels(self, name: str, fmt: FrameFormat, error: Exception) -> TensorFamily:
        """The family in torch, as its kernels fail on frames of this size though they did not when they were tried."""
        from corekit.backends.cuda_faults import first_line

        with self._lock:
            if (name, fmt) in self._plain or self.verdict(name, fmt).how != "triton":
                raise error
            self._plain.add((name, fmt))
            self.notify(f"{name} on {self.device}: its Triton kernels fail ({first_line(error)[:200]}); torch is used")
            family = make(name, fmt, self.device, motion=self._options.motion, fused=False)
            self._families[name, fmt] = family
            return family

    def _budget(self) -> float:
        """Bytes that a batch may take."""
        import torch

        if self._options.memory_gb > 0:
            return self._options.memory_gb * 1e9 / self._options.processes
        if self.device.type != "cuda":
            return float(_CPU_BYTES)
        free, _ = torch.cuda.mem_get_info(self.device)
        return (
            _SHARE
            / self._options.processes
            * (free + torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device))
        )


class CudaSession(GroupSession):
    """One content group: its frames join the batches of the device, its sums come back from them."""

    def __init__(self, group: Group, extractor: CudaExtractor) -> None:
        self._group = group
        self._counts = [0] * len(group.pairs)
        self._families: dict[str, TensorFamily] = {}
        self._broken: dict[str, str] = {}
        needed = [families_of(pair) for pair in group.pairs]
        for name in sorted(frozenset().union(*needed)):
            family = extractor.family(name, group.fmt)
            if isinstance(family, str):
                self._broken |= dict.fromkeys(FAMILIES[name], family)
            else:
                self._families[name] = family
        self._needed = [frozenset(names & self._families.keys()) for names in needed]
        self._batcher = extractor.batcher
        self._lane = self._batcher.open(group.fmt, self._needed)

    def push(self, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        for index, planes in enumerate(distorted):
            self._counts[index] += planes is not None
        self._batcher.push(self._lane, reference, distorted)

    def finish(self) -> list[PairFeatures | ClipError]:
        self._batcher.drain(self._lane)
        return [self._result(index) for index in range(len(self._group.pairs))]

    def close(self) -> None:
        self._batcher.close(self._lane)

    def _result(self, index: int) -> PairFeatures:
        from corekit.features import vmaf

        wanted = self._group.pairs[index].features
        broken = dict(self._broken)
        values: dict[str, npt.NDArray[np.float64]] = {}
        for name in self._needed[index]:
            family = self._families[name]
            scores = family.scores(self._lane.gathered(index, name))
            values |= {feature: scores[:, column].copy() for column, feature in enumerate(family.names)}
        if VMAF in wanted:
            if lost := [name for name in vmaf.INPUTS if name in broken]:
                broken[VMAF] = f"{lost[0]}: {broken[lost[0]]}"
            else:
                values[VMAF] = vmaf.vmaf(**{name: values[name] for name in vmaf.INPUTS})
        return PairFeatures(
            {name: values[name] for name in wanted if name in values},
            {name: broken[name] for name in wanted if name in broken},
            self._counts[index],
        )
