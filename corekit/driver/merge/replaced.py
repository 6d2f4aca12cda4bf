"""What stands where a merge writes its manifest: another command's provenance is not lost, another's file not removed."""

from __future__ import annotations

from pathlib import Path

from corekit.driver.merge.options import MergeOptions
from corekit.errors import UsageError
from corekit.manifest import known_manifest, roots_here


def refuse_loss(options: MergeOptions) -> None:
    """Refuse to replace a manifest of files that stay, or a file that is no manifest.

    Raises
    ------
    UsageError
        Names the manifest and the file that it speaks of.
    """
    where = f"--manifest-out {options.manifest_out}" if options.manifest_out else f"--out {options.out}"
    if options.manifest.exists() and known_manifest(options.manifest) is None:
        raise UsageError(
            f"{where}: {options.manifest} is no manifest that can be read, and would be lost; choose another"
        )
    own = {options.table.resolve(), options.duplicates.resolve()}
    for path in _listed(options.manifest):
        if path.is_file() and path.resolve() not in own:
            raise UsageError(
                f"{where}: {options.manifest} tells how {path.name} was made, and would be lost; choose another name"
            )


def earlier_duplicates(options: MergeOptions) -> Path | None:
    """The list of duplicates of the merge whose manifest is replaced; a file of that name by another is not ours."""
    own = options.duplicates.resolve()
    return next((path for path in _listed(options.manifest) if path.resolve() == own), None)


def _listed(manifest: Path) -> list[Path]:
    """Where the artefacts of a manifest lie; none where there is no manifest."""
    known = known_manifest(manifest)
    if known is None:
        return []
    folder = roots_here(known.roots, manifest.parent, {})["output"]
    return [folder / artefact.file for artefact in known.artefacts.values()]
