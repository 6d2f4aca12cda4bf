"""Which backend a run uses: the one asked for, or the best that works here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from corekit.backends.base import BackendInfo
from corekit.driver.options import RunOptions
from corekit.errors import BackendError, CorekitError
from corekit.plugins import discovery
from corekit.plugins.composition import Composition, parse_options

AUTO_ORDER = ("cpu", "libvmaf")
"""``--backend auto`` takes the first that works here; any other backend is used only when it is named: ``cuda`` too, as long as
it does not compute every feature."""


class BackendStatus(Struct, frozen=True, kw_only=True):
    """Whether a backend works here, and why not."""

    name: str
    title: str
    distribution: str
    usable: bool
    reason: str
    versions: dict[str, str]


def choose_backend(composition: Composition, options: RunOptions) -> tuple[BackendInfo, str]:
    """Register the backend of a run; returns its description, and a line to tell where a better one does not work.

    Raises
    ------
    BackendError
        ``auto`` was asked for and none works here: says for each why not.
    """
    if options.backend != "auto":
        return composition.add_backend(options.backend), ""
    present = {point.name for point in discovery.installed("backend")} - discovery.disabled_names(options.disable)
    tried: list[str] = []
    for name in AUTO_ORDER:
        if name in present:
            status = _status(name, options.disable, options.device)
            if status.usable:
                return composition.add_backend(name), "; ".join([*tried, f"using {name}"]) if tried else ""
            tried.append(f"{name}: {status.reason}")
    reasons = "; ".join(tried) or "none is installed"
    raise BackendError(f"no backend works here ({reasons}); install one, or name one with --backend")


def backend_statuses(disable: Sequence[str] = (), *, device: str = "auto") -> list[BackendStatus]:
    """Every installed backend, in the order of ``auto``, each started once to see whether it works here."""
    names = [point.name for point in discovery.installed("backend")]
    order = {name: index for index, name in enumerate(AUTO_ORDER)}
    return [
        _status(name, disable, device) for name in sorted(names, key=lambda name: (order.get(name, len(order)), name))
    ]


def _status(name: str, disable: Sequence[str], device: str) -> BackendStatus:
    title, distribution, reason = "", "", ""
    versions: dict[str, str] = {}
    try:
        distribution = discovery.require("backend", name, disable).status.distribution
        composition = Composition(disable)
        info = composition.add_backend(name)
        title = info.title
        extractor = composition.extractor((), device=device, options=parse_options(info.options, {}, name))
        versions = dict(extractor.versions)
        extractor.close()
    except CorekitError as error:
        reason = str(error)
    return BackendStatus(
        name=name,
        title=title,
        distribution=distribution,
        usable=not reason,
        reason=reason,
        versions=versions,
    )
