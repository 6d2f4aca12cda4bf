"""What the tests of the audit share: a yard of three contents, and answers of the prober that need no video."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from corekit import AuditReport, Clip, Finding, Probe, audit
from corekit.driver.audit import examine, headers
from corekit.driver.estimate import Estimate
from corekit.driver.prober import Answer

FIELDS = ("path", "content", "ref", "mos", "width", "height", "rate", "split", "repeated")
HDR = Probe(
    width=64, height=48, pix_fmt="yuv420p10le", bit_depth=10, codec="hevc", framerate="25/1", duration_s=2.0, n_frames=50,
    transfer="smpte2084", primaries="bt2020",
)  # fmt: skip


class Yard:
    """Contents a, b and c in three splits, each a reference and two clips; its files are no videos."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "yard"
        (self.root / "clips").mkdir(parents=True)
        self.rows: list[dict[str, str]] = []
        self.answers: dict[str, Answer] = {}
        for content, split in (("a", "train"), ("b", "val"), ("c", "test")):
            for name, ref, mos in (("ref", "1", "4.5"), ("1", "0", "2.5"), ("2", "0", "3.4")):
                self.add(f"{content}_{name}.mp4", content=content, ref=ref, mos=mos, split=split)

    def add(self, name: str, **cells: str) -> None:
        """Add a row (see ``FIELDS``) and its file, the name in which is its content."""
        row = {"path": f"clips/{name}", "content": "a", "ref": "0", "mos": "3", "split": "train", **cells}
        self.rows.append(row)
        self.clip(name).write_text(name)

    def clip(self, name: str) -> Path:
        return self.root / "clips" / name

    def row(self, name: str) -> dict[str, str]:
        return next(row for row in self.rows if row["path"] == f"clips/{name}")

    def says(self, name: str, **changed: Any) -> None:
        """Let the header of a clip differ from the others'."""
        self.answers[name] = Answer(probe=replace(HDR, **changed))

    def audit(self, corpus: str = "yard", **options: Any) -> AuditReport:
        """Write the labels and audit the yard."""
        self.write_labels()
        return audit(corpus, self.root, **options)

    def write_labels(self) -> None:
        with (self.root / "yard.csv").open("w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, FIELDS, restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def probe_all(self, root: Path, clips: Sequence[Clip], *, workers: int) -> Iterator[tuple[Clip, Answer]]:
        """Stands for ``probing.probe_all``."""
        for clip in clips:
            yield clip, self.answers.get(clip.name, Answer(probe=HDR))

    def pretend(self, patch: pytest.MonkeyPatch) -> None:
        """Answer for the prober and the estimate from now on."""
        guess = Estimate(seconds=5400.0, table_bytes=7500, state_bytes=25000, sampled_clips=4)
        patch.setattr(headers, "probe_all", self.probe_all)
        patch.setattr(examine, "estimate", lambda *given: guess)


def found(report: AuditReport) -> dict[str, Finding]:
    """The findings by code."""
    return {finding.code: finding for finding in report.findings}
