"""Files around a merge: what names inputs, what is written and what a crash, a lock or a stale manifest does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from corekit.driver.merge import InputPath, MergeOptions, merge
from corekit.driver.merge.options import Scale
from corekit.driver.merge.source import Source
from corekit.driver.merge.unify import unify
from corekit.errors import IntegrityError, LockedError, UsageError
from corekit.files import locked, sha256_file, temporary_beside
from corekit.manifest import MergeManifest, read_manifest
from corekit.model import Column
from tests.command import corekit
from tests.merge.rows import encode_row, frame_rows, merged, own_row, write_jsonl, write_parquet

_MERGE = "from corekit.cli.main import main; main()"


def test_the_manifest_says_what_was_made_of_what(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0), own_row("b", 5.0)])
    second = write_jsonl(tmp_path / "b.jsonl", [encode_row()])
    _, result = merged(tmp_path / "o.parquet", first, f"ours={second}")
    manifest = read_manifest(tmp_path / "o.manifest.json")
    assert isinstance(manifest, MergeManifest)
    assert manifest.artefacts == result.manifest.artefacts
    assert manifest.merge.inputs == result.manifest.merge.inputs
    assert manifest.artefacts["table"].sha256 == sha256_file(tmp_path / "o.parquet")
    assert [parent.sha256 for parent in manifest.parents] == [sha256_file(first), sha256_file(second)]
    assert [(given.label, given.rows, given.rows_kept) for given in manifest.merge.inputs] == [
        ("a.parquet", 2, 2),
        ("ours", 1, 1),
    ]
    assert manifest.merge.corpora == {"": 1, "hours": 2}
    assert [column.name for column in manifest.table.columns] == pq.read_schema(tmp_path / "o.parquet").names
    assert manifest.run_provenance.entrypoint.sha256


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0), own_row("b", 5.0)])
    _, first = merged(tmp_path / "o.parquet", path)
    _, second = merged(tmp_path / "p.parquet", path)
    assert first.manifest.artefacts["table"].sha256 == second.manifest.artefacts["table"].sha256


def test_merging_a_merged_table_again_changes_nothing(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0), own_row("b", 6.0)])
    once, first = merged(tmp_path / "o.parquet", path, scale="0-100")
    again, second = merged(tmp_path / "p.parquet", tmp_path / "o.manifest.json", scale="0-100")
    assert once == again
    assert first.manifest.artefacts["table"].logical_sha256 == second.manifest.artefacts["table"].logical_sha256
    assert second.manifest.merge.inputs[0].manifest == "current"


def test_manifests_that_are_stale_missing_or_damaged_are_said_so(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    table = tmp_path / "o.parquet"
    merged(table, path)
    write_parquet(table, [own_row("b", 5.0)])
    broken = write_parquet(tmp_path / "c.parquet", [own_row("c", 5.0)])
    (tmp_path / "c.manifest.json").write_text("{}")
    _, result = merged(tmp_path / "p.parquet", table, path, broken)
    assert [given.manifest for given in result.manifest.merge.inputs] == ["stale", "missing", "unreadable"]
    assert result.manifest.merge.notes == [
        f"the manifest beside {table} speaks of other bytes than those of the file",
        f"no manifest lies beside {path}",
        f"the manifest beside {broken} cannot be read",
    ]


def test_a_list_names_inputs_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    write_parquet(tmp_path / "parts" / "a.parquet", frame_rows(corpus=None))
    (tmp_path / "parts" / "list.txt").write_text("# shards\n\ntoy=a.parquet\n")
    rows, _ = merged(tmp_path / "o.parquet", input_list=tmp_path / "parts" / "list.txt")
    assert {row["corpus"] for row in rows} == {"toy"}


def test_path_and_label_may_be_given_apart(tmp_path: Path) -> None:
    (tmp_path / "x=y").mkdir()
    odd = write_parquet(tmp_path / "x=y" / "my part=1.parquet", frame_rows(corpus=None))
    plain = write_parquet(tmp_path / "b.parquet", frame_rows("b"))
    options = MergeOptions(inputs=(InputPath.of(odd, "a corpus=1"), InputPath.of(plain)), out=tmp_path / "o.parquet")
    result = merge(msgspec.convert(msgspec.structs.asdict(options), MergeOptions))  # as a replay makes them
    assert [given.label for given in result.manifest.merge.inputs] == ["a corpus=1", "b.parquet"]
    assert result.manifest.merge.corpora == {"a corpus=1": 3, "toy": 3}


def test_what_names_nothing_to_merge(tmp_path: Path) -> None:
    empty = tmp_path / "list.txt"
    empty.write_text("# none\n")
    cases = {
        (): "nothing to merge; name tables as LABEL=PATH or PATH, or give --inputs FILE",
        (
            str(tmp_path / "x.parquet"),
        ): f"{tmp_path / 'x.parquet'} does not exist; name a table, a JSONL file or a manifest",
        (str(tmp_path),): f"{tmp_path} is a folder; name a table, a JSONL file or a manifest",
        (str(empty),): f"{empty} is no Parquet table that can be read; name another, or leave it out",
    }
    for inputs, message in cases.items():
        with pytest.raises(UsageError) as caught:
            merge(MergeOptions(inputs=inputs, out=tmp_path / "o.parquet"))
        assert str(caught.value) == message


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    (tmp_path / "link.parquet").symlink_to(path)
    before = path.read_bytes()
    for out in (path, tmp_path / "link.parquet"):
        with pytest.raises(UsageError, match="is an input, and this command would write over it; choose another name"):
            merged(out, path)
    assert path.read_bytes() == before


def test_an_unknown_key_or_source_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [encode_row()])
    with pytest.raises(UsageError, match="--dedup-key: no input has a column nope; give names among"):
        merged(tmp_path / "o.parquet", path, dedup_key=("src_sha256", "nope"))
    with pytest.raises(UsageError, match=r"--corpus-source x=lsvq: no such input; give one of .*a\.jsonl"):
        merged(tmp_path / "o.parquet", path, corpus_sources={"x": "lsvq"})


def test_a_second_merge_of_one_output_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    with locked(tmp_path / "o.parquet"), pytest.raises(LockedError, match="is being written by process"):
        merged(tmp_path / "o.parquet", path)


def test_an_input_that_changes_meanwhile_is_an_integrity_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])

    def change(sources: Sequence[Source], scale: Scale) -> list[Column]:
        os.utime(path, (1, 1))
        return unify(sources, scale)

    monkeypatch.setattr("corekit.driver.merge.assemble.unify", change)
    with pytest.raises(IntegrityError) as caught:
        merged(tmp_path / "o.parquet", path)
    assert str(caught.value) == f"{path} was changed while it was read; run the same command again"
    assert [found.name for found in tmp_path.iterdir()] == ["a.parquet"]


def test_a_crash_between_manifest_and_table_is_finished_by_the_next_start(tmp_path: Path) -> None:
    table = tmp_path / "o.parquet"
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    merged(table, path)
    whole = table.read_bytes()
    table.rename(temporary_beside(table))
    with pytest.raises(UsageError):
        merge(MergeOptions(inputs=("nothing.parquet",), out=table))
    assert table.read_bytes() == whole
    temporary_beside(table).write_bytes(b"half")
    with pytest.raises(UsageError):
        merge(MergeOptions(inputs=("nothing.parquet",), out=table))
    assert table.read_bytes() == whole
    assert not temporary_beside(table).exists()


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_table(tmp_path: Path) -> None:
    table = tmp_path / "o.parquet"
    small = write_parquet(tmp_path / "a.parquet", frame_rows())
    big = write_parquet(tmp_path / "b.parquet", frame_rows("b", 60000))
    merged(table, small)
    old = table.read_bytes()
    for moment in (0.4, 0.6, 0.8, 1.0, 1.3, 1.7):
        command = [sys.executable, "-c", _MERGE, "merge", str(small), str(big), "--out", str(table)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert table.read_bytes() == old or pq.read_metadata(table).num_rows == 60003
    rows, result = merged(table, small, big)
    assert len(rows) == 60003
    assert result.manifest.artefacts["table"].sha256 == sha256_file(table)
    assert not [found.name for found in tmp_path.iterdir() if found.name.startswith(".")]


def test_a_list_of_duplicates_goes_with_the_table_it_belonged_to(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [encode_row(), encode_row()])
    _, result = merged(tmp_path / "o.parquet", path, report_duplicates=True)
    listed = tmp_path / "o.duplicates.jsonl"
    assert result.manifest.artefacts["duplicates"].sha256 == sha256_file(listed)
    merged(tmp_path / "o.parquet", path)
    assert not listed.exists()


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [encode_row(), encode_row(vmaf_score=1.0)])
    done = corekit("merge", "a.jsonl", "--out", "o.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "a.jsonl: 2 rows, 1 kept, without 26 features (the manifest lists them)\n"
        "dropped: 1 (equal key, the first stays)\n"
        "of these differ: 1 (vmaf_score 1)\n"
        f"1 rows: {tmp_path / 'o.parquet'}\n"
    )
    assert done.stderr == "corekit: no manifest lies beside a.jsonl\n"
    done = corekit("merge", "a.jsonl", "--out", "o.parquet", "--json", "--dedup-key", "run_id, crf", cwd=tmp_path)
    assert msgspec.json.decode(done.stdout)["merge"]["dedup_key"] == ["run_id", "crf"]


def test_the_command_refuses_in_one_sentence(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [encode_row(crf="x")])
    done = corekit("merge", "a.jsonl", "--out", "o.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "corekit: a.jsonl:1: crf is 'x', and its column holds whole numbers; correct it\n"
    done = corekit("merge", "a.jsonl", "--out", "o.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "corekit: --out o.csv: give a name that ends in .parquet or .jsonl\n")
