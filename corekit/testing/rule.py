"""What a rule of the conformance kit is, and how rules that depend on each other are asked."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

from msgspec import Struct

Fault = dict[str, object]
"""The words that fill the blanks of a rule's failure sentence."""

S = TypeVar("S")
_SHOWN = 5


class Rule(ABC, Generic[S]):
    """One demand on a plugin; a subclass's docstring opens with the demand as one sentence."""

    name: ClassVar[str]
    failure: ClassVar[str]
    """What is said of a plugin that breaks the rule: what is wrong, where, what to do."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Rules that must hold before this one can be asked."""
    asked: ClassVar[str] = "all"
    """Of which plugins the rule is asked, for the documentation."""

    @classmethod
    def demand(cls) -> str:
        """The one sentence of what the rule demands."""
        return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())

    def exemption(self, subject: S) -> str:
        """Why the rule is not asked of this plugin, or an empty string."""
        return ""

    @abstractmethod
    def faults(self, subject: S) -> Iterator[Fault]:
        """Everything that breaks the rule."""


class Verdict(Struct, frozen=True):
    """What came of one rule; ``text`` says why where it did not hold or was not asked."""

    state: Literal["held", "broken", "not asked"]
    text: str = ""


class Examination(Generic[S]):
    """Asks rules of one subject, each at most once and only where those that it needs hold."""

    def __init__(self, subject: S, rules: Sequence[type[Rule[Any]]]) -> None:
        self._subject = subject
        self._rules = {rule.name: rule for rule in rules}
        self._verdicts: dict[str, Verdict] = {}

    def verdict(self, name: str) -> Verdict:
        """Ask the rule of that name."""
        if name not in self._verdicts:
            self._verdicts[name] = self._ask(self._rules[name]())
        return self._verdicts[name]

    def all(self) -> dict[str, Verdict]:
        """Ask every rule, in order."""
        return {name: self.verdict(name) for name in self._rules}

    def _ask(self, rule: Rule[S]) -> Verdict:
        for needed in rule.needs:
            if self._stands_in_the_way(needed):
                return Verdict("not asked", f"{needed} does not hold, without which {rule.name} cannot be asked")
        if exemption := rule.exemption(self._subject):
            return Verdict("not asked", exemption)
        sentences = list(dict.fromkeys(rule.failure.format_map(fault) for fault in rule.faults(self._subject)))
        if not sentences:
            return Verdict("held")
        more = [f"and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
        return Verdict("broken", "\n".join([*sentences[:_SHOWN], *more]))

    def _stands_in_the_way(self, name: str) -> bool:
        """A rule that a plugin is exempt from stands in nobody's way, but those that it needs may."""
        state = self.verdict(name).state
        if state == "not asked":
            return any(self._stands_in_the_way(needed) for needed in self._rules[name].needs)
        return state == "broken"
