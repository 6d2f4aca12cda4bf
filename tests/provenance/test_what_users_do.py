"""Paths, names, archives and folders as users have them: nothing intact is called changed, nothing changed passes, nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corekit import ExportOptions, MergeOptions, UsageError, export, merge, read_table
from corekit.driver.chain import DAMAGED, Places, open_link, sha256_at
from corekit.driver.lineage import lineage
from corekit.driver.parents import look_at
from corekit.driver.replay import ReplayOptions, replay
from corekit.driver.verify import VerifyOptions, verify
from corekit.manifest import read_manifest
from tests.provenance.chain import Chain


def failed(path: Path) -> list[tuple[str, str]]:
    report = verify(VerifyOptions(paths=(path,), inputs="none", places=Places()))
    return [(check.state, check.what) for check in report.checks if check.failed]


def test_a_path_with_dots_names_the_same_table(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = chain.table.parent / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for path in (Path("../chug.parquet"), inside / ".." / "chug.frames.parquet", Path("../model")):
        assert failed(path) == []
    assert lineage(Path("../chug.frames.parquet"), Places()).name == "chug.frames.parquet"


def test_a_table_renamed_with_its_manifest_is_known_by_its_bytes(chain: Chain, tmp_path: Path) -> None:
    for name in ("chug.parquet", "chug.frames.parquet", "chug.manifest.json"):
        shutil.copy(chain.table.with_name(name), tmp_path / name.replace("chug", "mine"))
    report = verify(VerifyOptions(paths=(tmp_path / "mine.parquet",), inputs="none", places=Places(search=(tmp_path,))))
    assert {check.state for check in report.checks} == {"ok", "moved"}
    (parent,) = look_at([tmp_path / "mine.parquet"])
    assert parent.state == "current"


def test_a_root_of_one_corpus_does_not_hide_those_of_the_others(chain: Chain, tmp_path: Path) -> None:
    """As in a chain over two corpora: what is not under the folder that was given is where it was."""
    (tmp_path / "another").mkdir()
    places = Places(roots={"corpus": tmp_path / "another"})
    assert verify(VerifyOptions(paths=(chain.model,), inputs="all", places=places)).ok
    with pytest.raises(
        UsageError, match="--root corpsu=: no manifest here has a root of that name; they have corpus, "
    ):
        verify(VerifyOptions(paths=(chain.model,), inputs="all", places=Places(roots={"corpsu": tmp_path})))


@pytest.mark.parametrize("way", ["zeros", "no key", "compact"])
def test_a_manifest_without_its_digest_was_edited(chain: Chain, way: str) -> None:
    content = json.loads(chain.manifest.read_bytes())
    content["corpus"]["licences"] = []
    if way == "no key":
        del content["self_sha256"]
    elif way == "zeros":
        content["self_sha256"] = "0" * 64
    separators = (",", ":") if way == "compact" else None
    chain.manifest.write_text(json.dumps(content, indent=None if separators else 2, separators=separators))
    assert ("changed", "manifest") in failed(chain.table)
    report = replay(ReplayOptions(path=chain.table, sample=1, workers=1))
    assert report.result == "different"
    assert any("it was edited" in reason for reason in report.reasons)


def test_the_list_of_duplicates_has_the_manifest_of_its_merge(chain: Chain, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    merge(
        MergeOptions(
            inputs=(str(chain.table), str(chain.table.with_name("enriched.parquet"))), out=out, report_duplicates=True
        )
    )
    assert failed(tmp_path / "m.duplicates.jsonl") == []


def test_a_merge_is_replayed_whatever_its_inputs_are_called(chain: Chain, tmp_path: Path) -> None:
    inputs = [tmp_path / "my table.parquet", tmp_path / "x=y.parquet"]
    for path, clips in zip(inputs, (slice(0, 4), slice(4, 8)), strict=True):
        pq.write_table(pq.read_table(chain.table).slice(clips.start, 4), path)
    out = tmp_path / "out.parquet"
    merge(MergeOptions(inputs=tuple(str(path) for path in inputs), out=out))
    report = replay(ReplayOptions(path=out, workers=1))
    assert (report.result, report.reasons) == ("equal", [])


def test_a_damaged_member_of_an_archive_is_changed_not_a_crash(tmp_path: Path) -> None:
    archive = tmp_path / "Part 1.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.yuv", b"x" * 5000)
    whole = hashlib.sha256(b"x" * 5000).hexdigest()
    assert sha256_at(archive / "a.yuv") == whole
    content = bytearray(archive.read_bytes())
    content[2000] ^= 1
    archive.write_bytes(content)
    assert sha256_at(archive / "a.yuv") == DAMAGED
    assert sha256_at(archive / "b.yuv") is None


def test_a_parents_manifest_that_could_not_be_read_ends_nothing(chain: Chain, tmp_path: Path) -> None:
    shutil.copy(chain.table, tmp_path / "p.parquet")
    (tmp_path / "p.manifest.json").write_text("garbage")
    merge(MergeOptions(inputs=(str(tmp_path / "p.parquet"),), out=tmp_path / "out.parquet"))
    assert failed(tmp_path / "out.parquet") == [("changed", "parent manifest")]
    (parent, *_) = lineage(tmp_path / "out.parquet", Places()).made_from
    assert parent.detail == "its manifest cannot be read"


@pytest.mark.parametrize("name", ["chug.parquet", "chug.manifest.json", "chug.frames.parquet", "link.parquet"])
def test_an_export_takes_the_place_of_nothing_that_a_run_made(chain: Chain, name: str) -> None:
    out = chain.table.with_name(name)
    if name.startswith("link"):
        out.symlink_to(chain.table)
    before = out.read_bytes()
    with pytest.raises(UsageError, match=r"an input, .*; choose another name"):
        export(ExportOptions(table=chain.table.parent / "model" / ".." / "chug.parquet", to="csv", out=out))
    assert out.read_bytes() == before and failed(chain.table) == []


def test_the_default_name_of_an_export_is_not_that_of_the_runs_own_view(chain: Chain) -> None:
    content = json.loads(chain.manifest.read_bytes())
    view = dict(content["artefacts"]["table"], file="chug.jsonl", kind="v3-jsonl")
    content["artefacts"]["jsonl"] = view
    chain.manifest.write_text(json.dumps(content, indent=2))
    with pytest.raises(
        UsageError, match=r"chug\.jsonl was made together with chug\.parquet, an input, and would be lost"
    ):
        export(ExportOptions(table=chain.table, to="jsonl"))


def test_a_model_that_was_tampered_with_is_not_equal(chain: Chain) -> None:
    model = chain.model / "model.onnx"
    model.write_bytes(model.read_bytes() + b"x")
    report = replay(ReplayOptions(path=chain.model, workers=2))
    assert report.result == "different"
    (one,) = [one for one in report.artefacts if one.file == "model.onnx"]
    assert one.result == "different" and one.detail == "the recorded file is not the one that its manifest speaks of"


def test_a_table_that_cannot_be_read_is_different(chain: Chain) -> None:
    chain.merged.write_bytes(chain.merged.read_bytes()[:2000])
    report = replay(ReplayOptions(path=chain.merged, workers=1))
    assert report.result == "different"
    assert "is not a Parquet file" in report.artefacts[0].detail


def test_a_result_that_cannot_be_kept_is_still_told(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("corekit.driver.replay.job.write_atomic", refused)
    report = replay(ReplayOptions(path=chain.merged, workers=1))
    assert report.result == "equal"
    assert report.reasons[-1].endswith("merged.replay.json (Permission denied)")


def test_the_clips_that_a_run_was_limited_to_are_those_of_its_replay(chain: Chain, tmp_path: Path) -> None:
    from corekit import RunOptions, run

    names = read_table(chain.table).data.column("clip_name").to_pylist()[:2]
    out = tmp_path / "only.parquet"
    run(
        RunOptions(
            corpus="chug", root=chain.corpus, out=out, features="psnr_y", backend="cpu", workers=1, only=tuple(names)
        )
    )
    for sample in (None, 8):
        report = replay(ReplayOptions(path=out, workers=1, sample=sample))
        assert (report.result, report.artefacts[0].new_rows) == ("equal", [])


def test_a_manifest_from_the_root_of_the_file_system_holds_no_absolute_path(chain: Chain) -> None:
    before, out = Path.cwd(), chain.folder / "elsewhere" / "m.parquet"
    out.parent.mkdir()
    os.chdir("/")
    try:
        merge(MergeOptions(inputs=(str(chain.table),), out=out))
    finally:
        os.chdir(before)
    manifest = out.with_name("m.manifest.json")
    assert str(chain.folder) not in manifest.read_text()
    assert read_manifest(manifest).parents
    link = open_link(manifest, Places())
    assert link.parent_path(link.manifest.parents[0]) == chain.table or failed(out)
