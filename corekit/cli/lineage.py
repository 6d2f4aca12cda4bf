"""`corekit lineage`: where an artefact comes from, as a tree on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from corekit.cli.output import print_json
from corekit.cli.places import place_options

if TYPE_CHECKING:
    from corekit.driver.lineage import Node


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON.")
def lineage(*, file: Path, roots: dict[str, Path], search: tuple[Path, ...], as_json: bool) -> int:
    """Show what an artefact was made from, step by step, up to the label files and clips.

    FILE is a model, a table, another artefact, or a manifest. Parents are found by the digests that manifests keep.

    \b
    Examples:
      corekit lineage chug_hdr_mos_head_v1
      corekit lineage merged.parquet --json
    """
    from corekit.driver.chain import Places
    from corekit.driver.lineage import lineage as trace

    node = trace(file, Places(roots=roots, search=search))
    if as_json:
        print_json(node)
    else:
        _show(node, "", "")
    return 0


def _show(node: Node, first: str, rest: str) -> None:
    digest = f"  {node.sha256[:12]}" if node.sha256 else ""
    detail = f"  ({node.detail})" if node.detail else ""
    click.echo(f"{first}{node.what}: {node.name}{digest}{detail}")
    for index, child in enumerate(node.made_from):
        last = index == len(node.made_from) - 1
        _show(child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "))
