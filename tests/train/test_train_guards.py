"""What a training must notice by itself: figures, tables and columns that look right and are not."""

from __future__ import annotations

from pathlib import Path

from corekit import train
from tests.train.clips import options, write_table


def test_folds_whose_mapping_is_a_line_are_counted(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.parquet", contents=5)
    notes = train(options(table, protocol="loso")).report.notes
    assert "the mapping is linear in 5 of 5 folds, where logistic4 did not hold" in notes
    notes = train(options(table, protocol="loso", mapping="linear")).report.notes
    assert not [note for note in notes if "mapping" in note]
