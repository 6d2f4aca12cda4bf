"""Throw-away distributions, real enough for ``importlib.metadata``: a dist-info folder and a module beside it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

GOOD_CORPUS = """
from corekit import Clip, Column, CorpusInfo, Label, Licence, hookimpl

COREKIT_API = 1
GRADE = Column(name="farm_grade", type="int", description="grade of the clip")
INFO = CorpusInfo(
    name="farm", title="The farm corpus", version="7", homepage="https://example.org",
    licences=(Licence("CC0", "README"),), treat_as="CC0", pairings=("fr",), label_kind="mos", label_min=0.0,
    label_max=10.0, columns=(GRADE,), metadata_keys=("grade_text",), split_seed="farm", root_env="FARM_ROOT",
)


@hookimpl
def corekit_corpus():
    return INFO


@hookimpl
def corekit_read_corpus(root):
    for number, line in enumerate((root / "farm.txt").read_text().splitlines(), start=1):
        name, content, kind, mos = line.split()
        yield Clip(
            name=name, path=name, content=content, label=Label(kind="mos", value=float(mos)),
            origin=f"farm.txt:{number}", is_reference=kind == "ref",
        )


@hookimpl
def corekit_shape_row(clip):
    return {GRADE: len(clip.name)}
"""

GOOD_BACKEND = """
import numpy as np
from corekit import BackendInfo, Extractor, GroupSession, PairFeatures, hookimpl

COREKIT_API = 1


@hookimpl
def corekit_backend():
    return BackendInfo(name="flat", title="mean luma difference as psnr_y", numeric_class="flat")


@hookimpl
def corekit_extract_features(features):
    return FlatExtractor()


class FlatExtractor(Extractor):
    versions = {"flat": "1"}
    identity = {"class": "flat"}

    def lacks(self, feature, fmt):
        return None if feature == "psnr_y" else "flat knows psnr_y alone"

    def open_group(self, group):
        return FlatSession(group)


class FlatSession(GroupSession):
    def __init__(self, group):
        self.values = [[] for _ in group.pairs]

    def push(self, reference, distorted):
        for values, planes in zip(self.values, distorted):
            if planes is not None:
                values.append(float(np.mean(np.abs(reference[0].astype(float) - planes[0]))))

    def finish(self):
        return [PairFeatures({"psnr_y": np.array(values)}, {}, len(values)) for values in self.values]

    def close(self):
        pass
"""


class Site:
    """A folder on the import path that holds installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        distribution: str,
        entry_points: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str],
        *,
        version: str = "1.0",
    ) -> None:
        """Install a distribution: ``entry_points`` maps group to name to value, ``modules`` name to source."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = []
        for group, points in entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items()), ""]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for name, source in modules.items():
            (self.folder / f"{name}.py").write_text(source)
        importlib.invalidate_caches()

    def add_corpus(self, name: str, source: str, *, distribution: str = "") -> None:
        """Install a distribution ``dist-<name>`` with one corpus plugin in module ``mod_<name>``."""
        self._add_one("corekit.corpora", name, source, distribution)

    def add_backend(self, name: str, source: str, *, distribution: str = "") -> None:
        self._add_one("corekit.backends", name, source, distribution)

    def add_extension(self, name: str, source: str, *, distribution: str = "") -> None:
        self._add_one("corekit.extensions", name, source, distribution)

    def _add_one(self, group: str, name: str, source: str, distribution: str) -> None:
        distribution = distribution or f"dist-{name}"
        module = f"mod_{distribution.replace('-', '_')}_{name}"
        self.add(distribution, {group: {name: module}}, {module: source})

    def forget(self) -> None:
        """Drop what was imported from here."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                del sys.modules[name]
