"""What a merge finds where it writes: a manifest of other files, a file that is no manifest, a list that is not its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit.errors import UsageError
from tests.merge.rows import encode_row, merged, own_row, write_jsonl, write_parquet


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "a.jsonl", [encode_row(), encode_row()])


def test_the_manifest_of_another_table_is_not_replaced(rows: Path, tmp_path: Path) -> None:
    merged(tmp_path / "o.parquet", write_parquet(tmp_path / "b.parquet", [own_row("b", 5.0)]))
    before = (tmp_path / "o.manifest.json").read_bytes()
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "o.jsonl", rows)
    assert str(caught.value) == (
        f"--out {tmp_path / 'o.jsonl'}: {tmp_path / 'o.manifest.json'} tells how o.parquet was made, and would be lost; "
        "choose another name"
    )
    assert (tmp_path / "o.manifest.json").read_bytes() == before
    assert not (tmp_path / "o.jsonl").exists()
    merged(tmp_path / "o.jsonl", rows, manifest_out=tmp_path / "o.jsonl.manifest.json")
    merged(tmp_path / "o.jsonl", rows, manifest_out=tmp_path / "o.jsonl.manifest.json")
    (tmp_path / "o.parquet").unlink()
    merged(tmp_path / "o.jsonl", rows)


def test_a_manifest_elsewhere_still_speaks_of_its_table(rows: Path, tmp_path: Path) -> None:
    for name in "xy":
        (tmp_path / name).mkdir()
    moved = tmp_path / "m.manifest.json"
    for _ in range(2):
        merged(tmp_path / "x" / "o.parquet", rows, manifest_out=moved)
    with pytest.raises(UsageError, match=r"--manifest-out .*m\.manifest\.json: .* tells how o\.parquet was made"):
        merged(tmp_path / "y" / "o.parquet", rows, manifest_out=moved)


def test_a_file_that_is_no_manifest_is_not_replaced(rows: Path, tmp_path: Path) -> None:
    other = write_parquet(tmp_path / "b.parquet", [own_row("b", 5.0)])
    before = other.read_bytes()
    with pytest.raises(
        UsageError, match=r"--manifest-out .*b\.parquet is no manifest that can be read, and would be lost"
    ):
        merged(tmp_path / "o.parquet", rows, manifest_out=other)
    assert other.read_bytes() == before


def test_a_list_that_no_merge_wrote_stays(rows: Path, tmp_path: Path) -> None:
    listed = tmp_path / "o.duplicates.jsonl"
    listed.write_text("mine\n")
    merged(tmp_path / "o.parquet", rows)
    merged(tmp_path / "o.parquet", rows)
    assert listed.read_text() == "mine\n"
    listed.unlink()
    merged(tmp_path / "o.parquet", rows, report_duplicates=True)
    merged(tmp_path / "o.parquet", rows)
    assert not listed.exists()
