"""Each rule for corpora is broken by a plugin that breaks nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit.testing.corpus import CorpusSubject
from corekit.testing.registry import CORPUS_RULES
from corekit.testing.rule import Examination, Verdict
from tests.plugins.distributions import Site

GOOD = """
import random
from corekit import Clip, Column, CorpusInfo, Label, Licence, hookimpl

COREKIT_API = 1
SIZE = 32
GRADE = Column(name="farm_grade", type="int", description="grade of the clip")
INFO = CorpusInfo(
    name="farm", title="The farm corpus", version="7", homepage="https://example.org",
    licences=(Licence("CC0", "README"),), treat_as="CC0", pairings=("fr", "nr"), label_kind="mos", label_min=0.0,
    label_max=10.0, columns=(GRADE,), split_seed="farm", root_env="FARM_ROOT",
)
LINES = [f"{content}{step}.y4m {content} {kind} {9 - step}\\n" for content in "abc" for step, kind in enumerate(("ref", "dis"))]


@hookimpl
def corekit_corpus():
    return INFO


@hookimpl
def corekit_read_corpus(root, options):
    lines = list(enumerate((root / "farm.txt").read_text().splitlines(), start=1))
    for number, line in lines:
        name, content, kind, mos = line.split()
        yield Clip(
            name=name, path=f"clips/{name}", content=content, label=Label(kind="mos", value=float(mos)),
            origin=f"farm.txt:{number}", is_reference=kind == "ref",
        )


@hookimpl
def corekit_shape_row(clip):
    return {GRADE: len(clip.name)}


@hookimpl
def corekit_make_sample(root):
    (root / "clips").mkdir()
    random.seed(1)
    for line in LINES:
        frame = b"FRAME\\n" + random.randbytes(SIZE * SIZE * 3 // 2)
        header = f"YUV4MPEG2 W{SIZE} H{SIZE} F25:1 Ip A1:1 C420jpeg\\n".encode()
        (root / "clips" / line.split()[0]).write_bytes(header + 3 * frame)
    (root / "farm.txt").write_text("".join(LINES))
    (root / "notes.txt").write_text("a file that nobody reads")
"""

_YIELD = "        yield Clip("
BROKEN = {
    "discovered-by-entry-point": (
        ("import random", "import random, no_such_module"),
        "importing mod_dist_farm_farm raised ModuleNotFoundError: No module named 'no_such_module'; name the module under "
        "[project.entry-points.'corekit.corpora'] in pyproject.toml and install it (pip install -e .)",
    ),
    "speaks-the-api": (
        ("COREKIT_API = 1", "COREKIT_API = 2"),
        "farm says COREKIT_API = 2, this corekit speaks 1; write COREKIT_API = 1 into its module",
    ),
    "keeps-the-hooks": (
        ("@hookimpl\ndef corekit_make_sample", "def corekit_make_sample"),
        "farm breaks the contract: it implements no corekit_make_sample (if it is not meant to, say so in the test class); "
        "see the table of hooks in docs/plugins.md",
    ),
    "imports-nothing-heavy": (
        ("import random", "import random, pyarrow"),
        "importing mod_dist_farm_farm loads pyarrow; import what needs them inside the functions that need it",
    ),
    "describes-itself": (
        ("label_max=10.0", "label_max=-1.0"),
        "the CorpusInfo of farm cannot be used: the label's scale runs from 0 to -1; correct it in corekit_corpus",
    ),
    "licences-stated": (
        ('Licence("CC0", "README")', 'Licence("CC0", " ")'),
        "the CorpusInfo of farm leaves where 'CC0' is stated empty; say under which terms the corpus may be used, and who "
        "says so",
    ),
    "sample-reads-back": (
        ('write_text("".join(LINES))', 'write_text("")'),
        "the sample of farm does not read back: it has no clip; let corekit_make_sample write the layout that is read",
    ),
    "sample-is-deterministic": (
        ("random.seed(1)", "random.seed()"),
        "two samples of farm differ in clips/a0.y4m, clips/a1.y4m, clips/b0.y4m, clips/b1.y4m, clips/c0.y4m; seed what is "
        "random, and write no time and no path",
    ),
    "yields-typed-clips": (
        ("value=float(mos))", "value=float(mos), n_ratings=mos)"),
        "farm.txt:1: label.n_ratings = '9' (expected `int | null`, got `str`); yield Clips as corekit.Clip declares them",
    ),
    "reading-is-deterministic": (("in lines:", "in sorted(lines, key=lambda pair: hash(pair[1])):"), None),
    "reading-opens-no-video": (
        (_YIELD, '        (path := root / "clips" / name).is_file() and path.open("rb").close()\n' + _YIELD),
        "reading the corpus opened clips/a0.y4m; core opens the clips, a reader opens label files alone",
    ),
    "names-unique": (
        ("in lines:", "in [*lines, lines[-1]]:"),
        "the clip c1.y4m is yielded at farm.txt:6 and again at farm.txt:6; yield it once, with a problem where rows differ",
    ),
    "paths-inside-root": (
        ('path=f"clips/{name}"', 'path=f"clips/../clips/{name}"'),
        "farm.txt:1: the path 'clips/../clips/a0.y4m' of 'a0.y4m' leaves the root; refuse such a row with a LabelError",
    ),
    "contents-named": (
        ("content=content,", 'content="" if content == "c" else content,'),
        "farm.txt:5: the content of c0.y4m is empty; name the scene, or give each clip its own name as its content",
    ),
    "splits-content-disjoint": (
        ('is_reference=kind == "ref"', 'is_reference=kind == "ref", split="train" if kind == "ref" else "test"'),
        "content 'a' is in test and in train; give all its clips one split, or none so that core derives it",
    ),
    "one-reference-per-content": (
        ('is_reference=kind == "ref"', 'is_reference=kind == "ref" and content != "b"'),
        "content 'b' has no reference; mark one clip of it as the reference, or offer no fr pairing",
    ),
    "labels-inside-scale": (
        ("{9 - step}", "{9 - step + 5 * (content + kind == 'cdis')}"),
        "farm.txt:6: the label of c1.y4m is 13, outside 0 to 10; correct the row, or the scale in its "
        "CorpusInfo, or give the Label this as its problem",
    ),
    "origins-name-label-lines": (
        ("{number}", "{number - 1}"),
        "the origin 'farm.txt:0' of a0.y4m names no line of it (it has 7); write <label file relative to the root>:<line>, "
        "lines from 1",
    ),
    "row-equals-the-v3-schema": (
        ('name="farm_grade"', 'name="n_frames"'),
        "corekit_shape_row for a0.y4m claims core's column 'n_frames'; core writes its columns itself, return the corpus's "
        "own alone",
    ),
    "columns-as-declared": (
        ("GRADE: len(clip.name)", "GRADE: clip.name"),
        "corekit_shape_row for a0.y4m returned 'a0.y4m' in 'farm_grade', which is declared int; return every column of "
        "CorpusInfo.columns, None where it has no value",
    ),
    "missing-file-is-counted": (
        (_YIELD, '        if not (root / "clips" / name).is_file():\n            continue\n' + _YIELD),
        "without clips/c1.y4m the reader leaves out c1.y4m; yield every clip that the labels name and leave it to core to "
        "look for the file",
    ),
    "runs-to-a-table": (
        ("@hookimpl\ndef corekit_shape_row", "@hookimpl\ndef corekit_write_manifest(run):\n    return {}\n\n\n"
         "@hookimpl\ndef corekit_shape_row"),
        "corekit run --corpus farm ends with exit code 2: corekit_write_manifest of dist-farm returned dict, not "
        "ManifestSection; run it on the same root to see all that it says",
    ),
    "features-finite": (
        ("SIZE = 32", "SIZE = 8"),
        "vif_scale0 of a1.y4m has no finite value (needs at least 16x16 pixels, the clip has 8x8); let the sample's clips be "
        "large and long enough for it",
    ),
    "manifest-lists-every-input": (
        ("    lines = ", '    (root / "notes.txt").read_text()\n    lines = '),
        "the manifest does not list notes.txt, which was read; name every file that is read in the origin of a clip, and "
        "change none on the way",
    ),
    "resumes-to-the-same-bytes": (
        ("GRADE: len(clip.name)", "GRADE: __import__('time').time_ns() % 1000000007"),
        "after kill -9 and a new start the table differs in farm_grade; let no column depend on time, process, chance or "
        "order of calls",
    ),
}  # fmt: skip
"""Rule to what must be replaced in the good plugin to break it, and the beginning of what is said then."""

GATES = {
    "discovered-by-entry-point", "speaks-the-api", "keeps-the-hooks", "describes-itself", "sample-reads-back",
    "yields-typed-clips", "reading-is-deterministic", "names-unique", "paths-inside-root", "contents-named", "splits-content-disjoint",
    "row-equals-the-v3-schema", "columns-as-declared", "runs-to-a-table",
}  # fmt: skip
"""Rules without which others cannot be asked."""


def examine(site: Site, work: Path, source: str, *, features: str = "none") -> dict[str, Verdict]:
    site.add_corpus("farm", source)
    subject = CorpusSubject("farm", work, features=features)
    return Examination(subject, CORPUS_RULES).all()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_good_plugin_keeps_every_rule(site: Site, work: Path) -> None:
    verdicts = examine(site, work, GOOD, features="psnr_y,vif_scale0")
    assert {name: verdict for name, verdict in verdicts.items() if verdict.state != "held"} == {}


def test_every_rule_is_broken_here() -> None:
    assert list(BROKEN) == [rule.name for rule in CORPUS_RULES]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_plugin_breaks_one_rule(site: Site, work: Path, rule: str) -> None:
    (old, new), sentence = BROKEN[rule]
    assert GOOD.count(old) == 1
    features = "vif_scale0" if rule == "features-finite" else "none"
    verdicts = examine(site, work, GOOD.replace(old, new), features=features)
    assert [name for name, verdict in verdicts.items() if verdict.state == "broken"] == [rule], verdicts
    unasked = {name for name, verdict in verdicts.items() if verdict.state == "not asked"}
    assert bool(unasked) == (rule in GATES)
    if sentence is not None:
        assert verdicts[rule].text.splitlines()[0] == sentence


@pytest.mark.parametrize(
    "origin", ['origin="/etc/passwd:1"', 'origin=f"farm.txt:{number}", other_origins=("../../x:1",)']
)
def test_an_origin_outside_the_root_breaks_its_rule(site: Site, work: Path, origin: str) -> None:
    site.add_corpus("farm", GOOD.replace('origin=f"farm.txt:{number}"', origin))
    verdict = Examination(CorpusSubject("farm", work), CORPUS_RULES).verdict("origins-name-label-lines")
    assert "of a0.y4m names no file below the root; " in verdict.text
