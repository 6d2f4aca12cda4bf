"""From file names to clips: sequences in folders and in zip archives, of which the directory alone is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from corekit import Clip, CorpusError, Label, RawVideo
from corekit_bvi_dvc.info import INFO, BviDvcOptions

VIDEOS = "Videos"
"""Where sequences lie first, then in the root, each with a folder of one tier; archives (``BVI-DVC Part 1.zip``) come last."""
TIERS = "ABCD"
_NAME = re.compile(
    r"(?P<stem>(?P<tier>[ABCD])(?P<content>[A-Za-z0-9]+)_(?P<width>\d+)x(?P<height>\d+)_(?P<fps>\d+)fps_(?P<depth>8|10)bit"
    r"_(?P<chroma>420|422|444)(?:_x264_compressed)?)\.(?P<kind>mp4|mkv|yuv|y4m)",
    re.IGNORECASE,
)
_KINDS = ("mp4", "mkv", "y4m", "yuv")
"""By precedence, where a sequence lies there in several forms."""
_NTSC = {23: "24000/1001", 29: "30000/1001", 59: "60000/1001", 119: "120000/1001"}
"""What the truncated rates of names stand for; needed of headerless files alone."""


def read_clips(root: Path, options: BviDvcOptions) -> Iterator[Clip]:
    """Yield every sequence once, sorted by name; the form and the place come by precedence, and case tells nothing apart.

    Raises ``CorpusError`` where a folder cannot be listed, an archive cannot be read, or no sequence is found.
    """
    chosen: dict[str, tuple[int, str, re.Match[str]]] = {}
    for place in _places(root):
        match = _NAME.fullmatch(place.rpartition("/")[2])
        if match is None:
            continue
        stem, rank = match["stem"].lower(), _KINDS.index(match["kind"].lower())
        if stem not in chosen or rank < chosen[stem][0]:
            chosen[stem] = rank, place, match
    if not chosen:
        raise CorpusError(
            f"{root}: no sequence such as DBookcaseBVITexture_480x272_120fps_10bit_420.mp4, neither in Videos/ nor in a zip "
            "archive; give --root the folder that holds them."
        )
    # The tiers of a source share a content and so a split, whichever way each file is spelled.
    contents: dict[str, str] = {}
    for content in sorted(match["content"] for _, _, match in chosen.values()):
        contents.setdefault(content.lower(), content)
    clips = (_clip(place, match, contents[match["content"].lower()], options) for _, place, match in chosen.values())
    return iter(sorted(clips, key=lambda clip: clip.name))


def _places(root: Path) -> Iterator[str]:
    """Paths of files, relative to the root; those of an archive's members begin with the archive's name."""
    for folder in _folders(root):
        yield from (f"{folder}/{name}".lstrip("/") for name in _names_in(root / folder))
    for archive in (name for name in _names_in(root) if name.lower().endswith(".zip")):
        try:
            with ZipFile(root / archive) as opened:
                yield from (f"{archive}/{member}" for member in sorted(opened.namelist()))
        except (OSError, BadZipFile) as error:
            raise CorpusError(f"{root / archive}: the archive cannot be read ({error}); fetch it again.") from error


def _folders(root: Path) -> Iterator[str]:
    """``Videos`` and the root in any case, each followed by its folders of one tier."""
    for folder in (*(name for name in _names_in(root) if name.lower() == VIDEOS.lower()), ""):
        yield folder
        tiers = (name for name in _names_in(root / folder) if len(name) == 1 and name.upper() in TIERS)
        yield from (f"{folder}/{tier}".lstrip("/") for tier in tiers)


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CorpusError(f"{folder}: it cannot be listed ({error.strerror}); check its permissions.") from error


def _clip(place: str, match: re.Match[str], content: str, options: BviDvcOptions) -> Clip:
    first = place.partition("/")[0]
    return Clip(
        name=match[0],
        path=place,
        content=content,
        label=Label(kind=INFO.label_kind),
        raw=_raw(match) if match["kind"].lower() == "yuv" else None,
        archive=first if first.lower().endswith(".zip") else "",
        encode=options.recipe,
        src=f"bvi-dvc:{match['stem']}",
        extra={"bvi_dvc_tier": match["tier"].upper(), "bvi_dvc_fps_token": int(match["fps"])},
    )


def _raw(match: re.Match[str]) -> RawVideo:
    depth = "10le" if match["depth"] == "10" else ""
    rate = int(match["fps"])
    return RawVideo(
        width=int(match["width"]),
        height=int(match["height"]),
        pix_fmt=f"yuv{match['chroma']}p{depth}",
        framerate=_NTSC.get(rate, f"{rate}/1"),
    )
