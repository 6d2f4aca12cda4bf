"""`corekit new`: a corpus plugin of one's own, ready to be changed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def new(name: str, folder: Path | None) -> None:
    """Write a plugin for the corpus NAME into FOLDER, by default corekit-NAME, which must not exist.

    It is complete and works as it is: it reads a folder of clips and a CSV file of labels, makes a sample, and is tested by
    every rule of the conformance kit. Change it to what the corpus is like; docs/plugins.md goes through it step by step.

    \b
    Example:
      corekit new lab && pip install -e "corekit-lab[test]" && corekit sample lab demo && corekit run --corpus lab --root demo
    """
    from corekit.driver.new import new_plugin

    written = new_plugin(name, folder)
    click.echo(f"wrote the plugin {name} to {written}")
    click.echo(f'next: pip install -e "{folder or written.name}[test]" && python -m pytest {folder or written.name}')
