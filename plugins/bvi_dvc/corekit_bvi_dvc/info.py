"""What BVI-DVC is: its description, options and own columns. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from corekit import Clip, Column, CorpusInfo, Encode, Licence, TrainingInfo, Value


class BviDvcOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``--set`` options of the corpus: how its sequences are encoded, or were before their logs were recorded."""

    encoder: str = "libx264"
    """FFmpeg's name of the encoder."""
    preset: str = "fast"
    """Preset of the encoder."""
    crf: Annotated[int, Meta(ge=0, le=63)] = 35
    """Constant rate factor of the encoder."""

    @property
    def recipe(self) -> Encode:
        """The encode that is compared with the pristine sequence."""
        return Encode(encoder=self.encoder, preset=self.preset, crf=self.crf, pix_fmt="yuv420p10le")


COLUMNS = (
    Column(name="bvi_dvc_tier", type="str", description="A 3840x2176, B 1920x1088, C 960x544, D 480x272"),
    Column(
        name="bvi_dvc_fps_token",
        type="int",
        description="frame rate in the file's name, truncated; framerate is probed",
    ),
)
"""Their names are the keys of ``Clip.extra``."""

INFO = CorpusInfo(
    name="bvi_dvc",
    title="BVI-DVC: reference sequences for deep video compression",
    version="bvi-dvc-2020",
    homepage="https://fan-aaron-zhang.github.io/BVI-DVC/",
    licences=(Licence("research use, no redistribution", "the authors' page"),),
    treat_as="research use, no redistribution",
    pairings=("synthetic",),
    label_kind="none",
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="bvi_dvc-v1",
    root_env="COREKIT_BVI_DVC_ROOT",
    options=BviDvcOptions,
    notes=(
        "The corpus has no labels: the label of a synthetic pair is its teacher VMAF.",
        "The four tiers of a source share a content, and so a split.",
        "The sequences are SDR although they have 10 bits.",
    ),
    training=TrainingInfo(
        model_id="bvi_dvc_vmaf_head_v1",
        title="full-reference regressor of VMAF on BVI-DVC",
        target="vmaf",
        features="canonical",
        warnings=("It imitates a teacher, VMAF, and is no model of MOS.",),
    ),
)


def row_values(clip: Clip) -> Mapping[Column, Value]:
    """BVI-DVC's own columns of one sequence, in the order of ``INFO.columns``."""
    return {column: clip.extra.get(column.name) for column in COLUMNS}
