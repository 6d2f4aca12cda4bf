"""Which generations of file names a corpus shows: names reduced to patterns, with no knowledge of any corpus."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from corekit.driver.audit.report import NamePattern

_HEX = re.compile(r"(?<![0-9a-fA-F])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{16,}(?![0-9a-fA-F])")
_TOKEN = re.compile(r"\0[0-9]+\0|[0-9]+|[^\W\d_]+|.", re.DOTALL)
_MOST_PATTERNS = 12
_Tokens = tuple[str, ...]


def name_patterns(names: Iterable[str]) -> tuple[NamePattern, ...]:
    """The patterns of ``names``, most frequent first.

    What varies becomes ``<number>``, ``<hex32>`` or ``<word>``; what is the same in all names of a pattern stays, the
    suffix always does. Words vary only where keeping them apart would give more than a dozen patterns.
    """
    tokens = [(_tokens(stem), dot + suffix) for stem, dot, suffix in (name.rpartition(".") for name in names)]
    patterns = _patterns(tokens, words_vary=False)
    if len(patterns) > _MOST_PATTERNS:
        patterns = _patterns(tokens, words_vary=True)
    return tuple(NamePattern(pattern=pattern, clips=clips) for pattern, clips in patterns.most_common())


def _tokens(stem: str) -> _Tokens:
    return tuple(_TOKEN.findall(_HEX.sub(lambda match: f"\0{len(match[0])}\0", stem)))


def _patterns(names: list[tuple[_Tokens, str]], *, words_vary: bool) -> Counter[str]:
    groups: dict[tuple[_Tokens, str], list[_Tokens]] = defaultdict(list)
    for tokens, suffix in names:
        groups[tuple(_blank(token, words_vary) for token in tokens), suffix].append(tokens)
    patterns: Counter[str] = Counter()
    for (blanks, suffix), members in groups.items():
        same = [len(set(column)) == 1 for column in zip(*members, strict=True)] if len(members) > 1 else []
        shown = (
            [first if alike else blank for first, blank, alike in zip(members[0], blanks, same, strict=True)]
            if same
            else blanks
        )
        patterns["".join(_placeholder(token) for token in shown) + suffix] += len(members)
    return patterns


def _blank(token: str, words_vary: bool) -> str:
    if token.isdecimal():
        return "<number>"
    return "<word>" if words_vary and token.isalpha() else token


def _placeholder(token: str) -> str:
    return f"<hex{token[1:-1]}>" if token.startswith("\0") else token
