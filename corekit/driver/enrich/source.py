"""Where metadata comes from: a sidecar file, or the plugin that reads the corpus itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from corekit.driver.corpus import Corpus, open_corpus
from corekit.driver.enrich.keys import listed
from corekit.driver.plan import split_policy
from corekit.driver.sidecar import Line, Sidecar
from corekit.errors import CorpusError, LabelError, UsageError
from corekit.model import Clip, Measurement, Probe, Value
from corekit.plugins.composition import Composition
from corekit.plugins.hookspecs import RowContext
from corekit.table import read_schema

_FORMATS = (("yuv420p", 8, 2, 2), ("yuv444p10le", 10, 4, 6))
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_EMPTY_SHA256 = "0" * 64


class FileSource:
    """Rows of a sidecar file; ``key`` are the columns that may name a clip."""

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self._sidecar = Sidecar.of(path)
        self._key = key
        self.untyped = self._sidecar.untyped

    def lines(self) -> Iterator[Line]:
        try:
            self._check_columns()
            yield from self._sidecar.lines()
        except UsageError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise UsageError(
                f"--metadata {self._sidecar.path} cannot be read ({reason}); give a whole JSONL, CSV or Parquet file"
            ) from error

    def where(self, line: int) -> str:
        return self._sidecar.where(line)

    def refuse(self, line: int, problem: str) -> Exception:
        return LabelError(
            self._sidecar.path, line, f"this line {problem}; correct it, or pass over such lines with --skip-malformed"
        )

    def _check_columns(self) -> None:
        """Refuse a file that has columns of which none names a clip: no line of it could be right."""
        path = self._sidecar.path
        line, names = _header(path) if self.untyped else (0, [])
        if self._sidecar.format == "parquet":
            names = read_schema(path).names
        if not names or set(names) & set(self._key):
            return
        sign = next((sign for sign in _DELIMITERS if len(names) == 1 and sign in names[0]), "")
        problem = f"the file has no column {', '.join(self._key)}"
        if sign and line:
            problem += f": {_DELIMITERS[sign]} separate its cells; write commas"
        else:
            problem += f"; give the one that names the clips with --key (it has {listed(names)})"
        raise LabelError(path, line, problem) if line else CorpusError(f"{path}: {problem}")


class PluginSource:
    """The metadata columns that a corpus's plugin shapes from its label files.

    No video is opened: every row is shaped for two made-up headers, and a value that differs between them follows from
    the header and is left out.
    """

    untyped = False

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
            "split_policy": split_policy(self.corpus, clip),
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


def _header(path: Path) -> tuple[int, list[str]]:
    """The line and the cells of a CSV file's header; no cells where it has none, or none that can be read."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = next((row for row in reader if any(row)), [])
            "".join(names).encode()
        except (csv.Error, UnicodeEncodeError):
            return 1, []
        return reader.line_num, [name.strip() for name in names]


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
