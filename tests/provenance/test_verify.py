"""Verification names every byte that is not as recorded: in an artefact, an input, a parent or the manifest itself."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corekit import EnrichOptions, UsageError, enrich
from corekit.driver.chain import Places
from corekit.driver.verify import Check, Inputs, VerifyOptions, verify
from corekit.manifest import read_manifest, seal_holds
from tests.provenance.chain import Chain


def failed(*paths: Path, inputs: Inputs = "all", **places: object) -> list[Check]:
    report = verify(VerifyOptions(paths=paths, inputs=inputs, places=Places(**places)))  # type: ignore[arg-type]
    found = [check for check in report.checks if check.failed]
    assert report.ok == (not found)
    return found


def flip(path: Path, at: int = 100) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_everything_holds_at_another_path(chain: Chain) -> None:
    report = verify(VerifyOptions(paths=(chain.model,), inputs="all"))
    assert report.ok and report.counts() == {"ok": len(report.checks)}
    kinds = {check.what for check in report.checks}
    assert kinds == {"manifest", "artefact", "parent", "input labels", "input clips", "input metadata"}
    assert sum(check.what == "input clips" for check in report.checks) == 28
    assert sum(check.what == "manifest" for check in report.checks) == 4


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("out/model/model.onnx", "artefact"),
        ("out/model/card.md", "artefact"),
        ("out/merged.parquet", "parent"),
        ("out/enriched.parquet", "parent"),
        ("out/chug.parquet", "parent"),
        ("out/chug.frames.parquet", "artefact"),
        ("demo/chug.csv", "input labels"),
        ("notes.csv", "input metadata"),
    ],
)
def test_a_flipped_bit_is_found_from_the_model(chain: Chain, name: str, what: str) -> None:
    flip(chain.folder / name)
    found = failed(chain.model, inputs="labels")
    assert {(check.state, check.path) for check in found} == {("changed", str(chain.folder / name))}
    assert what in {check.what for check in found}


def test_a_flipped_bit_of_a_clip(chain: Chain) -> None:
    clip = chain.clips()[3]
    flip(clip, -20)
    assert [check.path for check in failed(chain.model)] == [str(clip)]
    assert failed(chain.model, inputs="labels") == []


def test_a_missing_and_a_moved_clip(chain: Chain, tmp_path: Path) -> None:
    clip = chain.clips()[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    clip.rename(elsewhere / "renamed.mp4")
    assert [(check.state, check.path) for check in failed(chain.table)] == [("missing", str(clip))]
    report = verify(VerifyOptions(paths=(chain.table,), inputs="all", places=Places(search=(elsewhere,))))
    moved = [check for check in report.checks if check.state == "moved"]
    assert report.ok and [(check.path, check.detail) for check in moved] == [
        (str(clip), str(elsewhere / "renamed.mp4"))
    ]


def test_a_corpus_elsewhere_is_named_by_its_root(chain: Chain, tmp_path: Path) -> None:
    chain.corpus.rename(tmp_path / "corpus")
    found = failed(chain.table)
    assert {check.state for check in found} == {"missing"} and len(found) == 29
    assert failed(chain.table, roots={"corpus": tmp_path / "corpus"}) == []


@pytest.mark.parametrize("change", ["value", "space", "label"])
def test_an_edited_manifest_is_caught(chain: Chain, change: str) -> None:
    text = chain.manifest.read_text()
    edited = {
        "value": text.replace('"parquet_rows": 24', '"parquet_rows": 23'),
        "space": text + " ",
        "label": text.replace("chug-hdr-v1", "chug-hdr-v2"),
    }[change]
    assert edited != text
    chain.manifest.write_text(edited)
    assert [(c.state, c.detail) for c in failed(chain.table)] == [
        ("changed", "it was edited: its digest of itself does not hold")
    ]


def test_an_edited_manifest_that_was_sealed_again_shows_from_its_children(chain: Chain) -> None:
    import hashlib

    text = chain.manifest.read_text().replace('"parquet_rows": 24', '"parquet_rows": 23')
    old = json.loads(text)["self_sha256"]
    unsealed = text.replace(old, "0" * 64)
    chain.manifest.write_text(text.replace(old, hashlib.sha256(unsealed.encode()).hexdigest()))
    assert seal_holds(chain.manifest.read_bytes()) is True
    assert failed(chain.table) == []
    assert [(c.state, c.what, c.detail) for c in failed(chain.enriched)] == [
        (
            "missing",
            "parent manifest",
            "chug.manifest.json is not the one that was recorded: it was edited or written anew",
        )
    ]


def test_a_table_that_was_written_anew_with_the_same_values_is_changed(chain: Chain) -> None:
    data = pq.read_table(chain.merged)
    pq.write_table(data, chain.merged, compression="snappy")
    found = failed(chain.merged)
    assert [(check.state, check.what) for check in found] == [("changed", "artefact")]


def test_an_in_place_enrichment_keeps_its_chain(chain: Chain) -> None:
    before = chain.manifest.read_bytes()
    sidecar = chain.folder / "notes.csv"
    enrich(EnrichOptions(table=chain.table, metadata=sidecar, keys=("x_note",)))
    assert chain.manifest.read_bytes() != before
    report = verify(VerifyOptions(paths=(chain.table,)))
    assert report.ok
    assert {check.what for check in report.checks if check.state == "replaced"} == {"parent", "artefact"}
    assert sum(check.what == "manifest" for check in report.checks) == 2


def test_what_has_no_manifest(chain: Chain, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.parquet"
    lonely.write_bytes(chain.table.read_bytes())
    with pytest.raises(UsageError, match="no manifest lies beside it, so nothing says what it should be"):
        verify(VerifyOptions(paths=(lonely,)))
    with pytest.raises(UsageError, match="does not exist; name a manifest, or a table or model with one beside it"):
        verify(VerifyOptions(paths=(tmp_path / "none.parquet",)))
    chain.manifest.write_text("{")
    assert failed(chain.table)[0].state == "changed"


def test_a_manifest_holds_no_path_of_the_machine(made: Chain) -> None:
    for path in made.folder.rglob("*.manifest.json"):
        text = path.read_text()
        assert str(made.folder) not in text, path
        assert str(Path.home()) + "/" not in text, path
        manifest = read_manifest(path)
        assert manifest.environment.host is None and manifest.environment.user is None
        assert manifest.roots["output"] == "."


def test_of_the_environment_only_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.driver.provenance import environment_record

    monkeypatch.setenv("COREKIT_KONVID_ROOT", "/home/somebody/konvid")
    monkeypatch.setenv("COREKIT_DISABLE", "netflix")
    assert environment_record("cpu").variables == {"COREKIT_DISABLE": "netflix"}
    named = environment_record("cpu", record_host=True)
    assert named.host and named.user


def test_a_version_1_manifest_is_read_and_said_to_be_unsealed(chain: Chain) -> None:
    document = json.loads(chain.manifest.read_text())
    document["schema"] = "corekit-manifest-1"
    for name in ("self_sha256", "roots"):
        del document[name]
    chain.manifest.write_text(json.dumps(document))
    report = verify(VerifyOptions(paths=(chain.table,), inputs="none"))
    assert report.ok and report.checks[0].detail == "version 1 carries no digest of itself"
