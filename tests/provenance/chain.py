"""A chain of artefacts on the sample of CHUG: run, enrich, merge, train; made once and copied for each test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from corekit import EnrichOptions, MergeOptions, RunOptions, TrainOptions, enrich, make_sample, merge, run, train


class Chain:
    """A checkout-like folder with a corpus and everything that was made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corpus = folder / "demo"
        self.table = folder / "out" / "chug.parquet"
        self.enriched = folder / "out" / "enriched.parquet"
        self.merged = folder / "out" / "merged.parquet"
        self.model = folder / "out" / "model"

    @property
    def manifest(self) -> Path:
        return self.table.with_name("chug.manifest.json")

    def clips(self) -> list[Path]:
        return sorted((self.corpus / "CHUG_Videos").iterdir())

    def copy(self, folder: Path) -> Chain:
        """The same files at another path."""
        shutil.copytree(self.folder, folder)
        return Chain(folder)

    def make(self) -> None:
        """Every step, from the folder, as a user would."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            make_sample("chug", Path("demo"))
            out = Path("out")
            run(
                RunOptions(
                    corpus="chug", root=Path("demo"), out=out / "chug.parquet", features="canonical", backend="cpu",
                    workers=2, frames=True,
                )
            )  # fmt: skip
            sidecar = Path("notes.csv")
            sidecar.write_text("clip_name,x_note\n" + "".join(f"{clip.name},seen\n" for clip in self.clips()))
            enrich(
                EnrichOptions(
                    table=out / "chug.parquet", metadata=sidecar, keys=("x_note",), out=out / "enriched.parquet"
                )
            )
            merge(MergeOptions(inputs=("out/enriched.parquet",), out=out / "merged.parquet"))
            train(
                TrainOptions(
                    corpus="chug", tables=(out / "merged.parquet",), out=out / "model", protocol="loso", model="ridge"
                )
            )
        finally:
            os.chdir(before)
