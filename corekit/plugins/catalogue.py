"""The corpora of the installed plugins, described in one line each."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from corekit.errors import CorekitError
from corekit.model import CorpusInfo
from corekit.plugins import discovery
from corekit.plugins.composition import Composition


class CorpusSummary(Struct, frozen=True, kw_only=True):
    """What `corekit corpora` says of a corpus."""

    name: str
    title: str
    version: str
    homepage: str
    pairings: tuple[str, ...]
    label: str
    treat_as: str
    root_env: str
    can: tuple[str, ...]
    """What the plugin implements so far: ``run`` and ``sample``."""


def list_corpora(disable: Sequence[str] = ()) -> list[CorpusSummary]:
    """Every corpus whose plugin works, by name; broken plugins are `corekit plugins`' to show."""
    disabled = discovery.disabled_names(disable)
    summaries = []
    for point in discovery.installed("corpus"):
        if point.name in disabled:
            continue
        try:
            composition = Composition(disable)
            info = composition.add_corpus(point.name)
        except CorekitError:
            continue
        summaries.append(_summary(info, composition))
    return summaries


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
