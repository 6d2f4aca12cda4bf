"""`corekit plugins`: every installed plugin and how its loading went."""

from __future__ import annotations

import click

from corekit.cli.output import print_json, print_table


@click.command()
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(disable: tuple[str, ...], as_json: bool) -> None:
    """List every installed plugin, its distribution, and whether it can be used.

    A plugin that fails to import, speaks another API, breaks the contract or cannot describe itself is listed with the reason
    and harms no other.
    COREKIT_DISABLE=name,name switches plugins off without importing them.
    """
    from corekit.plugins.catalogue import list_plugins

    statuses = list_plugins(disable)
    if as_json:
        print_json(statuses)
        return
    rows = [[s.kind, s.name, f"{s.distribution} {s.version}", s.state, s.reason] for s in statuses]
    print_table(["kind", "name", "distribution", "state", "reason"], rows, empty="no plugin is installed")
