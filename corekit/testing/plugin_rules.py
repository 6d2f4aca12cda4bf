"""Rules for plugins of every kind: found, loaded, cheap to import."""

from __future__ import annotations

from collections.abc import Iterator

from corekit.markers import COREKIT_API
from corekit.plugins import discovery
from corekit.testing.rule import Fault, Rule
from corekit.testing.subject import PluginSubject


class DiscoveredByEntryPoint(Rule[PluginSubject]):
    """One installed distribution has an entry point of the plugin's name in the group of its kind, and it can be imported."""

    name = "discovered-by-entry-point"
    failure = (
        "{problem}; name the module under [project.entry-points.{group!r}] in pyproject.toml and install it "
        "(pip install -e .)"
    )

    def faults(self, subject: PluginSubject) -> Iterator[Fault]:
        group = discovery.GROUPS[subject.kind]
        owners = [point.dist.name if point.dist else "unknown" for point in subject.entry_points]
        if not owners:
            yield {"problem": f"no installed distribution has an entry point {subject.name!r}", "group": group}
        elif len(set(owners)) > 1:
            yield {"problem": f"{subject.name!r} is claimed by {' and '.join(sorted(owners))}", "group": group}
        else:
            try:
                _ = subject.plugin
            except (Exception, SystemExit) as error:
                value = subject.entry_points[0].value
                problem = f"importing {value} raised {type(error).__name__}: {error}"
                yield {"problem": problem, "group": group}


class SpeaksTheApi(Rule[PluginSubject]):
    """The plugin's module says COREKIT_API, the number of the plugin contract that it was written for."""

    name = "speaks-the-api"
    failure = "{name} says COREKIT_API = {said!r}, this corekit speaks {api}; write COREKIT_API = {api} into its module"
    needs = (DiscoveredByEntryPoint.name,)

    def faults(self, subject: PluginSubject) -> Iterator[Fault]:
        said = getattr(subject.plugin, "COREKIT_API", None)
        if said != COREKIT_API:
            yield {"name": subject.name, "said": said, "api": COREKIT_API}


class KeepsTheHooks(Rule[PluginSubject]):
    """The plugin implements the hooks that its kind demands and that it is said to have, with known names and signatures."""

    name = "keeps-the-hooks"
    failure = "{name} breaks the contract: {problem}; see the table of hooks in docs/plugins.md"
    needs = (SpeaksTheApi.name,)

    def faults(self, subject: PluginSubject) -> Iterator[Fault]:
        if problem := discovery.contract_fault(subject.plugin, subject.kind):
            yield {"name": subject.name, "problem": problem}
            return
        loaded = discovery.load(subject.entry_points[0], subject.kind, frozenset())
        for hook in subject.wanted_hooks:
            if hook not in loaded.status.hooks:
                problem = f"it implements no {hook} (if it is not meant to, say so in the test class)"
                yield {"name": subject.name, "problem": problem}


class ImportsNothingHeavy(Rule[PluginSubject]):
    """Importing the plugin loads neither torch nor av nor pyarrow."""

    name = "imports-nothing-heavy"
    failure = "importing {module} loads {packages}; import what needs them inside the functions that need it"
    needs = (DiscoveredByEntryPoint.name,)

    def faults(self, subject: PluginSubject) -> Iterator[Fault]:
        module = subject.entry_points[0].module
        answer = subject.child("import", module)
        heavy = answer.found["heavy"] if answer.found else [f"nothing: {answer.words}"]
        if heavy:
            yield {"module": module, "packages": " and ".join(heavy)}


PLUGIN_RULES: tuple[type[Rule[PluginSubject]], ...] = (
    DiscoveredByEntryPoint,
    SpeaksTheApi,
    KeepsTheHooks,
    ImportsNothingHeavy,
)
