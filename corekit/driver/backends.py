"""Which backend a run uses: the one asked for, or the best that works here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from corekit.backends.base import BackendInfo, DeviceLost, DeviceReport, FeatureReport
from corekit.driver.options import RunOptions
from corekit.errors import BackendError, CorekitError, UsageError
from corekit.plugins import discovery
from corekit.plugins.composition import Composition, parse_options

AUTO_ORDER = ("cuda", "cpu", "libvmaf")
"""``--backend auto`` takes the first that works here; any other backend is used only when it is named."""
_DRIVER_FILES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
"""Of NVIDIA's driver on Linux, in WSL and on Windows."""


class _WrongOption(UsageError):
    """An option of a backend has a value that it cannot have: no reason to take another, which would not know the option."""


class BackendStatus(Struct, frozen=True, kw_only=True):
    """Whether a backend works here, and why not."""

    name: str
    title: str
    distribution: str
    usable: bool
    reason: str
    versions: dict[str, str]
    devices: list[DeviceReport] = []
    features: list[FeatureReport] = []
    """How each feature is computed, where that depends on the machine."""


class Choice(Struct, frozen=True, kw_only=True):
    """The backend of a run, and the one that takes its place where it fails."""

    info: BackendInfo
    device: str
    note: str = ""
    """Why a better one is not used, to be told; empty where there is nothing to tell."""
    fallback: BackendInfo | None = None
    passed_over: BackendInfo | None = None
    """The backend that was asked for, where its fallback is used from the start."""


def choose_backend(composition: Composition, options: RunOptions) -> Choice:
    """Register the backend of a run.

    Raises
    ------
    BackendError
        ``auto`` was asked for and none works here: says for each why not.
    UsageError
        ``fallback`` gives other numbers than the backend.
    """
    if options.backend != "auto":
        if not options.fallback:
            return Choice(info=composition.add_backend(options.backend), device=options.device)
        asked = Composition(options.disable).add_backend(options.backend)
        fallback = _fallback(asked, options)
        status = _status(asked.name, options.disable, options.device, options.settings)
        if status.usable:
            return Choice(info=composition.add_backend(asked.name), device=options.device, fallback=fallback)
        note = f"{asked.name}: {status.reason}; using {fallback.name}"
        return Choice(info=composition.add_backend(fallback.name), device="auto", note=note, passed_over=asked)
    present = {point.name for point in discovery.installed("backend")} - discovery.disabled_names(options.disable)
    tried: list[str] = []
    for name in AUTO_ORDER:
        if name in present and _may_work(name, options.device):
            status = _status(name, options.disable, options.device, options.settings)
            if status.usable:
                note = "; ".join([*tried, f"using {name}"]) if tried else ""
                info = composition.add_backend(name)
                fallback_info = _fallback(info, options) if options.fallback not in ("", name) else None
                return Choice(info=info, device=options.device, note=note, fallback=fallback_info)
            tried.append(f"{name}: {status.reason}")
    reasons = "; ".join(tried) or "none is installed"
    raise BackendError(f"no backend works here ({reasons}); install one, or name one with --backend")


def _may_work(name: str, device: str) -> bool:
    """Whether it is worth starting a backend to see: a machine without a GPU neither loads torch nor hears of it, unless one is asked for."""
    if name != "cuda" or device.startswith("cuda"):
        return True
    has_driver = any(Path(file).exists() for file in _DRIVER_FILES)
    return device == "auto" and has_driver and importlib.util.find_spec("torch") is not None


def _fallback(asked: BackendInfo, options: RunOptions) -> BackendInfo:
    if options.fallback == asked.name:
        raise UsageError(f"--fallback {asked.name}: this is the backend itself; name another, or leave it out")
    fallback = Composition(options.disable).add_backend(options.fallback)
    if fallback.numeric_class != asked.numeric_class:
        raise UsageError(
            f"--fallback {fallback.name}: its numbers ({fallback.numeric_class}) are not those of {asked.name} "
            f"({asked.numeric_class}), and one table must not mix them; leave it out"
        )
    return fallback


def backend_statuses(disable: Sequence[str] = (), *, device: str = "auto", check: bool = False) -> list[BackendStatus]:
    """Every installed backend, in the order of ``auto``, each started once to see whether it works here.

    With ``check`` every feature is tried out where a backend has several ways of computing it.
    """
    names = [point.name for point in discovery.installed("backend")]
    order = {name: index for index, name in enumerate(AUTO_ORDER)}
    return [
        _status(name, disable, device, check=check)
        for name in sorted(names, key=lambda name: (order.get(name, len(order)), name))
    ]


def _status(
    name: str, disable: Sequence[str], device: str, settings: Mapping[str, str] | None = None, *, check: bool = False
) -> BackendStatus:
    """Start a backend with those of the settings that are its own, and see whether it works."""
    title, distribution, reason = "", "", ""
    versions: dict[str, str] = {}
    devices: list[DeviceReport] = []
    features: list[FeatureReport] = []
    try:
        distribution = discovery.require("backend", name, disable).status.distribution
        composition = Composition(disable)
        info = composition.add_backend(name)
        title = info.title
        known = {field.encode_name for field in msgspec.structs.fields(info.options)}
        own = {key: value for key, value in (settings or {}).items() if key in known}
        try:
            options = parse_options(info.options, own, name)
        except UsageError as error:
            raise _WrongOption(str(error)) from error
        extractor = composition.extractor((), device=device, options=options)
        versions = dict(extractor.versions)
        devices, features = extractor.device_reports(), extractor.feature_reports(check=check)
        extractor.close()
    except _WrongOption:
        raise
    except (CorekitError, DeviceLost) as error:
        reason = str(error)
    return BackendStatus(
        name=name,
        title=title,
        distribution=distribution,
        usable=not reason,
        reason=reason,
        versions=versions,
        devices=devices,
        features=features,
    )
