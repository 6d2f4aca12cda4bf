"""Where the shared test data lies, if it lies anywhere: real clips and golden features that the repository does not ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("COREKIT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"no shared test data at {SHARED}; set COREKIT_TEST_DATA to the folder that holds clips/ and corpora/",
)
