"""The options of a merge, and how its inputs are named: LABEL=PATH, a manifest, or a file that lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from corekit.errors import UsageError
from corekit.manifest import manifest_path, read_manifest

NATURAL_KEY = ("src_sha256", "encoder", "preset", "crf", "extra_params", "vmaf_model")
"""What makes two encode rows one; the older scripts used the first four, and lost encodes that differ in the rest."""

Scale = Literal["native", "0-100"]
_LABELLED = re.compile(r"([A-Za-z0-9][\w.+-]*)=(.+)", re.DOTALL)


class InputPath(Struct, frozen=True):
    """One input as it was named."""

    shown: str
    """The path as given."""
    path: Path
    label: str
    labelled: bool
    """Whether the label was given, not taken from the file's name."""

    @classmethod
    def of(cls, path: Path, label: str = "") -> InputPath:
        """An input whose path and label are known apart, so that neither needs to be legal in ``LABEL=PATH``."""
        return cls(str(path), path, label or path.name, labelled=bool(label))


class MergeOptions(Struct, frozen=True, kw_only=True):
    """What `corekit merge` is asked to do; every field is a command-line option or argument."""

    inputs: tuple[str | InputPath, ...] = ()
    """``LABEL=PATH``, ``PATH`` or ``InputPath.of(path, label)``, in the order of the rows; a ``.manifest.json`` stands for the
    table it names."""
    out: Path
    """Table to write; a name that ends in ``.jsonl`` gives strict JSON lines instead of Parquet."""
    input_list: Path | None = None
    """A text file that names inputs, one a line, relative to its folder; they follow those of ``inputs``."""
    scale: Scale = "native"
    dedup_key: tuple[str, ...] = NATURAL_KEY
    """Columns that make two encode rows one."""
    report_duplicates: bool = False
    assume_teacher: str = ""
    """The model of vmaf in frame rows that name none."""
    corpus_sources: Mapping[str, str] = field(default_factory=dict)
    """Path or label of an input to the corpus of the rows that name none."""
    manifest_out: Path | None = None
    record_host: bool = False
    """Let the manifest name the machine and the user."""

    @property
    def table(self) -> Path:
        return self.out.absolute()

    @property
    def manifest(self) -> Path:
        return (self.manifest_out or manifest_path(self.table)).absolute()

    @property
    def duplicates(self) -> Path:
        return self.table.with_name(f"{self.table.stem}.duplicates.jsonl")

    def check(self) -> None:
        """Refuse values that no merge can have.

        Raises
        ------
        UsageError
            Names the option and the values it takes.
        """
        if self.table.suffix not in (".parquet", ".jsonl"):
            raise UsageError(f"--out {self.out}: give a name that ends in .parquet or .jsonl")
        if self.table.is_dir():
            raise UsageError(f"--out {self.out}: this is a folder; give the name of a file")
        if self.manifest in (self.table, self.duplicates):
            raise UsageError(
                f"--manifest-out {self.manifest_out}: another file of this merge goes there; choose another"
            )
        if self.duplicates == self.table:
            raise UsageError(f"--out {self.out}: the list of duplicates goes there; choose another")
        if self.scale not in ("native", "0-100"):
            raise UsageError(f"--scale {self.scale}: give native or 0-100")
        if not self.dedup_key or len(set(self.dedup_key)) < len(self.dedup_key) or "" in self.dedup_key:
            raise UsageError(f"--dedup-key {','.join(self.dedup_key)}: give column names, each once")


def resolve_inputs(options: MergeOptions) -> list[InputPath]:
    """Every input in order; manifests replaced by their tables.

    Raises
    ------
    UsageError
        There is none, or one does not exist.
    """
    named = [given if isinstance(given, InputPath) else _input(given, Path()) for given in options.inputs]
    if options.input_list is not None:
        named += _listed(options.input_list)
    if not named:
        raise UsageError("nothing to merge; name tables as LABEL=PATH or PATH, or give --inputs FILE")
    for given in named:
        if not given.path.is_file():
            reason = "is a folder" if given.path.is_dir() else "does not exist"
            raise UsageError(f"{given.shown} {reason}; name a table, a JSONL file or a manifest")
    inputs = [_of_manifest(given) if given.path.name.endswith(".manifest.json") else given for given in named]
    return inputs


def corpus_of(options: MergeOptions, inputs: Sequence[InputPath]) -> list[str]:
    """For each input the corpus that ``--corpus-source`` gives it, or empty.

    Raises
    ------
    UsageError
        A source names no input.
    """
    found = []
    used: set[str] = set()
    for given in inputs:
        keys = [key for key in options.corpus_sources if key == given.label or _same(key, given)]
        used.update(keys)
        found.append(options.corpus_sources[keys[0]] if keys else "")
    for key in options.corpus_sources:
        if key not in used:
            known = ", ".join(given.shown for given in inputs)
            raise UsageError(f"--corpus-source {key}={options.corpus_sources[key]}: no such input; give one of {known}")
    return found


def _same(key: str, given: InputPath) -> bool:
    return key == given.shown or Path(key).absolute() == given.path.absolute()


def _input(text: str, folder: Path) -> InputPath:
    match = None if (folder / text).exists() else _LABELLED.fullmatch(text)
    shown = match[2] if match else text
    path = folder / shown
    return InputPath(str(path), path, match[1] if match else path.name, labelled=match is not None)


def _listed(path: Path) -> list[InputPath]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--inputs {path} cannot be read ({error}); name a text file") from error
    inputs = []
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            inputs.append(_input(text, path.parent))
    if not inputs:
        raise UsageError(f"--inputs {path} names nothing; write LABEL=PATH or PATH on each line")
    return inputs


def _of_manifest(given: InputPath) -> InputPath:
    artefact = read_manifest(given.path).artefacts.get("table")
    if artefact is None:
        raise UsageError(f"{given.shown} names no table; name the table itself")
    path = given.path.parent / Path(artefact.file).name
    if not path.is_file():
        raise UsageError(f"{given.shown} names {artefact.file}, which does not lie beside it; name the table itself")
    return InputPath(str(path), path, given.label if given.labelled else path.name, labelled=given.labelled)
