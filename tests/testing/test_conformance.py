"""The kit as a plugin's author meets it: the classes, the words of its rules, the page that lists them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corekit.testing.registry import BACKEND_RULES, CORPUS_RULES
from corekit.testing.rule import Rule
from scripts.generate_docs import conformance_page
from tests.plugins.distributions import Site
from tests.testing.test_corpus_rules import GOOD

RULES = dict.fromkeys((*CORPUS_RULES, *BACKEND_RULES))
_BROKEN_LICENCE = GOOD.replace('Licence("CC0", "README")', 'Licence("", "README")')


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_name_a_demand_and_a_failure_sentence(rule: type[Rule[Any]]) -> None:
    assert rule.name == "-".join(rule.name.lower().split())
    assert rule.demand().endswith(".")
    assert "{" in rule.failure
    assert "; " in rule.failure or rule.name == "labels-inside-scale"


@pytest.mark.parametrize("rules", [CORPUS_RULES, BACKEND_RULES])
def test_rules_are_named_once_and_need_earlier_ones(rules: tuple[type[Rule[Any]], ...]) -> None:
    names = [rule.name for rule in rules]
    assert len(set(names)) == len(names)
    for index, rule in enumerate(rules):
        assert set(rule.needs) <= set(names[:index])


def test_the_page_lists_every_rule() -> None:
    page = conformance_page()
    for rule in RULES:
        assert f"| `{rule.name}` | {rule.demand()} |" in page


def pytest_of(folder: Path, source: str) -> list[str]:
    """The summary of a run of pytest over one test file, warnings as errors."""
    (folder / "test_farm.py").write_text(source)
    path = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfs", "-W", "error", "-p", "no:cacheprovider", "test_farm.py"],
        cwd=folder, env={"PYTHONPATH": ":".join(path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_an_author_sees_which_rule_is_broken_and_why(site: Site, tmp_path: Path) -> None:
    site.add_corpus("farm", _BROKEN_LICENCE)
    source = "from corekit.testing import CorpusConformance\nclass TestFarm(CorpusConformance):\n    corpus = 'farm'\n"
    lines = pytest_of(tmp_path, source + "    features = 'none'\n")
    assert lines[-1].startswith(f"1 failed, {len(CORPUS_RULES) - 1} passed")
    assert lines[-2].startswith("FAILED test_farm.py::TestFarm::test_rule[licences-stated]")
    said = [line for line in lines if line.startswith("E       AssertionError")]
    assert said == [
        "E       AssertionError: the CorpusInfo of farm leaves the name of a licence empty; say under which terms the corpus "
        "may be used, and who says so"
    ]


def test_capabilities_are_attributes_and_the_root_a_fixture(site: Site, tmp_path: Path) -> None:
    site.add_corpus("farm", GOOD.replace("@hookimpl\ndef corekit_make_sample", "def make"))
    (tmp_path / "disk" / "clips").mkdir(parents=True)
    frame = b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(384)
    for name in ("a.y4m", "b.y4m"):
        (tmp_path / "disk" / "clips" / name).write_bytes(frame)
    (tmp_path / "disk" / "farm.txt").write_text("a.y4m s ref 8\nb.y4m s dis 7\n")
    source = """
        import pathlib, pytest
        from corekit.testing import CorpusConformance
        class TestFarm(CorpusConformance):
            corpus = 'farm'
            makes_sample = False
            pairing = 'nr'
            features = 'none'
            @pytest.fixture(scope='class')
            @classmethod
            def corpus_root(cls):
                return pathlib.Path('disk').absolute()
        class TestNobody(CorpusConformance):
            corpus = 'nobody'
    """
    lines = pytest_of(tmp_path, "\n".join(line.removeprefix("        ") for line in source.splitlines()))
    sample = ("sample-reads-back", "sample-is-deterministic")
    assert lines[-1].startswith(f"1 failed, {len(CORPUS_RULES) - len(sample)} passed, {len(CORPUS_RULES) + 1} skipped")
    assert any("no installed distribution has an entry point 'nobody'" in line for line in lines)
    assert any("discovered-by-entry-point does not hold, without which speaks-the-api" in line for line in lines)
