"""What must not be mixed in one table: kinds of rows, teacher models, feature definitions, numeric classes, splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from corekit.driver.merge.source import Source
from corekit.driver.parents import Parent
from corekit.errors import CorpusError, UsageError
from corekit.manifest import Manifest

if TYPE_CHECKING:
    import pyarrow as pa


def refuse_mixed_kinds(sources: Sequence[Source]) -> None:
    """One kind of rows a merge.

    Raises
    ------
    UsageError
        Names a clip table and a frame table.
    """
    first = sources[0]
    for source in sources[1:]:
        if source.kind != first.kind:
            raise UsageError(
                f"{first.given.shown} has a row per {first.kind} and {source.given.shown} a row per {source.kind}; merge "
                "them apart"
            )


def refuse_same_bytes(sources: Sequence[Source], parents: Sequence[Parent]) -> None:
    """Frame rows have no key, so a shard that is named twice would double its rows.

    Raises
    ------
    UsageError
        Two inputs hold the same bytes: names both.
    """
    seen: dict[str, Source] = {}
    for source, parent in zip(sources, parents, strict=True):
        if parent.sha256 in seen:
            other = seen[parent.sha256]
            raise UsageError(f"{other.given.shown} and {source.given.shown} are the same bytes; name one of them")
        seen[parent.sha256] = source


def teacher_models(sources: Sequence[Source], assumed: str) -> list[str]:
    """The model of vmaf in each input, empty where it has no vmaf; all others are equal.

    Raises
    ------
    UsageError
        Two models are mixed, or an input names none and ``assumed`` is empty.
    """
    models: list[str] = []
    first: tuple[str, Source] | None = None
    for source in sources:
        found, unnamed = _teachers_of(source)
        if unnamed and not assumed:
            raise UsageError(
                f"{source.given.shown} has vmaf and names no teacher model; give --assume-teacher MODEL, which is recorded"
            )
        if unnamed:
            found = [*found, *([assumed] if assumed not in found else [])]
        for model in found:
            if first is not None and model != first[0]:
                where = f"both in {source.given.shown}"
                if first[1] is not source:
                    where = f"{first[0]} in {first[1].given.shown}, {model} in {source.given.shown}"
                raise UsageError(f"teacher models {first[0]} and {model} are mixed ({where}); merge them apart")
            first = first or (model, source)
        models.append(found[0] if found else "")
    return models


def _teachers_of(source: Source) -> tuple[list[str], bool]:
    """The models that an input names, and whether a row has vmaf without naming one."""
    import pyarrow.compute as pc

    if "teacher_model" not in source.has:
        return [], _has_vmaf_without_teacher(source)
    found: dict[str, None] = {}
    for batch in source.batches(["teacher_model"]):
        found.update(dict.fromkeys(pc.unique(batch.column(0)).to_pylist()))
    unnamed = None in found and _has_vmaf_without_teacher(source)
    return [model for model in found if model is not None], unnamed


def _has_vmaf_without_teacher(source: Source) -> bool:
    import pyarrow.compute as pc

    if "vmaf" not in source.has:
        return False
    for batch in source.batches(["teacher_model", "vmaf"]):
        vmaf = batch.column("vmaf").is_valid()
        if "teacher_model" in batch.column_names:
            vmaf = pc.and_(vmaf, batch.column("teacher_model").is_null())
        if pc.any(vmaf).as_py():
            return True
    return False


def refuse_mixed_definitions(sources: Sequence[Source], parents: Sequence[Parent]) -> list[str]:
    """Frame values of two numeric classes or definitions do not belong in one column.

    The manifests beside the tables say how they were made; returns the inputs of which nothing does.

    Raises
    ------
    UsageError
        Two inputs differ: names both and what differs.
    """
    first: tuple[Source, str, dict[str, str]] | None = None
    unsaid = []
    for source, parent in zip(sources, parents, strict=True):
        if not isinstance(parent.manifest, Manifest) or parent.state != "current":
            unsaid.append(source.given.shown)
            continue
        backend = parent.manifest.backend
        definitions = dict(backend.identity)
        if first is None:
            first = (source, backend.name, definitions)
            continue
        for key, words in (("class", "numeric class"), ("motion", "definition of motion")):
            values = first[2].get(key, ""), definitions.get(key, "")
            if all(values) and values[0] != values[1]:
                raise UsageError(
                    f"{first[0].given.shown} (backend {first[1]}) and {source.given.shown} (backend {backend.name}) differ "
                    f"in {words}: {values[0]} and {values[1]}; measure one of them again with the backend of the other"
                )
    return unsaid


def refuse_split_conflicts(sources: Sequence[Source], splits: Iterable[tuple[int, pa.Table]]) -> None:
    """One content, one split.

    Parameters
    ----------
    splits
        Index of the source, and the distinct rows (corpus, content, split) of one of its batches.

    Raises
    ------
    CorpusError
        Names the content, both splits and where they stand.
    """
    seen: dict[tuple[str | None, str], tuple[str, int]] = {}
    for index, table in splits:
        for row in table.to_pylist():
            if not row["content"] or not row["split"]:
                continue
            key = (row["corpus"], row["content"])
            split, other = seen.setdefault(key, (row["split"], index))
            if split != row["split"]:
                corpus = f" of corpus {row['corpus']}" if row["corpus"] else ""
                raise CorpusError(
                    f"content {row['content']}{corpus} is {split} in {sources[other].given.shown} and {row['split']} in "
                    f"{sources[index].given.shown}; derive the split anew in one of them (corekit enrich "
                    "--overwrite-metadata)"
                )
