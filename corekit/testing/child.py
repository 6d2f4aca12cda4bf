"""What the kit does in a process of its own: import a plugin, read a corpus, make a sample, run and be killed.

Run by its path as ``python -P child.py VERB ARGUMENTS... RESULT``; the answer is JSON in the file ``RESULT``.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAVY = ("torch", "av", "pyarrow")


def main(verb: str, *arguments: str) -> int:
    """Do what the verb says; the last argument is the file for the answer. Returns the exit code."""
    import msgspec

    from corekit.errors import CorekitError

    *given, result = arguments
    try:
        answer = _VERBS[verb](*given)
    except CorekitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    Path(result).write_bytes(msgspec.json.encode(answer))
    return 0


def import_module(module: str) -> dict[str, Any]:
    """Import a plugin's module and say what heavy packages that loaded."""
    importlib.import_module(module)
    return {"heavy": _heavy()}


def read(corpus: str, root: str) -> dict[str, Any]:
    """Read a corpus; say its clips, and what reading opened below the root and loaded."""
    from corekit.plugins.composition import Composition, parse_options

    composition = Composition()
    info = composition.add_corpus(corpus)
    options = parse_options(info.options, {}, corpus)
    opened: dict[str, None] = {}
    folder = os.path.realpath(root)

    def note(event: str, values: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(values[0], str | bytes):
            path = os.path.realpath(os.fsdecode(values[0]))
            if path.startswith(f"{folder}{os.sep}"):
                opened[os.path.relpath(path, folder)] = None

    at_import = _heavy()
    sys.addaudithook(note)
    clips = list(composition.read_corpus(Path(root), options))
    names = [name for name in opened if os.path.isfile(os.path.join(folder, name))]  # noqa: PTH118, PTH113
    return {"clips": clips, "opened": names, "heavy": [each for each in _heavy() if each not in at_import]}


def sample(corpus: str, folder: str) -> dict[str, Any]:
    """Make a sample."""
    from corekit.driver.sample import make_sample

    make_sample(corpus, folder)
    return {}


def run(options: str, kill_after: str) -> dict[str, Any]:
    """Run with the options, given as JSON; kill this process when so many rows are done (0: never)."""
    import msgspec

    from corekit.driver.options import RunOptions
    from corekit.driver.progress import Silent
    from corekit.driver.run import run as run_job

    class Killer(Silent):
        rows = 0

        def done(self, clip: str) -> None:
            self.rows += 1
            if self.rows == int(kill_after):
                os.kill(os.getpid(), signal.SIGKILL)

    parsed = msgspec.convert(msgspec.json.decode(options), RunOptions, dec_hook=lambda type_, value: type_(value))
    result = run_job(parsed, progress=Killer())
    return {"rows": result.counters["parquet_rows"], "manifest": str(result.manifest_path)}


def _heavy() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


_VERBS: dict[str, Callable[..., dict[str, Any]]] = {"import": import_module, "read": read, "sample": sample, "run": run}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
