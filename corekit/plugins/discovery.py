"""Find the installed plugins by entry point, load each in isolation, and say of every one how that went."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy
from msgspec import Struct

from corekit.errors import PluginError
from corekit.markers import COREKIT_API, PROJECT
from corekit.plugins import hookspecs

PluginKind = Literal["corpus", "backend", "extension"]
PluginState = Literal["ok", "disabled", "broken"]

GROUPS: dict[PluginKind, str] = {
    "corpus": "corekit.corpora",
    "backend": "corekit.backends",
    "extension": "corekit.extensions",
}
REQUIRED_HOOKS: dict[PluginKind, tuple[str, ...]] = {
    "corpus": ("corekit_corpus",),
    "backend": ("corekit_backend", "corekit_extract_features"),
    "extension": (),
}
DISABLE_ENV = "COREKIT_DISABLE"


class PluginStatus(Struct, frozen=True, kw_only=True):
    """How the loading of one plugin went."""

    kind: PluginKind
    name: str
    distribution: str
    version: str
    module: str
    state: PluginState
    reason: str = ""
    hooks: tuple[str, ...] = ()


class LoadedPlugin(Struct, frozen=True):
    """A status and, where the plugin is usable, its module or object."""

    status: PluginStatus
    plugin: Any = None


def disabled_names(extra: Iterable[str] = ()) -> frozenset[str]:
    """Plugin names that the user switched off, by option or by ``COREKIT_DISABLE`` (comma-separated)."""
    listed = os.environ.get(DISABLE_ENV, "").split(",")
    return frozenset(name.strip() for name in [*listed, *extra] if name.strip())


def installed(kind: PluginKind) -> list[EntryPoint]:
    """Entry points of a kind, sorted by name; nothing is imported."""
    return sorted(entry_points(group=GROUPS[kind]), key=lambda point: (point.name, point.value))


def load(point: EntryPoint, kind: PluginKind, disabled: frozenset[str]) -> LoadedPlugin:
    """Load one plugin; whatever goes wrong becomes its status and harms nobody else."""
    if point.name in disabled:
        return LoadedPlugin(_status(point, kind, "disabled", "switched off by the user"))
    if clash := _clash(kind, point.name):
        return LoadedPlugin(_status(point, kind, "broken", clash))
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints must not end up in --json
            plugin = point.load()
    except (Exception, SystemExit) as error:
        return LoadedPlugin(_status(point, kind, "broken", f"importing {point.value} failed: {_one_line(error)}"))
    fault = contract_fault(plugin, kind)
    if fault:
        return LoadedPlugin(_status(point, kind, "broken", fault))
    return LoadedPlugin(_status(point, kind, "ok", "", hooks=_implemented(plugin)), plugin)


def contract_fault(plugin: Any, kind: PluginKind) -> str:
    """Why a loaded plugin does not keep the contract (one clause), or an empty string."""
    api = getattr(plugin, "COREKIT_API", None)
    if api != COREKIT_API:
        said = "states no COREKIT_API" if api is None else f"speaks plugin API {api!r}"
        return f"it {said}; this corekit speaks {COREKIT_API}"
    unknown = [name for name in _implemented(plugin) if not hasattr(hookspecs, name)]
    if unknown:
        return f"it implements the unknown hook {unknown[0]}; the hooks are {', '.join(_hook_names())}"
    trial = new_manager()
    try:
        trial.register(plugin)
        wrappers = [hook.name for hook in trial.get_hookcallers(plugin) or () if _wraps(hook)]
    except (pluggy.PluginValidationError, ValueError) as error:
        return f"a hook has the wrong signature: {_one_line(error)}"
    if wrappers:
        return f"its {wrappers[0]} is a hook wrapper, which corekit does not call"
    missing = [name for name in REQUIRED_HOOKS[kind] if name not in _implemented(plugin)]
    return f"a {kind} plugin must implement {missing[0]}" if missing else ""


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows core's hooks and holds no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load_all(disable: Sequence[str] = ()) -> list[PluginStatus]:
    """Load every installed plugin once and say how that went, by kind and name."""
    disabled = disabled_names(disable)
    return [load(point, kind, disabled).status for kind in GROUPS for point in installed(kind)]


def require(kind: PluginKind, name: str, disable: Sequence[str] = ()) -> LoadedPlugin:
    """The usable plugin of that name.

    Raises
    ------
    PluginError
        The name is unknown, switched off or its plugin is broken: says which, why, and what to do.
    """
    disabled = disabled_names(disable)
    points = installed(kind)
    point = next((point for point in points if point.name == name), None)
    if point is None:
        usable = dict.fromkeys(point.name for point in points if load(point, kind, disabled).status.state == "ok")
        raise PluginError(
            name,
            f"no {kind} is called {name!r}; installed: {', '.join(usable) or 'none'}; "
            f"install the distribution that provides it (pip install corekit-{name.replace('_', '-')})",
        )
    loaded = load(point, kind, disabled)
    status = loaded.status
    if status.state == "disabled":
        raise PluginError(name, f"the {kind} {name!r} is switched off; leave it out of --disable and {DISABLE_ENV}")
    if clash := status.state == "broken" and _clash(kind, name):
        raise PluginError(name, f"the {kind} {name!r} cannot be used: {clash}")
    if status.state == "broken":
        raise PluginError(
            name,
            f"the {kind} {name!r} of {status.distribution} {status.version} cannot be used: {status.reason}; "
            f"repair or reinstall {status.distribution}",
        )
    return loaded


def _clash(kind: PluginKind, name: str) -> str:
    """Who else claims a name, in one clause with the remedy; empty where one distribution alone does."""
    owners = {_distribution(point) for point in installed(kind) if point.name == name}
    if len(owners) < 2:
        return ""
    claimants = " and ".join(sorted(f"'{distribution}'" for distribution, _ in owners))
    return f"the name is claimed by {claimants}; uninstall all but one"


def _implemented(plugin: Any) -> tuple[str, ...]:
    manager = pluggy.PluginManager(PROJECT)
    names = [name for name in dir(plugin) if not name.startswith("__")]
    found = [name for name in names if manager.parse_hookimpl_opts(plugin, name) is not None]
    return tuple(sorted(found))


def _wraps(hook: pluggy.HookCaller) -> bool:
    return any(impl.wrapper or impl.hookwrapper for impl in hook.get_hookimpls())


def _hook_names() -> list[str]:
    return sorted(name for name, member in inspect.getmembers(hookspecs) if name.startswith("corekit_"))


def _status(
    point: EntryPoint, kind: PluginKind, state: PluginState, reason: str, hooks: tuple[str, ...] = ()
) -> PluginStatus:
    distribution, version = _distribution(point)
    return PluginStatus(
        kind=kind,
        name=point.name,
        distribution=distribution,
        version=version,
        module=point.value,
        state=state,
        reason=reason,
        hooks=hooks,
    )


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "")


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
