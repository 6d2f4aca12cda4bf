"""An environment as a researcher has it: a venv of its own, in which everything that the tests have is installed already."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from pathlib import Path

_COREKIT = "from corekit.cli.main import main; main()"


class Environment:
    """A fresh virtual environment that sees this one's packages; `pip install` works in it without a network."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self._bin = folder / "bin"
        (packages,) = folder.glob("lib/python*/site-packages")
        seen = [path for path in site.getsitepackages() if Path(path).is_dir()]
        (packages / "seen.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))
        python = self._bin / "python"
        # An editable build would fetch one more package: pip installs a copy instead.
        install = "--no-index --no-build-isolation --no-deps"
        self._script("pip", f'shift; test "$1" = -e && shift; exec "{python}" -m pip install {install} "$@"')
        self._script("corekit", f'exec "{python}" -c \'{_COREKIT}\' "$@"')

    def run(self, command: str, cwd: Path) -> str:
        """What a shell command prints, both streams; fails where it fails."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("COREKIT_", "PYTHON", "PIP_"))
        }
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=cwd,
            env={**kept, "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def _script(self, name: str, body: str) -> None:
        path = self._bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
