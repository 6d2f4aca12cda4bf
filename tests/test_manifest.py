"""The manifest: strict JSON, a published JSON Schema that real ones keep, and reading one back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import msgspec
import pytest

from corekit.errors import IntegrityError
from corekit.manifest import (
    Artefact,
    BackendRecord,
    CodeRecord,
    ColumnRecord,
    CorpusRecord,
    EnvironmentRecord,
    FailureRecord,
    Manifest,
    NullRecord,
    PathRecord,
    PluginRecord,
    RunProvenance,
    TableRecord,
    TimingRecord,
    encode_manifest,
    manifest_json_schema,
    manifest_path,
    read_manifest,
)
from corekit.model import Licence

PUBLISHED = Path(__file__).parents[1] / "docs" / "manifest-2.schema.json"

FILE = PathRecord(path="chug.csv", exists=True, kind="file", sha256="a" * 64, size_bytes=3)
MANIFEST = Manifest(
    run_id="r",
    created="2026-01-01T00:00:00+00:00",
    run_provenance=RunProvenance(
        entrypoint=FILE,
        argv=["run", "--corpus", "chug"],
        args={"corpus": "chug", "limit": None},
        inputs={
            "root": PathRecord(path="chug", exists=True, kind="directory"),
            "clips": [FILE, PathRecord(path="gone.mp4", exists=False, kind="missing")],
        },
        outputs={"table": FILE},
    ),
    artefacts={
        "table": Artefact(
            file="t.parquet", kind="clip-table", rows=1, size_bytes=9, sha256="b" * 64, logical_sha256="c" * 64
        )
    },
    table=TableRecord(
        schema_version=3,
        schema_fingerprint="d" * 64,
        feature_order=["adm2", "vmaf"],
        columns=[ColumnRecord("schema_version", "int")],
    ),
    corpus=CorpusRecord(
        name="chug",
        title="CHUG",
        version="1",
        homepage="https://example.org",
        licences=[Licence("CC BY-NC 4.0", "README")],
        treat_as="CC BY-NC-SA 4.0",
        notes=["noted"],
    ),
    backend=BackendRecord(name="libvmaf", identity={"class": "libvmaf"}, versions=[{"libvmaf": "3.2.0"}]),
    code=CodeRecord(
        corekit="0.1.0",
        python="3.11.0",
        packages={"numpy": "2"},
        plugins=[PluginRecord(kind="corpus", name="chug", distribution="d", version="1", module="m")],
        git_commit=None,
        git_dirty=None,
    ),
    environment=EnvironmentRecord(
        platform="Linux", machine="x86_64", cpu="c", cpu_count=2, device="cpu", source_date_epoch=None
    ),
    features=["adm2"],
    options={"identity": "null", "ratio": math.nan},
    clip_options={"cambi_eotf": {"pq": 1}},
    counters={"ok": 1},
    splits={"train": {"contents": 1, "rows": 1}},
    nulls={"vmaf": [NullRecord("not asked for", 1)]},
    clip_notes={"a.mp4": ["variable frame rate"]},
    missing=["gone.mp4"],
    failures=[
        FailureRecord(
            clip_name="b.mp4", path="b.mp4", content="b", origin="chug.csv:3", stage="open", message="m", attempts=2
        )
    ],
    timings=TimingRecord(started="s", finished="f", wall_s=1.5, measuring_s=2.5),
    sections={"chug": {"rungs": {"360p": 1}}},
)


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no strict JSON")


def strict(content: bytes) -> Any:
    return json.loads(content, parse_constant=refuse_constant)


def validator() -> Any:
    schema = strict(PUBLISHED.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_the_generated_one() -> None:
    assert PUBLISHED.read_bytes() == manifest_json_schema(), "run `make docs`"


def test_a_manifest_keeps_the_published_schema() -> None:
    validator().validate(strict(encode_manifest(MANIFEST)))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda m: m.pop("artefacts"),
        lambda m: m.update(schema="corekit-manifest-3"),
        lambda m: m["artefacts"]["table"].update(rows="1"),
        lambda m: m["run_provenance"].update(schema="other"),
        lambda m: m["run_provenance"]["inputs"]["root"].update(kind="socket"),
        lambda m: m["failures"][0].pop("message"),
    ],
)
def test_the_published_schema_refuses_what_is_no_manifest(break_it: Any) -> None:
    document = strict(encode_manifest(MANIFEST))
    break_it(document)
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)


def test_it_is_strict_json_in_the_order_of_the_structs() -> None:
    content = encode_manifest(MANIFEST)
    document = strict(content)
    assert list(document) == ["command", *(field.encode_name for field in msgspec.structs.fields(Manifest))]
    assert document["options"]["ratio"] is None
    assert content.startswith(b'{\n  "command": "run",\n  "schema": "corekit-manifest-2",\n')
    assert content.endswith(b"}\n")


def test_run_provenance_has_the_shape_that_its_readers_know() -> None:
    provenance = strict(encode_manifest(MANIFEST))["run_provenance"]
    assert list(provenance) == ["schema", "entrypoint", "argv", "args", "inputs", "outputs"]
    assert provenance["schema"] == "ai-run-provenance-v1"
    assert provenance["inputs"]["root"] == {
        "path": "chug", "exists": True, "kind": "directory", "sha256": None, "size_bytes": None,
    }  # fmt: skip


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "t.manifest.json"
    manifest = msgspec.structs.replace(MANIFEST, options={"identity": "null"})
    path.write_bytes(encode_manifest(manifest))
    assert read_manifest(str(path)) == manifest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{}", "Object missing required field `command`"),
        (b"{", "Input data was truncated"),
        (
            b'{"command": "run", "schema": "corekit-manifest-3"}',
            "Invalid enum value 'corekit-manifest-3' - at `$.schema`",
        ),
        (b"", "Input data was truncated"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "t.manifest.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        read_manifest(path)
    assert str(caught.value) == (
        f"{path} is not a corekit-manifest-2 manifest ({reason}); write it again with the command that made it"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"schema": "\xff"}', b"PAR1" * 9])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.manifest.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="is not a corekit-manifest-2 manifest"):
        read_manifest(path)


def test_a_manifest_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"is not a corekit-manifest-2 manifest .*No such file"):
        read_manifest(tmp_path / "none.json")


def test_it_lies_beside_its_table() -> None:
    assert manifest_path(Path("out/chug.parquet")) == Path("out/chug.manifest.json")
