"""Every finding: one fault in an otherwise sound corpus, and that it is found, alone, and said in full."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from corekit.driver.audit.findings import KINDS, MOST_EXAMPLES, Findings
from corekit.driver.prober import Answer
from corekit.model import Pairing
from tests.audit.yard import Yard, found


class Case(Struct, frozen=True):
    """How to spoil a yard, the examples that must be given, and what else necessarily follows."""

    spoil: Callable[[Yard], object]
    examples: tuple[str, ...]
    also: tuple[str, ...] = ()
    corpus: str = "yard"
    pairing: Pairing = "fr"


def unlink_all(yard: Yard) -> None:
    for path in yard.root.glob("clips/*"):
        path.unlink()


def copy_bytes(source: str, target: str) -> Callable[[Yard], object]:
    return lambda yard: yard.clip(target).write_text(yard.clip(source).read_text())


def say(name: str, **changed: Any) -> Callable[[Yard], object]:
    return lambda yard: yard.says(name, **changed)


def change(name: str, **cells: str) -> Callable[[Yard], object]:
    return lambda yard: yard.row(name).update(cells)


def all_into_train(yard: Yard) -> None:
    for row in yard.rows:
        row["split"] = "train"


CASES = {
    "labels-refused": Case(
        change("a_1.mp4", path="../a_1.mp4"),
        (
            "yard.csv:3: '../a_1.mp4' is not a path of a clip below the corpus root; correct the name in the label file",
        ),
    ),
    "nothing-to-measure": Case(
        unlink_all, ("9 clips named, 9 missing",), also=("missing-clip", "missing-reference")
    ),
    "missing-clip": Case(lambda yard: yard.clip("b_2.mp4").unlink(), ("clips/b_2.mp4 (yard.csv:7)",)),
    "missing-clip-normal": Case(
        lambda yard: yard.clip("b_2.mp4").unlink(),
        ("clips/b_2.mp4 (yard.csv:7)",),
        also=("licences-contradict",),
        corpus="loft",
    ),
    "missing-reference": Case(
        lambda yard: yard.clip("b_ref.mp4").unlink(), ("b: clips/b_ref.mp4 (2 clips)",), also=("missing-clip",)
    ),
    "no-reference": Case(change("c_ref.mp4", ref="0"), ("c (3 clips)",)),
    "several-references": Case(change("c_1.mp4", ref="1"), ("c: c_ref.mp4, c_1.mp4",)),
    "duplicate-id": Case(
        lambda yard: yard.rows.append({**yard.rows[1], "mos": "5"}), ("a_1.mp4: yard.csv:3 and yard.csv:11",)
    ),
    "content-in-two-splits": Case(
        change("a_2.mp4", split="test"), ("a: train at yard.csv:2, test at yard.csv:4",)
    ),
    "unusable-label": Case(
        change("a_2.mp4", mos="5.2"),
        ("yard.csv:4: the label of a_2.mp4 is 5.2, outside 1 to 5; correct the row",),
    ),
    "unusable-own-label": Case(
        change("a_2.mp4", mos=""),
        ("yard.csv:4: a_2.mp4 has no mos; fill it in, or leave the row out",),
        pairing="synthetic",
    ),
    "unreadable-header": Case(
        lambda yard: yard.answers.update({"a_ref.mp4": Answer(problem="clips/a_ref.mp4: bad; fetch it again")}),
        ("clips/a_ref.mp4: bad; fetch it again (the reference of a)",),
    ),
    "cut-short": Case(
        lambda yard: yard.answers.update({"a_1.mp4": Answer(probe=yard_probe(), cut="7 bytes are missing")}),
        ("clips/a_1.mp4: 7 bytes are missing",),
    ),
    "frame-count-differs": Case(
        say("b_1.mp4", n_frames=49), ("b_1.mp4 against b_ref.mp4: 49 against 50 frames",)
    ),
    "duration-differs": Case(
        say("b_1.mp4", duration_s=2.08), ("b_1.mp4 against b_ref.mp4: 2.080 against 2.000 s",)
    ),
    "rate-differs-from-reference": Case(
        say("b_1.mp4", framerate="24/1"), ("b_1.mp4 against b_ref.mp4: 24 against 25 Hz",)
    ),
    "transfer-differs-from-reference": Case(
        say("b_1.mp4", transfer="arib-std-b67"), ("b_1.mp4 against b_ref.mp4: hlg against pq",)
    ),
    "pq-without-bt2020": Case(
        say("b_1.mp4", primaries=""), ("clips/b_1.mp4: smpte2084 with primaries unspecified",)
    ),
    "hlg-without-bt2020": Case(
        say("b_1.mp4", transfer="arib-std-b67", primaries="bt709"),
        ("clips/b_1.mp4: arib-std-b67 with primaries bt709",),
        also=("transfer-differs-from-reference",),
    ),
    "hdr-at-8-bits": Case(
        say("b_1.mp4", bit_depth=8, pix_fmt="yuv420p"),
        ("clips/b_1.mp4: smpte2084 with primaries bt2020, yuv420p",),
    ),
    "sdr-at-10-bits": Case(
        say("b_1.mp4", transfer="bt709", primaries="bt709"),
        ("clips/b_1.mp4: bt709 with primaries bt709, yuv420p10le",),
        also=("transfer-differs-from-reference",),
    ),
    "untagged-at-10-bits": Case(
        say("b_1.mp4", transfer="", primaries=""),
        ("clips/b_1.mp4: no transfer with primaries unspecified, yuv420p10le",),
        also=("transfer-differs-from-reference",),
    ),
    "geometry-contradicts-labels": Case(
        change("b_1.mp4", width="48", height="64"), ("clips/b_1.mp4: labels 48x64, clip 64x48 (turned)",)
    ),
    "rate-contradicts-labels": Case(
        change("b_1.mp4", rate="30.0"), ("clips/b_1.mp4: labels 30 Hz, clip 25 Hz",)
    ),
    "duplicate-across-splits": Case(
        copy_bytes("a_1.mp4", "b_1.mp4"), ("clips/a_1.mp4 (train) = clips/b_1.mp4 (val)",)
    ),
    "duplicate-content": Case(
        copy_bytes("a_1.mp4", "a_2.mp4"), ("clips/a_1.mp4 (train) = clips/a_2.mp4 (train)",)
    ),
    "orphan-file": Case(lambda yard: yard.clip("new.MKV").write_text("new"), ("clips/new.MKV",)),
    "unreadable-folder": Case(lambda yard: (yard.root / "locked").mkdir(), ("locked: Permission denied",)),
    "licences-contradict": Case(
        lambda yard: None, ("CC BY 4.0: README", "CC BY-NC 4.0: LICENSE"), corpus="loft"
    ),
    "empty-split": Case(all_into_train, ("val", "test")),
    "variable-frame-rate": Case(say("b_1.mp4", variable_rate=True), ("clips/b_1.mp4: 25 Hz on average",)),
    "label-beyond-scale": Case(change("b_1.mp4", mos="5.03"), ("b_1.mp4: 5.03 (yard.csv:6)",)),
    "repeated-label": Case(change("b_1.mp4", repeated="17, 18"), ("b_1.mp4: yard.csv:6, again 17, 18",)),
    "personal-data-file": Case(
        lambda yard: (yard.root / "yard_votes.csv").write_text("a,b"), ("yard_votes.csv",)
    ),
    "unread-table-file": Case(
        lambda yard: (yard.root / "clips" / "more.json").write_text("{}"), ("clips/more.json",)
    ),
}  # fmt: skip


def yard_probe() -> Any:
    from tests.audit.yard import HDR

    return HDR


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders called ``locked`` cannot be listed, whoever asks."""
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_sound_corpus_has_no_finding(yard: Yard) -> None:
    report = yard.audit()
    assert report.findings == ()
    assert report.ok


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("code", KINDS)
def test_a_fault_is_found_alone(yard: Yard, code: str) -> None:
    case = CASES[code]
    case.spoil(yard)
    report = yard.audit(case.corpus, pairing=case.pairing)
    findings = found(report)
    assert set(findings) == {code, *case.also}
    kind, finding = KINDS[code], findings[code]
    assert (finding.severity, finding.unit, finding.what, finding.remedy) == (
        kind.severity, kind.unit, kind.what, kind.remedy,
    )  # fmt: skip
    assert finding.examples == case.examples[:MOST_EXAMPLES]
    assert finding.count == len(case.examples)
    assert report.ok is all(KINDS[each].severity != "error" for each in findings)


def test_the_gravest_come_first_and_five_examples_are_kept() -> None:
    findings = Findings()
    for number in range(7):
        findings.add("repeated-label", str(number))
    findings.add("orphan-file", "x")
    findings.add("cut-short", "y")
    listed = findings.listed()
    assert [finding.code for finding in listed] == ["cut-short", "orphan-file", "repeated-label"]
    assert (listed[2].count, listed[2].examples) == (7, ("0", "1", "2", "3", "4"))


def test_every_kind_is_a_sentence_and_a_remedy() -> None:
    severities = [kind.severity for kind in KINDS.values()]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    for code, kind in KINDS.items():
        assert kind.what[0].isupper(), code
        assert kind.what.endswith("."), code
        assert not kind.remedy.endswith("."), code
        assert kind.remedy[0].islower(), code


def test_the_documentation_lists_every_kind() -> None:
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = [f"| `{code}` | {kind.severity} | {kind.what} | {kind.remedy} |" for code, kind in KINDS.items()]
    assert [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 5] == rows
