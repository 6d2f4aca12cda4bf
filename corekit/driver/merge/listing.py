"""The list of duplicates that a merge writes on request: one JSON line for every row that went, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from corekit.driver.merge.dedup import Differences, Duplicates, reason, take_rows
from corekit.driver.merge.options import MergeOptions
from corekit.driver.merge.scan import Scan
from corekit.driver.merge.source import Source
from corekit.files import prepare, sha256_file, temporary_beside
from corekit.model import Column
from corekit.table import Row, Written

_PAIRS_AT_A_TIME = 1 << 17
"""Every part reads the inputs once more, in the few columns that are shown."""


def write_duplicates(
    options: MergeOptions,
    sources: Sequence[Source],
    found: Scan,
    pairs: Duplicates,
    differences: Differences,
    columns: Sequence[Column],
) -> Written:
    """Prepare the list of dropped rows, and after them of clip ids that occur in several corpora, as JSON lines."""
    import numpy as np

    names = dict.fromkeys([*options.dedup_key, "src_sha256", "run_id", "corpus", "clip_name"])
    shown = [column for column in columns if column.name in names]
    places = _Places(sources, found)

    def lines() -> Iterator[dict[str, Any]]:
        for start in range(0, len(pairs), _PAIRS_AT_A_TIME):
            part = slice(start, start + _PAIRS_AT_A_TIME)
            rows = np.unique(np.concatenate([pairs.kept[part], pairs.dropped[part]]))
            values, numbers = take_rows(sources, found, rows, shown), places.lines(rows)
            for pair in range(start, min(start + _PAIRS_AT_A_TIME, len(pairs))):
                kept, dropped = int(pairs.kept[pair]), int(pairs.dropped[pair])
                stays, goes = (values.slice(np.searchsorted(rows, row), 1).to_pylist()[0] for row in (kept, dropped))
                encode = bool(pairs.encode[pair])
                differing = differences.of(pair) if encode else None
                yield {
                    "rows": "encode" if encode else "label",
                    "reason": "equal key, the first stays" if encode else reason(found, kept, dropped),
                    "key": {name: goes.get(name) for name in (options.dedup_key if encode else ("src_sha256",))},
                    "kept": _shown_row(places, kept, numbers, stays),
                    "dropped": _shown_row(places, dropped, numbers, goes),
                    "identical": None if differing is None else not differing,
                    "differing_fields": None if differing is None else sorted(differing),
                }
        for entry in found.alike:
            yield {"rows": "label", "reason": "one clip id in several corpora: a possible duplicate, kept", **entry}

    count = 0
    with prepare(options.duplicates) as file:
        for line in lines():
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
    digest = sha256_file(temporary_beside(options.duplicates))
    return Written(count, digest, digest)


class _Places:
    """Where rows stand, numbered over all inputs."""

    def __init__(self, sources: Sequence[Source], found: Scan) -> None:
        self.sources = sources
        self._starts = found.starts

    def input_of(self, row: int) -> tuple[int, int]:
        """Index of the input, and the row within it."""
        import numpy as np

        index = int(np.searchsorted(self._starts, row, side="right")) - 1
        return index, row - int(self._starts[index])

    def lines(self, rows: Any) -> dict[int, int]:
        """The lines of those rows that stood in JSONL inputs."""
        found: dict[int, int] = {}
        for index, source in enumerate(self.sources):
            start, end = int(self._starts[index]), int(self._starts[index + 1])
            own = [int(row) for row in rows if start <= row < end]
            if own and source.stored == "jsonl":
                found.update(zip(own, source.lines([row - start for row in own]), strict=True))
        return found


def _shown_row(places: _Places, row: int, lines: Mapping[int, int], values: Row) -> dict[str, Any]:
    index, within = places.input_of(row)
    return {
        "input": places.sources[index].given.shown,
        "label": places.sources[index].given.label,
        "row": within + 1,
        "line": lines.get(row),
        **{name: values[name] for name in ("run_id", "corpus", "clip_name") if values.get(name) is not None},
    }
