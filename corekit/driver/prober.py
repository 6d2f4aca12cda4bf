"""The process that reads headers for the audit: questions come in on standard input, answers go out on standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from corekit.driver.places import Places
from corekit.errors import ClipError
from corekit.model import Clip, Label, Probe, RawVideo

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_EBML = b"\x1a\x45\xdf\xa3"


class Question(Struct, frozen=True):
    """What of a clip says where it lies and how it is read; see ``Clip``."""

    path: str
    raw: RawVideo | None = None
    archive: str = ""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the header says, or why it cannot be read."""

    probe: Probe | None = None
    problem: str = ""
    cut: str = ""
    """What is missing at the end of the file; empty where its structure is whole."""


def answer(root: Path, question: Question) -> Answer:
    """Read the header and the first frame; paths in messages are relative to the root."""
    places = Places(root)
    clip = Clip(
        name=question.path.rpartition("/")[2],
        path=question.path,
        content="",
        label=Label(kind="none"),
        raw=question.raw,
        archive=question.archive,
    )
    try:
        header = places.probe(clip)
        alone = not (clip.raw or clip.archive)
        return Answer(probe=header, cut=_cut(places.path(clip), header.size_bytes) if alone else "")
    except (ClipError, OSError) as error:
        return Answer(problem=str(error).replace(f"{root}/", ""))


def _cut(path: Path, size: int) -> str:
    from corekit.video.structure import unfinished_box, unfinished_riff, unfinished_segment

    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        if head[4:] in _FIRST_BOXES:
            return unfinished_box(file, size) or ""
        if head.startswith(b"RIFF"):
            return unfinished_riff(file, size) or ""
        return (unfinished_segment(file, size) or "") if head.startswith(_EBML) else ""


def main() -> None:
    """Answer one JSON line with one, until the input ends."""
    root = Path(sys.argv[1])
    for line in sys.stdin.buffer:
        reply = answer(root, msgspec.json.decode(line, type=Question))
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
