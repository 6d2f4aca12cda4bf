"""What an audit can find: every code with its severity, its sentence and its remedy, and the list in which they gather."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MOST_EXAMPLES = 5


class Kind(Struct, frozen=True):
    """A kind of finding: its severity, what is counted, what is wrong, and what to do."""

    severity: Severity
    unit: str
    """Plural of what is counted."""
    what: str
    remedy: str


class Finding(Struct, frozen=True, kw_only=True):
    """Something that an audit found, how often, and up to five examples in the order of the corpus."""

    code: str
    severity: Severity
    count: int
    unit: str
    what: str
    remedy: str
    examples: tuple[str, ...]


# In the order of the report within one severity.
KINDS: dict[str, Kind] = {
    "labels-refused": Kind(
        "error", "problems", "The label files cannot be trusted as a whole, so no clip was looked at.",
        "repair what the example names; no run starts before",
    ),
    "nothing-to-measure": Kind(
        "error", "corpora", "Not one row of this corpus can be measured.",
        "check --root, and what the other findings say",
    ),
    "missing-clip": Kind(
        "error", "clips", "The labels name these clips and the disk lacks them.",
        "fetch them, or run with --allow-missing to go on without their rows",
    ),
    "missing-reference": Kind(
        "error", "contents", "The reference of these contents is named by the labels and missing on the disk.",
        "fetch it; without it none of the content's clips can be measured",
    ),
    "no-reference": Kind(
        "error", "contents", "No clip of these contents is marked as the reference.",
        "add the reference's row to the label file, or use --pairing nr",
    ),
    "several-references": Kind(
        "error", "contents", "More than one clip of these contents is marked as the reference.",
        "mark one alone in the label file; corekit does not guess which one is meant",
    ),
    "duplicate-id": Kind(
        "error", "rows", "The labels name one clip twice, and a run refuses that.",
        "remove one of the rows",
    ),
    "content-in-two-splits": Kind(
        "error", "clips", "The labels put one content into two splits, and a run refuses that.",
        "correct the column split; a content belongs to one split",
    ),
    "unusable-label": Kind(
        "error", "clips", "These labels are blank, contradicted, no numbers, outside their scale or of an impossible spread; their clips give no row.",
        "correct the rows, or leave them out",
    ),
    "unreadable-header": Kind(
        "error", "clips", "These files cannot be opened as video.",
        "fetch them again; a run would fail them",
    ),
    "cut-short": Kind(
        "error", "clips", "The structure of these files reaches beyond their end: the download stopped early.",
        "fetch them again; a run would fail them",
    ),
    "frame-count-differs": Kind(
        "warning", "pairs", "Reference and clip declare different numbers of frames; a run fails such a pair.",
        "look at them; --frame-mismatch shortest compares what both have",
    ),
    "duplicate-across-splits": Kind(
        "warning", "groups of files", "The same bytes stand in more than one split: a model is tested on what it was trained on.",
        "leave the copies out, or give them the same content name",
    ),
    "transfer-differs-from-reference": Kind(
        "warning", "pairs", "Reference and clip differ in transfer class, such as PQ against SDR.",
        "look at them; their code values do not mean the same light",
    ),
    "duration-differs": Kind(
        "warning", "pairs", "Reference and clip differ in duration by more than a frame.",
        "look at them; frame by frame they may show different moments",
    ),
    "rate-differs-from-reference": Kind(
        "warning", "pairs", "Reference and clip differ in frame rate.",
        "look at them; frame by frame they may show different moments",
    ),
    "pq-without-bt2020": Kind(
        "warning", "clips", "PQ transfer without BT.2020 primaries: the colour tags contradict each other or are incomplete.",
        "find out what the clips are; a run believes the file's transfer",
    ),
    "hlg-without-bt2020": Kind(
        "warning", "clips", "HLG transfer without BT.2020 primaries: the colour tags contradict each other or are incomplete.",
        "find out what the clips are; a run believes the file's transfer",
    ),
    "hdr-at-8-bits": Kind(
        "warning", "clips", "PQ or HLG transfer at 8 bits: the clip counts as SDR.",
        "look for the 10-bit originals; these have been converted, or tagged wrongly",
    ),
    "sdr-at-10-bits": Kind(
        "warning", "clips", "Ten bits or more with SDR tags.",
        "nothing, if the corpus is SDR of high depth; if it is HDR, look for files that kept their tags",
    ),
    "untagged-at-10-bits": Kind(
        "warning", "clips", "Ten bits or more with no transfer stated: HDR or not cannot be told.",
        "nothing, if the corpus is SDR of high depth; if it is HDR, look for files that kept their tags",
    ),
    "geometry-contradicts-labels": Kind(
        "warning", "clips", "The label file gives another width and height than the clip has, as displayed.",
        "check that it is the right file; a run believes the clip",
    ),
    "rate-contradicts-labels": Kind(
        "warning", "clips", "The label file gives another frame rate than the clip has.",
        "check that it is the right file; a run believes the clip",
    ),
    "duplicate-content": Kind(
        "warning", "groups of files", "Clips with different names are the same bytes.",
        "check whether one was fetched under the name of another",
    ),
    "orphan-file": Kind(
        "warning", "files", "Video files in the folders of the clips that no label names; they give no row.",
        "look for a misspelt name or a newer label file",
    ),
    "unreadable-folder": Kind(
        "warning", "folders", "These folders cannot be listed.",
        "check their permissions",
    ),
    "unusable-own-label": Kind(
        "warning", "clips",
        "These labels are blank, contradicted, no numbers, outside their scale or of an impossible spread; the rows stay, with the teacher's label.",
        "correct the rows",
    ),
    "licences-contradict": Kind(
        "warning", "statements", "The statements about the licence differ.",
        "follow the one that the report gives as the licence, or ask the authors",
    ),
    "empty-split": Kind(
        "note", "splits", "No content falls into these splits.",
        "evaluate by leaving contents out in turn, or choose another --split-seed",
    ),
    "variable-frame-rate": Kind(
        "note", "clips", "The frames are not evenly spaced; the rate in the table is an average.",
        "nothing; frames are compared one by one",
    ),
    "label-beyond-scale": Kind(
        "note", "clips", "These labels lie outside their scale by so little (0.05 at most) that they are kept as they are.",
        "nothing",
    ),
    "missing-clip-normal": Kind(
        "note", "clips", "The labels name these clips and the disk lacks them, which is normal for this corpus.",
        "nothing, if there are as many as its plugin says",
    ),
    "repeated-label": Kind(
        "note", "clips", "The label file names these clips more than once and says the same each time.",
        "nothing",
    ),
    "personal-data-file": Kind(
        "note", "files", "These look like votes or observers of single persons; they were not opened and never are.",
        "keep them away from shared disks",
    ),
    "unread-table-file": Kind(
        "note", "files", "These look like label files, and no clip's label comes from them.",
        "check that the right label file was read",
    ),
}  # fmt: skip


class Findings:
    """Gathers findings as they turn up; the first examples of each are kept, all are counted."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, code: str, example: str) -> None:
        """Count one case of ``code``."""
        self._counts[code] = self._counts.get(code, 0) + 1
        examples = self._examples.setdefault(code, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(example)

    def listed(self) -> tuple[Finding, ...]:
        """All findings, the gravest first."""
        found = [code for code in KINDS if code in self._counts]
        return tuple(self._finding(code) for level in SEVERITIES for code in found if KINDS[code].severity == level)

    def _finding(self, code: str) -> Finding:
        kind = KINDS[code]
        return Finding(
            code=code,
            severity=kind.severity,
            count=self._counts[code],
            unit=kind.unit,
            what=kind.what,
            remedy=kind.remedy,
            examples=tuple(self._examples[code]),
        )
