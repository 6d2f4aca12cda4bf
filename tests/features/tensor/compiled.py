"""Compile a family's kernels for a GPU in a process of its own, where Triton is not its interpreter."""

from __future__ import annotations

import subprocess
import sys

from corekit.model import FrameFormat

_FORMAT = FrameFormat(1920, 1080, 10, "420")
_CODE = (
    "import os, runpy; os.environ.pop('TRITON_INTERPRET', None); "
    "runpy.run_module('tests.features.tensor.compile_launches', run_name='__main__')"
)


def compile_launches(family: str, capability: str, fmt: FrameFormat = _FORMAT) -> str:
    """What the program ``compile_launches`` prints of a family's launches for frames of ``fmt``: a line for each kernel."""
    arguments = [family, capability, str(fmt.width), str(fmt.height), str(fmt.bit_depth), fmt.chroma]
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
