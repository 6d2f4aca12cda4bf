"""How `--set KEY=VALUE`, which several commands take, becomes a mapping."""

from __future__ import annotations

import click

from corekit.errors import UsageError


def parse_settings(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """Callback of a click option: the pairs as a mapping; what is no pair is a ``UsageError``."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair}: give key=value")
        settings[key] = value
    return settings
