"""What no command writes over: the files that it reads, and what other commands made and still tell of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from corekit.errors import UsageError
from corekit.manifest import AnyManifest, known_manifest, manifest_beside, roots_here

_OTHER = "choose another name"


def refuse_loss(
    said: str,
    *,
    written: Iterable[Path],
    manifest: Path,
    inputs: Iterable[Path] = (),
    named: Path | None = None,
    manifest_said: str = "",
) -> None:
    """Refuse to begin where a file would be lost that somebody still needs.

    That is an input, its manifest and every file which that lists; a manifest of files that stay, or a file in its place that is
    none; a file of which another manifest tells together with files that stay; and under the name that was given a file of which no
    manifest tells.

    Parameters
    ----------
    said
        The option that chose the outputs, as it was given: ``--out t.parquet``.
    written
        Every file that the command writes, replaces or removes, but for its manifest.
    manifest
        The manifest that it writes.
    inputs
        Files that it reads, and that are none of its outputs by design.
    named
        The one of ``written`` whose name was given.
    manifest_said
        The option that chose the manifest's place, where that is another.

    Raises
    ------
    UsageError
        Names the file, and why it is needed.
    """
    outputs = list(written)
    _refuse_inputs(said, [*outputs, manifest], inputs)
    _refuse_manifest(manifest_said or said, outputs, manifest)
    _refuse_others(said, outputs, manifest)
    if named is not None:
        _refuse_stranger(said, named, manifest)


def listed_by(manifest: Path) -> list[Path]:
    """Where the artefacts of a manifest lie; none where there is no manifest."""
    known = known_manifest(manifest)
    return [] if known is None else list(_listed(known, manifest))


def _listed(known: AnyManifest, manifest: Path) -> Iterator[Path]:
    folder = roots_here(known.roots, manifest.parent, {})["output"]
    return (folder / artefact.file for artefact in known.artefacts.values())


def _refuse_inputs(said: str, outputs: list[Path], inputs: Iterable[Path]) -> None:
    written = set(map(_identity, outputs))
    for path in inputs:
        if _identity(path) in written:
            raise UsageError(f"{said}: {path} is an input, and this command would write over it; {_OTHER}")
        beside = manifest_beside(path)
        listed = {_identity(one): one for one in listed_by(beside)} if beside else {}
        if beside is None or _identity(path) not in listed:
            continue
        if _identity(beside) in written:
            raise UsageError(f"{said}: {beside} tells how {path.name}, an input, was made, and would be lost; {_OTHER}")
        for one in listed.keys() & written:
            raise UsageError(
                f"{said}: {listed[one]} was made together with {path.name}, an input, and would be lost; {_OTHER}"
            )


def _refuse_manifest(said: str, outputs: list[Path], manifest: Path) -> None:
    if not manifest.exists():
        return
    known = known_manifest(manifest)
    if known is None:
        raise UsageError(f"{said}: {manifest} is no manifest that can be read, and would be lost; {_OTHER}")
    written = set(map(_identity, outputs))
    for path in _listed(known, manifest):
        if path.exists() and _identity(path) not in written:
            raise UsageError(f"{said}: {manifest} tells how {path.name} was made, and would be lost; {_OTHER}")


def _refuse_others(said: str, outputs: list[Path], manifest: Path) -> None:
    own = set(map(_identity, listed_by(manifest)))
    at_stake = {_identity(path): path for path in outputs if path.exists()}
    folders = {path.parent for key, path in at_stake.items() if key not in own}
    for other in sorted(found for folder in folders for found in folder.glob("*.manifest.json")):
        if _identity(other) == _identity(manifest):
            continue
        listed = {_identity(path): path for path in listed_by(other) if path.exists()}
        lost = [at_stake[key] for key in listed.keys() & at_stake.keys() - own]
        # Where all that it tells of is made anew it is only this command's own manifest of another time.
        if lost and listed.keys() - at_stake.keys():
            raise UsageError(f"{said}: {other} tells how {lost[0]} was made, which would be lost; {_OTHER}")


def _refuse_stranger(said: str, named: Path, manifest: Path) -> None:
    if not named.is_file():
        return
    own = _identity(named)
    for each in (manifest, *sorted(named.parent.glob("*.manifest.json"))):
        if any(_identity(path) == own for path in listed_by(each)):
            return
    raise UsageError(
        f"{said}: {named} is there already, and no manifest beside it says that corekit made it; move it away, or {_OTHER}"
    )


def _identity(path: Path) -> tuple[int, int] | Path:
    """Equal for two names of one file, whether it is there or not."""
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino
