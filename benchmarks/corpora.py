"""Throw-away corpora to run on: generated clips in a folder, and a corpus plugin of their own that needs no installation."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.content import encode, scene
from corekit.model import FrameFormat
from corekit.video import VideoReader

NAME = "benchmark"
LABELS = "clips.csv"

_PLUGIN = f'''"""Reads a generated corpus: {LABELS} (file,content,reference) beside its clips."""

import csv

from corekit import Clip, CorpusInfo, Label, Licence, hookimpl

COREKIT_API = 1


@hookimpl
def corekit_corpus():
    return CorpusInfo(
        name="{NAME}", title="generated clips", version="1", homepage="https://example.org",
        licences=(Licence("CC0-1.0", "generated"),), treat_as="CC0-1.0", pairings=("nr", "fr"), label_kind="mos",
        label_min=1.0, label_max=5.0, split_seed="benchmark", root_env="COREKIT_BENCHMARK_ROOT",
    )


@hookimpl
def corekit_read_corpus(root, options):
    with (root / "{LABELS}").open(newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            yield Clip(
                name=row["file"], path=row["file"], content=row["content"], label=Label(kind="mos", value=3.0),
                is_reference=row["reference"] == "1", origin=f"{LABELS}:{{line}}",
            )
'''

USER_CLIP = FrameFormat(960, 540, 8, "420")
USER_CLIP_FRAMES = 150
LADDER_REFERENCE = FrameFormat(1920, 1080, 10, "420")
LADDER = ((640, 360, 34), (1280, 720, 36), (1280, 720, 28), (1920, 1080, 40), (1920, 1080, 34), (1920, 1080, 28))
"""Width, height and CRF of each rung below the reference."""


def install_plugin(folder: Path) -> Path:
    """Write the plugin and its metadata into ``folder``, which belongs on PYTHONPATH."""
    _install(folder, "corekit.corpora", NAME, f"corekit_{NAME}")
    (folder / f"corekit_{NAME}.py").write_text(_PLUGIN)
    return folder


def install_backend(folder: Path, name: str, module: str) -> None:
    """Write the metadata of a backend plugin, which is ``module``, into ``folder``."""
    _install(folder, "corekit.backends", name, module)


def _install(folder: Path, group: str, name: str, module: str) -> None:
    info = folder / f"corekit_{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: corekit-{name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")


def write_user_clips(root: Path, *, scenes: int, copies: int) -> int:
    """A corpus like KoNViD-150k: 5 s clips of 960x540, H.264, no references; returns the number of clips.

    Every scene is there ``copies`` times under other names: it costs what another scene would.
    """
    root.mkdir()
    rows = []
    for seed in range(scenes):
        first = root / f"scene{seed}_0.mp4"
        encode(first, scene(USER_CLIP, USER_CLIP_FRAMES, seed=seed), USER_CLIP, codec="libx264", crf=26)
        for copy in range(1, copies):
            shutil.copyfile(first, root / f"scene{seed}_{copy}.mp4")
        rows += [(f"scene{seed}_{copy}.mp4", f"scene{seed}_{copy}", 0) for copy in range(copies)]
    _write_labels(root, rows)
    return len(rows)


def write_ladders(root: Path, *, contents: int, frames: int, scenes: int = 0) -> int:
    """A corpus like CHUG: per content a 1080p 10-bit PQ HEVC reference and its rungs; returns the number of rungs.

    Where ``scenes`` are fewer than contents, the others are copies of theirs under other names, which cost what they would.
    """
    root.mkdir()
    rows = []
    for seed in range(contents):
        names = [f"content{seed}_reference.mp4", *(f"content{seed}_rung{rung}.mp4" for rung in range(len(LADDER)))]
        rows += [(name, f"content{seed}", int(name == names[0])) for name in names]
        if scenes and seed >= scenes:
            for name in names:
                shutil.copyfile(root / name.replace(f"content{seed}", f"content{seed % scenes}"), root / name)
            continue
        reference = root / names[0]
        pristine = scene(LADDER_REFERENCE, frames, seed=seed)
        encode(reference, pristine, LADDER_REFERENCE, codec="libx265", crf=14, preset="ultrafast")
        for name, (width, height, crf) in zip(names[1:], LADDER, strict=True):
            fmt = FrameFormat(width, height, LADDER_REFERENCE.bit_depth, LADDER_REFERENCE.chroma)
            with VideoReader(reference, target=fmt) as planes:
                encode(root / name, planes, fmt, codec="libx265", crf=crf, preset="ultrafast")
    _write_labels(root, rows)
    return contents * len(LADDER)


def write_pairs(root: Path, ladders: Path, *, contents: int) -> None:
    """The ladders once more, every rung as a content of its own, beside its own copy of the reference."""
    root.mkdir()
    rows = []
    for seed in range(contents):
        for rung in range(len(LADDER)):
            content = f"content{seed}_rung{rung}"
            shutil.copyfile(ladders / f"content{seed}_reference.mp4", root / f"{content}_reference.mp4")
            shutil.copyfile(ladders / f"{content}.mp4", root / f"{content}.mp4")
            rows += [(f"{content}_reference.mp4", content, 1), (f"{content}.mp4", content, 0)]
    _write_labels(root, rows)


def _write_labels(root: Path, rows: list[tuple[str, str, int]]) -> None:
    lines = ["file,content,reference", *(f"{file},{content},{reference}" for file, content, reference in rows)]
    (root / LABELS).write_text("\n".join(lines) + "\n")
