"""A corpus plugin under examination: its description, its sample, its clips, its rows and its runs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from corekit.driver.options import RunOptions
from corekit.errors import CorekitError
from corekit.manifest import Manifest, read_manifest
from corekit.model import Clip, Column, CorpusInfo, Measurement, Pairing, Probe, Value
from corekit.plugins.composition import Composition, parse_options
from corekit.plugins.hookspecs import RowContext
from corekit.table import Table, read_table
from corekit.testing.subject import ChildAnswer, PluginSubject

EPOCH = "1700000000"


class RunOutcome(Struct, frozen=True):
    """What a run of the kit left behind."""

    answer: ChildAnswer
    table_path: Path

    @property
    def table(self) -> Table:
        return read_table(self.table_path)

    @property
    def manifest(self) -> Manifest:
        manifest = read_manifest(self.table_path.with_suffix(".manifest.json"))
        assert isinstance(manifest, Manifest)
        return manifest


class CorpusSubject(PluginSubject):
    """A corpus plugin; ``root`` None examines the corpus that its sample makes."""

    kind = "corpus"

    def __init__(
        self,
        name: str,
        work: Path,
        *,
        root: Path | None = None,
        reads: bool = True,
        makes_sample: bool = True,
        pairing: Pairing | None = None,
        features: str = "canonical",
        limit: int = 8,
    ) -> None:
        super().__init__(name, work)
        self._given_root = root
        self.reads = reads
        self.makes_sample = makes_sample
        self.pairing = pairing
        self.features = features
        self.limit = limit
        self.wanted_hooks = tuple(
            hook for hook, wanted in (("corekit_read_corpus", reads), ("corekit_make_sample", makes_sample)) if wanted
        )

    @cached_property
    def composition(self) -> Composition:
        """Core's defaults and this corpus alone."""
        composition = Composition()
        composition.add_corpus(self.name)
        return composition

    @cached_property
    def info(self) -> CorpusInfo:
        info = self.composition.info
        assert info is not None
        return info

    @cached_property
    def sample(self) -> Path:
        """The folder that the plugin's sample was written to."""
        folder = self.work / "sample"
        folder.mkdir()
        self.composition.make_sample(folder)
        return folder

    @cached_property
    def root(self) -> Path:
        """The root of the corpus that the reading rules are asked of."""
        return self._given_root or self.sample

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        return self.read(self.root)

    def read(self, root: Path) -> tuple[Clip, ...]:
        """Read a corpus through the plugin; of the checks that core makes of clips, that of types alone."""
        options = parse_options(self.info.options, {}, self.name)
        return tuple(self.composition.read_corpus(root, options))

    def yielded(self, root: Path) -> tuple[Clip, ...]:
        """Read a corpus through the plugin, without any check."""
        options = parse_options(self.info.options, {}, self.name)
        return tuple(self.composition.yielded_clips(root, options))

    @cached_property
    def readings(self) -> tuple[ChildAnswer, ChildAnswer]:
        """The corpus read in two fresh processes that hash text differently."""
        first, second = (
            self.child("read", self.name, str(self.root), env={"PYTHONHASHSEED": seed}) for seed in ("1", "2")
        )
        return first, second

    def own_columns(self, clip: Clip) -> dict[Column, Value]:
        """What the plugin's own ``corekit_shape_row`` returns for a clip that nobody measured; empty where it has none.

        Raises
        ------
        HookFailedError
            The hook raised.
        """
        if not hasattr(self.plugin, "corekit_shape_row"):
            return {}
        probe = Probe(
            width=64, height=64, pix_fmt="yuv420p", bit_depth=8, codec="h264", framerate="25/1", duration_s=1.0
        )
        measurement = Measurement(
            clip_sha256="0" * 64, ref_sha256=None, probe=probe, ref_probe=None, frames_dis=25, frames_ref=25, n_frames=25,
            pooled={}, nulls={}, options={}, backend="none", versions={},
        )  # fmt: skip
        row = RowContext(
            run_id="0" * 32, timestamp="2023-11-14T22:13:20+00:00", info=self.info, reference=None,
            pairing=self.pairing or self.info.pairings[0], split=clip.split or "train",
            split_policy=self.info.split_policy, measurement=measurement, timings=False,
        )  # fmt: skip
        columns = self.call("corekit_shape_row", clip=clip, probe=probe, pooled={}, row=row)
        return dict(columns)

    def run_options(self, out: Path) -> RunOptions:
        """The run of the kit: few whole contents, one worker."""
        return RunOptions(
            corpus=self.name, root=self.root, out=out, pairing=self.pairing, features=self.features, limit=self.limit,
            allow_missing=True,
        )  # fmt: skip

    def run(self, name: str, *, kill_after: int = 0) -> RunOutcome:
        """Run in a process of its own, under ``SOURCE_DATE_EPOCH``; an output of that name goes on where it stopped."""
        out = self.work / name / f"{self.name}.parquet"
        out.parent.mkdir(exist_ok=True)
        options = msgspec.json.encode(self.run_options(out), enc_hook=str).decode()
        answer = self.child("run", options, str(kill_after), env={"SOURCE_DATE_EPOCH": EPOCH})
        return RunOutcome(answer, out)

    @cached_property
    def undisturbed(self) -> RunOutcome:
        """A run that nobody disturbs."""
        return self.run("undisturbed")


def explain(error: BaseException) -> str:
    """What an error says: corekit's own sentence, or type and text of another."""
    return str(error) if isinstance(error, CorekitError) else f"{type(error).__name__}: {error}"
