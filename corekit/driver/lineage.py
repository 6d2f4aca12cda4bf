"""Where an artefact comes from: the graph of its manifests, from a model card to the clips."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from corekit.driver.chain import Link, Places, open_link, place_of
from corekit.errors import IntegrityError
from corekit.manifest import EvaluateManifest, Manifest, ParentRecord, PathRecord, PredictManifest, TrainManifest

_MAIN = ("model-onnx", "clip-table", "frame-table", "v3-jsonl", "predictions")
"""What a manifest is about, where it is named instead of one of its artefacts."""


class Node(Struct, frozen=True, kw_only=True):
    """One file or group of files, and what it was made from."""

    name: str
    what: str
    """The command that made it, ``clips``, ``labels``, or ``file`` where no manifest is known."""
    sha256: str | None = None
    detail: str = ""
    made_from: list[Node] = []


def lineage(path: Path, places: Places) -> Node:
    """The tree of an artefact or manifest, as far as manifests are found.

    Raises
    ------
    UsageError
        There is no manifest.
    IntegrityError
        A manifest cannot be read.
    """
    link = open_link(path, places)
    artefacts = list(link.manifest.artefacts.values())
    if not artefacts:
        raise IntegrityError(f"{link.path} names no artefact; write it again with the command that made it")
    main = next((a for a in artefacts if a.kind in _MAIN), artefacts[0])
    one = next((a for a in artefacts if link.artefact_path(a) == place_of(path)), main)
    return _node(link, one.file, one.sha256)


def _node(link: Link, name: str, sha256: str) -> Node:
    manifest = link.manifest
    made_from = [_parent(link, parent) for parent in manifest.parents]
    known = {parent.sha256 for parent in manifest.parents}
    groups: dict[str, list[PathRecord]] = {}
    for kind, record in link.inputs():
        if record.sha256 not in known:
            groups.setdefault(kind, []).append(record)
    made_from += [_group(kind, records) for kind, records in groups.items()]
    return Node(name=name, what=link.command, sha256=sha256, detail=_detail(link), made_from=made_from)


def _parent(link: Link, parent: ParentRecord) -> Node:
    file = link.parent_path(parent)
    try:
        upward = link.parent_link(parent, file)
    except IntegrityError:
        return Node(name=parent.file, what="file", sha256=parent.sha256, detail="its manifest cannot be read")
    if upward is None:
        lost = "its manifest is not found" if parent.manifest_sha256 else "no manifest lay beside it"
        return Node(name=parent.file, what="file", sha256=parent.sha256, detail=lost)
    return _node(upward, parent.file, parent.sha256)


def _group(kind: str, records: list[PathRecord]) -> Node:
    if len(records) == 1:
        return Node(name=records[0].path, what=kind, sha256=records[0].sha256)
    size = sum(record.size_bytes or 0 for record in records)
    return Node(name=f"{len(records)} files", what=kind, detail=f"{size / 1e6:.3g} MB, each with its SHA-256")


def _detail(link: Link) -> str:
    """What of the command tells most."""
    manifest = link.manifest
    match manifest:
        case Manifest():
            return f"{manifest.corpus.title}, {manifest.counters.get('parquet_rows', 0)} rows, backend {manifest.backend.name}"
        case TrainManifest():
            return f"{manifest.train.model_id}, {manifest.train.model}, {manifest.train.status}"
        case EvaluateManifest():
            return f"{manifest.evaluate.model_id}, {manifest.evaluate.rows} rows"
        case PredictManifest():
            return f"scores of {manifest.model_id}"
    rows = next((a.rows for a in manifest.artefacts.values() if a.rows is not None), None)
    return "" if rows is None else f"{rows} rows"
