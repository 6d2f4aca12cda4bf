"""`corekit corpora`: the corpora that installed plugins read."""

from __future__ import annotations

import click

from corekit.cli.output import print_json, print_table


@click.command()
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def corpora(disable: tuple[str, ...], as_json: bool) -> None:
    """List the corpora: pairing, labels, licence, where to get them, and what their plugin can do so far.

    Those whose plugin is broken come last, with the reason.
    """
    from corekit.plugins.catalogue import list_corpora

    found = list_corpora(disable)
    if as_json:
        print_json(found)
        return
    rows = [
        [c.name, c.title, ", ".join(c.pairings), c.label, c.treat_as, ", ".join(c.can) or "described only", c.root_env]
        for c in found
        if not c.broken
    ]
    header = ["name", "corpus", "pairings", "label", "licence", "plugin can", "root variable"]
    print_table(header, rows, empty="no corpus plugin is installed; try: pip install corekit-chug")
    for each in found:
        if each.broken:
            click.echo(f"{each.name} cannot be used: {each.broken}")
