"""The outer structure of MP4, AVI and Matroska files: whether the last element reaches beyond the end of the file.

Files are given open, at their beginning.
"""

from __future__ import annotations

from typing import BinaryIO

_EBML_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067


def unfinished_box(file: BinaryIO, size: int) -> str | None:
    """What is cut off from an MP4 of ``size`` bytes; None where its top-level boxes are whole (ISO/IEC 14496-12)."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16])
        if length < 8:  # 0 reaches to the end of the file; the rest is no box
            return None
        position += length
        if position > size and kind in (b"moof", b"mdat"):
            return f"{position - size} bytes of its last {kind.decode()} box are missing"
    return None


def unfinished_riff(file: BinaryIO, size: int) -> str | None:
    """What is cut off from an AVI of ``size`` bytes; None where its RIFF chunks are whole or not yet sized."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        kind, length = file.read(4), int.from_bytes(file.read(4), "little")
        if kind != b"RIFF" or length in (0, 0xFFFFFFFF):
            return None
        position += 8 + length + length % 2
    return f"{position - size} bytes of its last RIFF chunk are missing" if position > size else None


def unfinished_segment(file: BinaryIO, size: int) -> str | None:
    """What is cut off from a Matroska file of ``size`` bytes; None where its segment is whole or unsized (RFC 8794)."""
    while file.tell() < size:
        element, length = _vint(file, keep_marker=True), _vint(file)
        if element not in (_EBML_HEADER, _SEGMENT) or length is None:
            return None
        end = file.tell() + length
        if element == _SEGMENT:
            return f"{end - size} bytes of its segment are missing" if end > size else None
        file.seek(end)
    return None


def _vint(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """A variable-length integer; None where it is invalid or all ones, which means unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(extra))
    if keep_marker:
        return value
    mask = (1 << 7 * (extra + 1)) - 1
    return None if value & mask == mask else value & mask
