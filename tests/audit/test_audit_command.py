"""`corekit audit` as a user meets it: what the terminal shows, what machines get, and how the command ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from corekit import AuditReport
from corekit.cli.audit_text import report_lines, verdict
from corekit.cli.main import main
from tests.audit.yard import Yard
from tests.shared_data import SHARED, needs_shared

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of `corekit audit`, run in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["audit", *map(str, arguments)])
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def refuse(token: str) -> NoReturn:
    raise AssertionError(f"{token} is no JSON")


def test_a_sound_corpus_ends_with_0(yard: Yard, command: Run) -> None:
    yard.write_labels()
    code, out, err = command("--corpus", "yard", "--root", yard.root)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == ["The yard (yard-1)", str(yard.root), "0 errors, 0 warnings, 0 notes: ready for a run"]
    assert lines[-1] == lines[2]


def test_warnings_end_with_0_and_errors_with_3(yard: Yard, command: Run) -> None:
    yard.clip("stray.mp4").write_text("stray")
    yard.write_labels()
    assert command("--corpus", "yard", "--root", yard.root)[0] == 0
    yard.clip("a_1.mp4").unlink()
    code, out, _ = command("--corpus", "yard", "--root", yard.root)
    assert code == 3
    assert out.splitlines()[-1] == "1 error, 1 warning, 0 notes: see to the errors before a run"
    assert command("--corpus", "yard", "--root", yard.root, "--json")[0] == 3


def test_json_is_strict_and_is_the_report(yard: Yard, command: Run) -> None:
    yard.row("a_1.mp4")["mos"] = "nan"
    report = yard.audit()
    code, out, err = command("--corpus", "yard", "--root", yard.root, "--json")
    assert (code, err) == (3, "")
    assert json.loads(out, parse_constant=refuse)["schema"] == "corekit-audit-1"
    assert msgspec.json.decode(out, type=AuditReport) == report


def test_what_the_terminal_shows(yard: Yard, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    for number in range(7):
        yard.clip(f"stray_{number}.mp4").write_text(f"stray {number}")
    yard.clip("b_1.mp4").unlink()
    yard.write_labels()
    _, out, _ = command("--corpus", "yard", "--root", yard.root)
    size = sum(path.stat().st_size for path in yard.root.glob("clips/[abc]*"))
    labels = (yard.root / "yard.csv").stat().st_size
    assert (
        out
        == f"""\
The yard (yard-1)
{yard.root}
1 error, 1 warning, 0 notes: see to the errors before a run

error    missing-clip: 1 clip
         The labels name these clips and the disk lacks them.
         to do: fetch them, or run with --allow-missing to go on without their rows
           clips/b_1.mp4 (yard.csv:6)

warning  orphan-file: 7 files
         Video files in the folders of the clips that no label names; they give no row.
         to do: look for a misspelt name or a newer label file
           clips/stray_0.mp4
           clips/stray_1.mp4
           clips/stray_2.mp4
           and 4 more

clips      9 named, 3 of them references; 3 contents, 5 rows to be measured
on disk    8 present ({size} B), 1 missing, 7 video files that no label names
labels     yard.csv (9 clips, {labels} B)
folders    clips: 8 of 9 clips, 15 video files
names      a_<number>.mp4 (2), b_<number>.mp4 (2), c_<number>.mp4 (2), a_ref.mp4 (1),
           b_ref.mp4 (1), c_ref.mp4 (1)
pairing    fr
splits     train 1 content (3 clips, 2 rows), val 1 content (3 clips, 1 row), test 1
           content (3 clips, 2 rows); content-name-blake2s-80-10-10
licence    CC0
estimate   about 1 h 30 min with one worker on the CPU and the default features, a guess
           from the headers of 4 clips; 7.5 kB of tables, 25 kB of state

9 mos labels on 1..5: 2.5 to 4.5, mean 3.467; 0 with a spread, 0 with a number of ratings
    1 - 1.4  0
  1.4 - 1.8  0
  1.8 - 2.2  0
  2.2 - 2.6  3  ########################################
  2.6 -   3  0
    3 - 3.4  0
  3.4 - 3.8  3  ########################################
  3.8 - 4.2  0
  4.2 - 4.6  3  ########################################
  4.6 -   5  0

8 of 8 headers read: 16 s of video
  clips  geometry  codec  pix_fmt      bits  transfer   primaries  class
  8      64x48     hevc   yuv420p10le  10    smpte2084  bt2020     HDR
  Hz  25 (8)

what the plugin says of this corpus
  - The yard is no data.

1 error, 1 warning, 0 notes: see to the errors before a run
"""
    )


def test_control_characters_of_a_name_never_reach_the_terminal(yard: Yard) -> None:
    yard.clip("\x1b[31mred\n.mp4").write_text("x")
    lines = list(report_lines(yard.audit(), width=80))
    assert "           clips/\\x1b[31mred\\n.mp4" in lines
    assert all(line.isprintable() for line in lines)


def test_refusals(yard: Yard, command: Run) -> None:
    where = ("--corpus", "yard", "--root", yard.root)
    assert command(*where, "--headers", "3x") == (
        2, "", "corekit: --headers 3x: give all, none or a number of clips\n",
    )  # fmt: skip
    assert command(*where, "--workers", "0") == (2, "", "corekit: --workers 0: give at least 1\n")
    assert command(*where, "--set", "red") == (2, "", "corekit: --set red: give key=value\n")
    assert command("--corpus", "yard", "--root", yard.root / "none")[0] == 3


def test_headers_none_says_nothing_of_headers(yard: Yard, command: Run) -> None:
    yard.write_labels()
    code, out, _ = command("--corpus", "yard", "--root", yard.root, "--headers", "none", "--json")
    assert code == 0
    assert json.loads(out)["headers"] is None
    code, out, _ = command("--corpus", "yard", "--root", yard.root, "--headers", "none")
    assert "headers read" not in out


@needs_shared
@pytest.mark.parametrize(
    ("corpus", "clips", "codes"),
    [("chug", 21, {"licences-contradict"}), ("k150k", 8, set())],
)
def test_the_shared_corpora_are_sound(corpus: str, clips: int, codes: set[str], command: Run) -> None:
    code, out, _ = command("--corpus", corpus, "--root", SHARED / "corpora" / corpus, "--json", "--workers", "2")
    report = msgspec.json.decode(out, type=AuditReport)
    assert code == 0
    assert {finding.code for finding in report.findings} == codes
    assert (report.counts.clips, report.counts.missing, report.counts.orphans) == (clips, 0, 0)
    assert report.headers is not None
    assert report.headers.read == clips


@needs_shared
def test_the_real_labels_of_chug_without_a_clip(tmp_path: Path, command: Run) -> None:
    shutil.copy(SHARED / "labels" / "chug.csv", tmp_path)
    code, out, _ = command("--corpus", "chug", "--root", tmp_path, "--json")
    report = msgspec.json.decode(out, type=AuditReport)
    assert code == 3
    assert {finding.code: finding.count for finding in report.findings if finding.severity == "error"} == {
        "nothing-to-measure": 1,
        "missing-clip": 5992,
        "missing-reference": 856,
    }
    assert report.labels is not None
    assert (report.labels.labelled, sum(bar.clips for bar in report.labels.histogram)) == (5992, 5992)
    assert [each.pattern for each in report.names] == ["<hex32>.mp4"]
    assert verdict(report) == "3 errors, 1 warning, 0 notes: see to the errors before a run"
