"""Where metadata comes from: a sidecar file, or the plugin that reads the corpus itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corekit.driver.corpus import Corpus, open_corpus
from corekit.driver.sidecar import Line, Sidecar
from corekit.errors import CorpusError, LabelError
from corekit.model import Clip, Measurement, Probe, Value
from corekit.plugins.composition import Composition
from corekit.plugins.hookspecs import RowContext

_FORMATS = (("yuv420p", 8, 2, 2), ("yuv444p10le", 10, 4, 6))
_EMPTY_SHA256 = "0" * 64


class FileSource:
    """Rows of a sidecar file."""

    prescribes_splits = False

    def __init__(self, path: Path) -> None:
        self._sidecar = Sidecar.of(path)
        self.untyped = self._sidecar.untyped

    def lines(self) -> Iterator[Line]:
        return self._sidecar.lines()

    def where(self, line: int) -> str:
        return self._sidecar.where(line)

    def refuse(self, line: int, problem: str) -> Exception:
        return LabelError(
            self._sidecar.path, line, f"this line {problem}; correct it, or pass over such lines with --skip-malformed"
        )


class PluginSource:
    """The metadata columns that a corpus's plugin shapes from its label files.

    No video is opened: every row is shaped for two made-up headers, and a value that differs between them follows from
    the header and is left out.
    """

    untyped = False
    prescribes_splits = True

    def __init__(self, corpus: Corpus, composition: Composition) -> None:
        self.corpus = corpus
        self._composition = composition
        self._names = {column.name for column in corpus.info.columns} | set(corpus.info.metadata_keys)

    @classmethod
    def open(cls, name: str, root: Path | None, *, settings: dict[str, str], disable: tuple[str, ...]) -> PluginSource:
        """Read the labels of a corpus; errors as of ``open_corpus``."""
        composition = Composition(disable)
        composition.add_corpus(name)
        return cls(open_corpus(name, root, settings=settings, disable=disable), composition)

    def lines(self) -> Iterator[Line]:
        for number, clip in enumerate(self.corpus, start=1):
            yield Line(number, self._values(clip))

    def where(self, line: int) -> str:
        clip = self.corpus.clips[line - 1]
        return clip.origin or clip.path

    def refuse(self, line: int, problem: str) -> Exception:
        return CorpusError(f"{self.where(line)}: this clip {problem}; correct the label file")

    def _values(self, clip: Clip) -> dict[str, Any]:
        first, second = (self._shaped(clip, number) for number in range(len(_FORMATS)))
        own = {name: first[name] for name in first if first[name] == second.get(name)}
        return {
            "clip_name": clip.name,
            "corpus": self.corpus.info.name,
            "content": clip.content,
            "split": clip.split,
            **own,
        }

    def _shaped(self, clip: Clip, number: int) -> dict[str, Value]:
        probe = _probe(number)
        info = self.corpus.info
        context = RowContext(
            run_id="",
            timestamp="",
            info=info,
            reference=None,
            pairing=info.pairings[0],
            split="train",
            split_policy=info.split_policy,
            measurement=_measurement(probe),
            timings=False,
        )
        columns = self._composition.shape_row(clip, probe, {}, context)
        return {column.name: value for column, value in columns.items() if column.name in self._names}


def _probe(number: int) -> Probe:
    pix_fmt, bit_depth, width, height = _FORMATS[number]
    return Probe(
        width=width,
        height=height,
        pix_fmt=pix_fmt,
        bit_depth=bit_depth,
        codec=f"codec{number}",
        framerate=f"{number + 24}/1",
        duration_s=number + 1.0,
        n_frames=number + 1,
        size_bytes=number + 1,
    )


def _measurement(probe: Probe) -> Measurement:
    return Measurement(
        clip_sha256=_EMPTY_SHA256,
        ref_sha256=None,
        probe=probe,
        ref_probe=None,
        frames_dis=None,
        frames_ref=None,
        n_frames=None,
        pooled={},
        nulls={},
        options={},
        backend="none",
        versions={},
    )
