"""Run `corekit` as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_ENTER = "from corekit.cli.main import main; main()"


def corekit(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished process of ``corekit ARGUMENTS``; ``env`` adds to the environment."""
    command = [sys.executable, "-c", _ENTER, *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COREKIT_", "SOURCE_DATE_EPOCH"))}
    return subprocess.run(
        command, cwd=cwd, env={**kept, **(env or {})}, capture_output=True, text=True, timeout=120, check=False
    )
