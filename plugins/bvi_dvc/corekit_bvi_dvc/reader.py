"""From file names to clips: sequences in folders and in zip archives, of which the directory alone is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from corekit import Clip, CorpusError, Label, RawVideo
from corekit_bvi_dvc.info import INFO, BviDvcOptions

FOLDERS = ("Videos", "")
"""Where sequences lie, by precedence; archives (``BVI-DVC Part 1.zip``) come last."""
_NAME = re.compile(
    r"(?P<stem>(?P<tier>[ABCD])(?P<content>[A-Za-z0-9]+)_(?P<width>\d+)x(?P<height>\d+)_(?P<fps>\d+)fps_(?P<depth>8|10)bit"
    r"_(?P<chroma>420|422|444)(?:_x264_compressed)?)\.(?P<kind>mp4|mkv|yuv|y4m)"
)
_KINDS = ("mp4", "mkv", "y4m", "yuv")
"""By precedence, where a sequence lies there in several forms."""
_NTSC = {23: "24000/1001", 29: "30000/1001", 59: "60000/1001", 119: "120000/1001"}
"""What the truncated rates of names stand for; needed of headerless files alone."""


def read_clips(root: Path, options: BviDvcOptions) -> Iterator[Clip]:
    """Yield every sequence once, sorted by name; the form and the place come by precedence.

    Raises ``CorpusError`` where a folder cannot be listed, an archive cannot be read, or no sequence is found.
    """
    chosen: dict[str, tuple[int, Clip]] = {}
    for place in _places(root):
        match = _NAME.fullmatch(place.rpartition("/")[2])
        if match is None:
            continue
        rank = _KINDS.index(match["kind"])
        if match["stem"] not in chosen or rank < chosen[match["stem"]][0]:
            chosen[match["stem"]] = rank, _clip(place, match, options)
    if not chosen:
        raise CorpusError(
            f"{root}: no sequence such as DBookcaseBVITexture_480x272_120fps_10bit_420.mp4, neither in Videos/ nor in a zip "
            "archive; give --root the folder that holds them."
        )
    return iter(sorted((clip for _, clip in chosen.values()), key=lambda clip: clip.name))


def _places(root: Path) -> Iterator[str]:
    """Paths of files, relative to the root; those of an archive's members begin with the archive's name."""
    archives = []
    for folder in FOLDERS:
        for name in _names_in(root / folder):
            yield f"{folder}/{name}".lstrip("/")
            if not folder and name.lower().endswith(".zip"):
                archives.append(name)
    for archive in archives:
        try:
            with ZipFile(root / archive) as opened:
                yield from (f"{archive}/{member}" for member in sorted(opened.namelist()))
        except (OSError, BadZipFile) as error:
            raise CorpusError(f"{root / archive}: the archive cannot be read ({error}); fetch it again.") from error


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorpusError(f"{folder}: it cannot be listed ({error.strerror}); check its permissions.") from error


def _clip(place: str, match: re.Match[str], options: BviDvcOptions) -> Clip:
    first = place.partition("/")[0]
    return Clip(
        name=match[0],
        path=place,
        content=match["content"],
        label=Label(kind=INFO.label_kind),
        raw=_raw(match) if match["kind"] == "yuv" else None,
        archive=first if first.lower().endswith(".zip") else "",
        encode=options.recipe,
        src=f"bvi-dvc:{match['stem']}",
        extra={"bvi_dvc_tier": match["tier"], "bvi_dvc_fps_token": int(match["fps"])},
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
