"""Croissant 1.1 (MLCommons): a table described in JSON-LD, every file with its SHA-256, every column with type and unit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from corekit.exports.base import ExportFormat, ExportSource
from corekit.manifest import Manifest, PathRecord
from corekit.model import Column, ColumnType

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_TYPES: dict[ColumnType, str] = {"str": "sc:Text", "int": "sc:Integer", "float": "sc:Float", "bool": "sc:Boolean"}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the specification, with the prefix of PROV beside it."""


class CroissantOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of ``croissant``."""

    name: str = ""
    """Name of the dataset; empty takes that of the table."""
    url: str = ""
    """Home page; empty takes that of the corpus."""


def _write(source: ExportSource, file: BinaryIO, options: CroissantOptions) -> int:
    manifest = source.manifest
    corpus = manifest.corpus if isinstance(manifest, Manifest) else None
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": options.name or source.path.stem,
        "description": _description(source),
        "version": "1.0.0",
    }
    if manifest is not None:
        document["datePublished"] = manifest.created
        document["prov:wasGeneratedBy"] = f"corekit {manifest.code.corekit}"
    url = options.url or (corpus.homepage if corpus else "")
    if url:
        document["url"] = url
    if corpus is not None:
        document["license"] = corpus.treat_as
        document["citeAs"] = f"{corpus.title}, {corpus.version}, {corpus.homepage}"
    document["distribution"] = list(_files(source))
    document["recordSet"] = [
        {
            "@type": "cr:RecordSet",
            "@id": "rows",
            "name": "rows",
            "description": f"A row per {source.kind}.",
            "field": [_field(column) for column in source.columns],
        }
    ]
    file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return sum(batch.num_rows for batch in source.batches())


def _description(source: ExportSource) -> str:
    manifest = source.manifest
    if isinstance(manifest, Manifest):
        return f"Labels, metadata and video-quality features of {manifest.corpus.title}. {' '.join(manifest.corpus.notes)}".strip()
    return f"A table of video clips, a row per {source.kind}, with labels and video-quality features."


def _files(source: ExportSource) -> Iterator[dict[str, Any]]:
    """The table, its manifest, and every file that it was made from."""
    yield _file("table", source.path.name, _from_out(source, source.path), "application/x-parquet", source.sha256)
    if source.manifest is None or source.manifest_file is None:
        return
    from corekit.files import sha256_file

    manifest = source.manifest_file
    yield _file("manifest", manifest.name, _from_out(source, manifest), "application/json", sha256_file(manifest))
    for kind, records in source.manifest.run_provenance.inputs.items():
        files = [record for record in (records if isinstance(records, list) else [records]) if record.kind == "file"]
        for number, record in enumerate(files):
            yield _input(kind, number, record)


def _from_out(source: ExportSource, path: Any) -> str:
    return os.path.relpath(path, source.out.parent)


def _input(kind: str, number: int, record: PathRecord) -> dict[str, Any]:
    """An input under its path below its root: it is named and hashed, not part of what is distributed."""
    path = record.path.partition("}/")[2] or record.path
    encoding = "video" if kind == "clips" else "application/octet-stream"
    entry = _file(f"{kind}-{number}", path, path, encoding, record.sha256 or "")
    return {**entry, "description": f"input ({kind}), below the root {record.path.partition('}')[0].lstrip('{')}"}


def _file(identity: str, name: str, url: str, encoding: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": identity,
        "name": name,
        "contentUrl": url,
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def _field(column: Column) -> dict[str, Any]:
    unit = f" Unit: {column.unit}." if column.unit else ""
    described = column.description or f"column {column.name}"
    return {
        "@type": "cr:Field",
        "@id": f"rows/{column.name}",
        "name": column.name,
        "description": f"{described[0].upper()}{described[1:]}.{unit}",
        "dataType": _TYPES[column.type],
        "source": {"fileObject": {"@id": "table"}, "extract": {"column": column.name}},
    }


CROISSANT = ExportFormat(
    name="croissant",
    title="Croissant 1.1 JSON-LD, for dataset search and ML loaders",
    suffix=".croissant.json",
    write=_write,
    kinds=("clip", "frame"),
    options=CroissantOptions,
)
