"""The installed plugins, how each went, and the corpora among them described in one line each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from msgspec import Struct
from msgspec.structs import replace

from corekit.errors import CorekitError
from corekit.model import CorpusInfo
from corekit.plugins import discovery
from corekit.plugins.composition import Composition, broken
from corekit.plugins.discovery import PluginStatus


class CorpusSummary(Struct, frozen=True, kw_only=True):
    """What `corekit corpora` says of a corpus; of one whose plugin is broken, its name and why."""

    name: str
    title: str = ""
    version: str = ""
    homepage: str = ""
    pairings: tuple[str, ...] = ()
    label: str = ""
    treat_as: str = ""
    root_env: str = ""
    can: tuple[str, ...] = ()
    """What the plugin implements so far: ``run`` and ``sample``."""
    broken: str = ""
    """Why the plugin cannot be used; empty where it can."""


def list_plugins(disable: Sequence[str] = ()) -> list[PluginStatus]:
    """Load every installed plugin, let corpora and backends describe themselves, and say how that went, by kind and name."""
    return [_described(status, disable)[0] for status in discovery.load_all(disable)]


def list_corpora(disable: Sequence[str] = ()) -> list[CorpusSummary]:
    """Every corpus that is not switched off, by name; of a broken plugin the reason."""
    summaries: dict[str, CorpusSummary] = {}
    disabled = discovery.disabled_names(disable)
    for point in discovery.installed("corpus"):
        status, composition = _described(discovery.load(point, "corpus", disabled).status, disable)
        if status.state == "broken":
            summaries[point.name] = CorpusSummary(name=point.name, broken=status.reason)
        elif composition.info is not None:
            summaries[point.name] = _summary(composition.info, composition)
    return list(summaries.values())


def _described(status: PluginStatus, disable: Sequence[str]) -> tuple[PluginStatus, Composition]:
    """The status once the plugin was asked what it is, and the composition that it was asked in."""
    composition = Composition(disable)
    add = {"corpus": composition.add_corpus, "backend": composition.add_backend}.get(status.kind)
    if status.state == "ok" and add is not None:
        try:
            with redirect_stdout(sys.stderr):  # what a plugin prints must not end up in --json
                add(status.name)
        except CorekitError as error:
            reason = " ".join(str(error).removeprefix(broken(status)).split())
            return replace(status, state="broken", reason=reason), composition
    return status, composition


def _summary(info: CorpusInfo, composition: Composition) -> CorpusSummary:
    can = []
    if composition.can_read():
        can.append("run")
    if composition.can_sample():
        can.append("sample")
    return CorpusSummary(
        name=info.name,
        title=info.title,
        version=info.version,
        homepage=info.homepage,
        pairings=info.pairings,
        label=_label(info),
        treat_as=info.treat_as,
        root_env=info.root_env,
        can=tuple(can),
    )


def _label(info: CorpusInfo) -> str:
    if info.label_min is None:
        return info.label_kind
    upper = "" if info.label_max is None else f"{info.label_max:g}"
    return f"{info.label_kind} {info.label_min:g}..{upper}"
