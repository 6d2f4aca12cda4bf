"""`corekit backends`: what computes features here, on which devices and how, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from corekit.cli.output import human_bytes, print_json, print_table

if TYPE_CHECKING:
    from corekit.driver.backends import BackendStatus

_HOW = {"triton": "Triton kernels", "torch": "torch", "none": "not computed"}


@click.command()
@click.option("--disable", multiple=True, metavar="NAME", help="Never import the plugin of that name; repeatable.")
@click.option("--device", default="auto", metavar="DEVICE", help="Device to start them on.")
@click.option("--check", is_flag=True, help="Try out every feature on the device, which compiles its kernels: minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backends(disable: tuple[str, ...], device: str, check: bool, as_json: bool) -> None:
    """List the backends in the order in which `--backend auto` tries them; each is started once to see if it works.

    Where a backend has devices they are listed, and how it would compute each feature.
    """
    from corekit.driver.backends import backend_statuses

    statuses = backend_statuses(disable, device=device, check=check)
    if as_json:
        print_json(statuses)
        return
    rows = []
    for status in statuses:
        versions = ", ".join(f"{name} {version}" for name, version in status.versions.items())
        rows.append([status.name, status.title, "yes" if status.usable else "no", versions or status.reason])
    print_table(["name", "what it is", "usable", "versions, or why not"], rows, empty="no backend is installed")
    _print_devices(statuses)
    for status in statuses:
        _print_features(status)


def _print_devices(statuses: list[BackendStatus]) -> None:
    rows = [
        [status.name, one.name, one.title, human_bytes(one.memory_bytes), human_bytes(one.free_bytes), one.compute_capability]
        for status in statuses
        for one in status.devices
    ]  # fmt: skip
    if rows:
        click.echo()
        print_table(["backend", "device", "what it is", "memory", "free", "compute capability"], rows, empty="")


def _print_features(status: BackendStatus) -> None:
    """The features, those together that are computed in one way for one reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for report in status.features:
        groups.setdefault((_HOW.get(report.how, report.how), report.why), []).append(report.feature)
    if not groups:
        return
    click.echo(f"\n{status.name} computes")
    for (how, why), names in groups.items():
        click.echo(f"  by {how}{f' ({why})' if why else ''}: {', '.join(names)}")
