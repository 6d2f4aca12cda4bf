"""`corekit sample`: a tiny corpus in the real layout of one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("corpus")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
def sample(corpus: str, folder: Path, disable: tuple[str, ...]) -> None:
    """Write a tiny synthetic corpus in the real on-disk layout of CORPUS below FOLDER, which must be new or empty.

    \b
    Example:
      corekit sample chug /tmp/chug && corekit run --corpus chug --root /tmp/chug
    """
    from corekit.driver.sample import make_sample

    written = make_sample(corpus, folder, disable=disable)
    click.echo(f"wrote a sample of {corpus} to {written}")
    click.echo(f"next: corekit run --corpus {corpus} --root {folder}")
