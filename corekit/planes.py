"""What a frame is in memory: the array types that video, features and backends hand to each other; loads numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""One plane, shape ``(rows, columns)``, C-contiguous: uint8 for 8 bits, native-endian uint16 for 9 to 16."""

Planes = tuple[Plane, Plane, Plane]
"""One frame, ``(y, cb, cr)``, of the shapes and the sample type that its ``FrameFormat`` says."""

Values = npt.NDArray[np.float64]
"""Per-frame values, shape ``(n_frames,)`` unless said otherwise; NaN or inf where undefined."""
