"""docs/plugins.md does what it says: its files are typed into an empty folder, its commands are run, its output compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from corekit.driver.new import plugin_files
from tests.testing.environment import Environment

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
_BLOCK = re.compile(
    r"(?:<!-- example: (?P<file>\S+)(?P<more> continued)? -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)\n```", re.S
)


def blocks() -> Iterator[tuple[str, str, str]]:
    """``(kind, file, text)`` of every fenced block, in order; console blocks have no file."""
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield match["kind"], match["file"] or "", "\n\n" * bool(match["more"]) + match["text"] + "\n"


def written_files() -> dict[str, str]:
    """What a reader has typed at the end."""
    written: dict[str, str] = {}
    for kind, file, text in blocks():
        if kind != "console":
            written[file] = written.get(file, "") + text
    return written


def console() -> list[tuple[str, list[str]]]:
    """Every command, with the lines that the page shows below it."""
    commands: list[tuple[str, list[str]]] = []
    for kind, _, text in blocks():
        for line in text.splitlines() if kind == "console" else ():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return commands


def assert_shown(shown: str, output: str, command: str) -> None:
    """A line of the page is a line of the output; ``...`` stands for anything, and runs of blanks are one."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in shown.split("..."))
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert any(re.fullmatch(pattern.strip(), line) or re.search(f"^ *{pattern} *$", line) for line in lines), (
        f"$ {command}\nshows {shown!r}, but printed\n{output}"
    )


def test_every_block_is_executed() -> None:
    kinds = {(kind, bool(file)) for kind, file, _ in blocks()}
    assert kinds == {("console", False), ("python", True), ("toml", True)}


@pytest.mark.parametrize("path", sorted(plugin_files("lab").keys() - {"README.md"}))
def test_the_files_are_those_of_corekit_new(path: str) -> None:
    assert written_files()[f"corekit-lab/{path}"] == plugin_files("lab")[path]


def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    desk = tmp_path / "desk"
    for name, text in written_files().items():
        (desk / name).parent.mkdir(parents=True, exist_ok=True)
        (desk / name).write_text(text, encoding="utf-8")
    for command, shown in console():
        output = environment.run(command, desk)
        for line in shown:
            assert_shown(line, output, command)
