"""`corekit backends`: what computes features here, and why not."""

from __future__ import annotations

import click

from corekit.cli.output import print_json, print_table


@click.command()
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backends(disable: tuple[str, ...], as_json: bool) -> None:
    """List the backends in the order in which `--backend auto` tries them; each is started once to see if it works."""
    from corekit.driver.backends import backend_statuses

    statuses = backend_statuses(disable)
    if as_json:
        print_json(statuses)
        return
    rows = []
    for status in statuses:
        versions = ", ".join(f"{name} {version}" for name, version in status.versions.items())
        rows.append([status.name, status.title, "yes" if status.usable else "no", versions or status.reason])
    print_table(["name", "what it is", "usable", "versions, or why not"], rows, empty="no backend is installed")
