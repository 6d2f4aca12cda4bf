"""Per-frame values on disk: one Arrow part per task while a run goes on, one frame table at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit.errors import IntegrityError
from corekit.files import write_atomic_shared
from corekit.schema import FEATURES, FRAME_COLUMNS, VMAF, VMAF_MODEL
from corekit.table import arrow_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def write_part(folder: Path, task: str, values: Mapping[str, npt.NDArray[np.float64]]) -> str:
    """Keep a task's per-frame values, float64 arrays of one length; returns the digest of the file."""
    import pyarrow as pa

    table = pa.table({name: values[name] for name in FEATURES if name in values})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    write_atomic_shared(part_path(folder, task), content)
    return hashlib.sha256(content).hexdigest()


def part_path(folder: Path, task: str) -> Path:
    """Where a task's part lies."""
    return folder / task[:2] / f"{task}.arrow"


def has_part(folder: Path, task: str) -> bool:
    return part_path(folder, task).is_file()


def frame_batch(
    folder: Path, task: str, sha256: str | None, *, corpus: str, source: str, clip_name: str, codec: str, teacher: bool
) -> pa.Table:
    """One task's rows of the frame table, in frame order; values that are not finite are null.

    Raises
    ------
    IntegrityError
        The part is gone or is not what the ledger recorded.
    """
    import numpy as np
    import pyarrow as pa

    path = part_path(folder, task)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path} is gone ({clip_name}); run the same command again to measure it anew") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IntegrityError(f"{path} was changed ({clip_name}); delete it and run the same command again")
    part = pa.ipc.open_file(pa.BufferReader(content)).read_all()
    count = part.num_rows
    same: dict[str, str | None] = {"corpus": corpus, "source": source, "clip_name": clip_name, "codec": codec}
    same["teacher_model"] = VMAF_MODEL if teacher and VMAF in part.column_names else None
    schema = arrow_schema(FRAME_COLUMNS, {})
    arrays = []
    for field in schema:
        if field.name == "frame_index":
            arrays.append(pa.array(range(count), type=field.type))
        elif field.name in same:
            arrays.append(pa.array([same[field.name]] * count, type=field.type))
        elif field.name in part.column_names:
            values = part.column(field.name).to_numpy()
            arrays.append(pa.array(values, mask=~np.isfinite(values), type=field.type))
        else:
            arrays.append(pa.nulls(count, type=field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
