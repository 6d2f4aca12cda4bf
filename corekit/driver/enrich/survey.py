"""The first pass over a table: what would change, what has no metadata, and what forbids the change. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corekit.driver.enrich.cells import Filled, Filler, cells
from corekit.driver.enrich.metadata import SCOPE, Metadata
from corekit.driver.enrich.options import EnrichOptions
from corekit.driver.enrich.report import MOST_CELLS, CellChange
from corekit.driver.enrich.splits import SPLIT, SplitCheck
from corekit.errors import CorpusError, UsageError
from corekit.manifest import ConflictRecord
from corekit.table import read_batches

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 17
_MOST_MISSING = 20


class Survey:
    """Counts over all rows of a table."""

    def __init__(self, options: EnrichOptions, metadata: Metadata, *, named_by: str) -> None:
        import numpy as np

        self._options = options
        self._named_by = named_by
        self._used = np.zeros(len(metadata.names), dtype=bool)
        self._labels: Counter[str] = Counter()
        self._splits = SplitCheck()
        self.rows = 0
        self.matched = 0
        self.changed: Counter[str] = Counter()
        self.derived = 0
        self.missing: dict[str, None] = {}
        self.cells: list[CellChange] = []

    @property
    def unused(self) -> int:
        """Clips of the metadata that the table does not have."""
        return int((~self._used).sum())

    def see(self, batch: pa.Table, new: Filled) -> None:
        """Take some rows, in order."""
        import pyarrow.compute as pc

        if self._options.dry_run and len(self.cells) < MOST_CELLS:
            self.cells += self._changes(batch, new)[: MOST_CELLS - len(self.cells)]
        self.rows += batch.num_rows
        self.matched += batch.num_rows - new.at.null_count
        self._used[new.at.drop_null().to_numpy()] = True
        if len(self.missing) < _MOST_MISSING and new.at.null_count:
            names = cells(batch, self._named_by, None).filter(pc.is_null(new.at)).unique().to_pylist()
            self.missing |= dict.fromkeys([str(name) for name in names[:_MOST_MISSING]])
        for column, change in new.changed.items():
            self.changed[column] += pc.sum(change).as_py() or 0
        for label in self._options.allow_labels:
            if label in batch.column_names:
                column = batch.column(label)
                self._labels[label] += len(column) - (pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)
        if new.derived is not None:
            self.derived += pc.sum(new.derived).as_py() or 0
            self._splits.see(new.contents, new.columns[SPLIT], new.derived, new.given)

    def check(self, source: str) -> None:
        """Refuse what must not be written.

        Raises
        ------
        CorpusError
            No row found metadata.
        UsageError
            Too few rows did, a label column has values, or a content would stand in two splits.
        """
        table, options = self._options.table, self._options
        if not self.matched:
            raise CorpusError(
                f"none of the {self.rows} rows of {table} is a clip of {source}{self._such_as()}; check that the two belong "
                "together, and try --key NAME or --normalize stem"
            )
        if self.matched < options.min_coverage * self.rows:
            raise UsageError(
                f"{source} has metadata for {self.matched} of the {self.rows} rows of {table}, "
                f"{self.matched / self.rows:.3g} of them and less than --min-coverage {options.min_coverage:g}"
                f"{self._such_as()}; complete it, or lower --min-coverage"
            )
        for label, count in self._labels.items():
            if count:
                raise UsageError(
                    f"--allow-labels {label}: {table} has {count} values there; only a wholly empty column can be filled"
                )
        if torn := self._splits.torn():
            if not torn.given:
                remedies = "give the --split-seed of the splits that are there, "
            else:
                remedies = f"the corpus prescribes one of them: correct the split in {source} or in the table, "
            if not options.overwrite_metadata:
                remedies += "derive all anew with --overwrite-metadata, "
            raise UsageError(
                f"content {torn.content.rpartition(SCOPE)[2]!r} of {table} would stand in the splits {' and '.join(torn.splits)}; {remedies}or "
                "leave them all with --no-split"
            )

    def _such_as(self) -> str:
        return f" (without: {', '.join(list(self.missing)[:3])})" if self.missing else ""

    def _changes(self, batch: pa.Table, new: Filled) -> list[CellChange]:
        import numpy as np

        found: list[tuple[int, int, CellChange]] = []
        names = batch.column(self._named_by)
        for order, (column, change) in enumerate(new.changed.items()):
            at = np.flatnonzero(change.to_numpy(zero_copy_only=False))[: MOST_CELLS - len(self.cells)]
            after = new.columns[column].take(at).to_pylist()
            before = self._before(batch, column, at)
            clips = names.take(at).to_pylist()
            for row, clip, old, value in zip(at.tolist(), clips, before, after, strict=True):
                cell = CellChange(row=self.rows + row, clip_name=clip, column=column, before=old, after=value)
                found.append((row, order, cell))
        return [cell for _, _, cell in sorted(found, key=lambda entry: entry[:2])]

    def _before(self, batch: pa.Table, column: str, at: Any) -> list[Any]:
        if column not in batch.column_names:
            return [None] * len(at)
        values = batch.column(column).take(at).to_pylist()
        return [None if value != value else value for value in values]


def survey(options: EnrichOptions, filler: Filler, metadata: Metadata, *, named_by: str) -> Survey:
    """Go over the columns of the table that decide."""
    result = Survey(options, metadata, named_by=named_by)
    for batch in read_batches(options.table, filler.reads, rows=ROWS):
        result.see(batch, filler.fill(batch))
    return result


def shared_stems(
    table: Path, filler: Filler, columns: Sequence[str], named_by: str
) -> list[tuple[int, ConflictRecord]]:
    """Rows of the metadata that several clips of the table would take because their stems are the same."""
    import pyarrow as pa

    names: dict[int, dict[str, None]] = {}
    for batch in read_batches(table, columns, rows=ROWS):
        pairs = pa.table({"at": filler.match(batch), "name": cells(batch, named_by, None)})
        distinct = pairs.group_by(["at", "name"]).aggregate([])
        for at, name in zip(distinct["at"].to_pylist(), distinct["name"].to_pylist(), strict=True):
            if at is not None:
                names.setdefault(at, {})[name] = None
    return [
        (at, ConflictRecord(clip_name=min(clips), where=sorted(clips), columns=[]))
        for at, clips in sorted(names.items())
        if len(clips) > 1
    ]
