"""Open a corpus: find its root, read its labels through the plugin, check every clip, and say which files are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from corekit.driver.options import RunOptions
from corekit.driver.origins import LabelPlaces, label_files_of
from corekit.driver.places import Places
from corekit.errors import CorpusError, PluginError, UsageError
from corekit.model import Clip, CorpusInfo
from corekit.plugins.composition import Composition, parse_options
from corekit.split import split_of


class Corpus:
    """A corpus on disk: its description, root and clips in the plugin's order.

    Iterating yields ``Clip``; a clip's file may be missing (``has`` tells).
    """

    def __init__(self, info: CorpusInfo, root: Path, clips: tuple[Clip, ...]) -> None:
        self.info = info
        self.root = root
        self.clips = clips
        self.places = Places(root)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    def path(self, clip: Clip) -> Path:
        """Where the clip's file lies, or would lie."""
        return self.places.path(clip)

    def has(self, clip: Clip) -> bool:
        """Whether the clip's file is there."""
        return self.places.has(clip)

    def split(self, clip: Clip, seed: str | None = None) -> str:
        """The clip's split: the corpus's own where it prescribes one, else by content hash."""
        return clip.split or split_of(clip.content, seed or self.info.split_seed)

    def label_files(self) -> dict[str, Path]:
        """The label files that the clips came from, by the name that their origins give them."""
        names = dict.fromkeys(name for clip in self.clips for name in label_files_of(clip))
        return {name: self.root / name for name in names if (self.root / name).is_file()}


def open_corpus(
    name: str,
    root: Path | str | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    disable: Sequence[str] = (),
) -> Corpus:
    """Read the labels of a corpus.

    ``root`` None takes the environment variable that the plugin names; ``settings`` are the plugin's own options.

    Raises
    ------
    PluginError
        No usable plugin of that name.
    UsageError
        No root was named, or an option is unknown.
    CorpusError
        The root is no folder, or the labels cannot be read: names file and line.
    """
    composition = Composition(disable)
    composition.add_corpus(name)
    return _open(composition, Path(root) if root else None, settings or {})


def open_for_run(composition: Composition, options: RunOptions, settings: Mapping[str, str]) -> Corpus:
    """``open_corpus`` on a run's own composition; ``settings`` are those of the corpus alone."""
    return _open(composition, options.root, settings)


def _open(composition: Composition, given: Path | None, settings: Mapping[str, str]) -> Corpus:
    assert composition.info is not None
    info = composition.info
    options = parse_options(info.options, settings, info.name)
    root = find_root(info, given)
    clips = _checked(composition.read_corpus(root, options), info, LabelPlaces(root, settings))
    return Corpus(info, root, tuple(clips))


def find_root(info: CorpusInfo, given: Path | None) -> Path:
    """The corpus root: the option, else the plugin's environment variable."""
    value = given or os.environ.get(info.root_env)
    if not value:
        raise UsageError(f"where is {info.title}? give --root DIR or set {info.root_env} (download: {info.homepage})")
    root = Path(value).expanduser().absolute()
    if not root.is_dir():
        raise CorpusError(f"the corpus root {root} is not a folder; give --root the folder that holds {info.title}")
    return root


def _checked(clips: Iterator[Clip], info: CorpusInfo, places: LabelPlaces) -> Iterator[Clip]:
    seen: dict[str, str] = {}
    first: dict[str, Clip] = {}
    for clip in clips:
        _check_path(clip)
        if astray := places.astray(label_files_of(clip)):
            raise PluginError(
                info.name,
                f"the plugin of {info.title} says that the label of {clip.name} stands in {astray}, which is not below the corpus "
                "root; origins must name label files relative to it",
            )
        if not clip.content:
            where = clip.origin or clip.path
            raise CorpusError(f"{where}: {clip.name} has no content, the scene that it shows; fill it in")
        if clip.name in seen:
            raise CorpusError(
                f"{clip.origin or clip.path}: clip {clip.name} was named before, at {seen[clip.name]}; "
                "a clip has one label: remove one of the two lines"
            )
        seen[clip.name] = clip.origin or clip.path
        _check_split(clip, first.setdefault(clip.content, clip))
        yield clip


def _check_path(clip: Clip) -> None:
    path = PurePosixPath(clip.path)
    hostile = path.is_absolute() or ".." in path.parts or "\0" in clip.path or "\\" in clip.path or not path.name
    hostile |= bool(clip.archive) and not clip.path.startswith(f"{clip.archive}/")
    if hostile or path.name != clip.name or not _is_text(clip.path + clip.content):
        remedy = "pack the archive anew without it" if clip.archive else "rename the file"
        raise CorpusError(
            f"{clip.origin or clip.archive or 'the plugin'}: {clip.path!r} is not a path of a clip below the corpus root; "
            f"{'correct the name in the label file' if clip.origin else remedy}"
        )


def _is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8: one with undecodable bytes cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_split(clip: Clip, first: Clip) -> None:
    if clip.split != first.split:
        raise CorpusError(
            f"{clip.origin or clip.path}: content {clip.content!r} is put into {clip.split or 'no split'} here and into "
            f"{first.split or 'no split'} at {first.origin or first.path}; a content belongs to one split: correct one of "
            "the two lines"
        )
