"""What the manifest says of every input's rows, counted while they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from corekit.driver.merge.source import Source
from corekit.model import Column
from corekit.schema import FEATURES, VMAF

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class Tally:
    """Counts by input, of its rows as they came in; and over all, of the rows that stay."""

    def __init__(self, sources: Sequence[Source], columns: Sequence[Column]) -> None:
        names = {column.name for column in columns}
        candidates = {feature: (feature, f"{feature}_mean") for feature in FEATURES} | {
            VMAF: (VMAF, "vmaf_mean", "vmaf_score")
        }
        self._features = {
            feature: next(name for name in columns_of_it if name in names)
            for feature, columns_of_it in candidates.items()
            if names & set(columns_of_it)
        }
        self._sources = sources
        self._nulls: list[Counter[str]] = [Counter() for _ in sources]
        self.rows = [0] * len(sources)
        self.kept = [0] * len(sources)
        self.corpora: list[Counter[str]] = [Counter() for _ in sources]
        self.values: dict[str, Counter[str]] = {
            "corpus": Counter(),
            "vmaf_model": Counter(),
            "feature_backend": Counter(),
        }

    def see(self, index: int, table: pa.Table, stays: npt.NDArray[np.bool_] | None) -> None:
        """Take a batch of an input; ``stays`` marks the rows that do, None for all."""
        import pyarrow as pa

        self.rows[index] += table.num_rows
        self.kept[index] += table.num_rows if stays is None else int(stays.sum())
        for feature, column in self._features.items():
            self._nulls[index][feature] += table.column(column).null_count
        for name, counter in self.values.items():
            if name in table.column_names:
                column = table.column(name)
                counter.update(_counts(column if stays is None else column.filter(pa.array(stays))))
        if "corpus" in table.column_names:
            self.corpora[index].update(_counts(table.column("corpus")))

    def missing_features(self, index: int) -> list[str]:
        """Features that no row of an input has, in the locked order."""
        return [
            feature
            for feature in FEATURES
            if feature not in self._features or self._nulls[index][feature] == self.rows[index]
        ]

    def null_cells(self, index: int) -> dict[str, int]:
        """Of the other features, the number of rows without a value."""
        nulls = self._nulls[index]
        return {feature: nulls[feature] for feature in self._features if 0 < nulls[feature] < self.rows[index]}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Value to number of rows; null counts as the empty text."""
    counted = column.fill_null("").value_counts()
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
