"""Of which corpora a table is, and what belongs to them: a row of metadata that names another one does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from corekit.driver.enrich.options import EnrichOptions
from corekit.errors import UsageError
from corekit.table import METADATA_PREFIX, read_batches

if TYPE_CHECKING:
    import pyarrow as pa

_OLDER = {"konvid-1k": "konvid", "konvid-150k": "k150k"}
"""What older scripts called our corpora."""


def table_corpora(options: EnrichOptions, schema: pa.Schema) -> list[str]:
    """The corpora that the table names, row by row or in its metadata.

    Raises
    ------
    UsageError
        ``--corpus`` is none of them.
    """
    corpora = _named(options, schema)
    if options.corpus and corpora and same_corpus(options.corpus, corpora) is None:
        others = ", ".join(corpora)
        raise UsageError(
            f"--corpus {options.corpus}: the clips of {options.table} are of {others}; name one that the table holds, or "
            "give another table"
        )
    return corpora


def same_corpus(name: str, corpora: Sequence[str]) -> str | None:
    """What the table calls a corpus, None where it has none of its clips."""
    if name in corpora:
        return name
    return next((corpus for corpus in corpora if _OLDER.get(corpus, corpus) == _OLDER.get(name, name)), None)


def _named(options: EnrichOptions, schema: pa.Schema) -> list[str]:
    if "corpus" in schema.names:
        names: dict[str, None] = {}
        for batch in read_batches(options.table, ["corpus"]):
            names.update(dict.fromkeys(batch.column("corpus").unique().to_pylist()))
        return sorted(str(name) for name in names if name is not None)
    said = (schema.metadata or {}).get(f"{METADATA_PREFIX}corpus".encode())
    return [said.decode()] if said else []
