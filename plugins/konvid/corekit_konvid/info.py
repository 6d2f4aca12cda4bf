"""What KoNViD-1k is: its description, options and own columns. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from corekit import Clip, Column, CorpusInfo, Encode, Licence, TrainingInfo, Value


class KonvidOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``--set`` options of the corpus: how its clips are encoded under ``synthetic`` pairing."""

    encoder: str = "libx264"
    """FFmpeg's name of the encoder."""
    preset: str = "veryfast"
    """Preset of the encoder."""
    crf: Annotated[int, Meta(ge=0, le=63)] = 35
    """Constant rate factor of the encoder."""

    @property
    def recipe(self) -> Encode:
        """The encode that is compared with the pristine clip."""
        return Encode(encoder=self.encoder, preset=self.preset, crf=self.crf, pix_fmt="yuv420p")


COLUMNS = (
    Column(name="konvid_mos", type="float", description="MOS of the source clip, which is no label of an encode of it"),
    Column(name="konvid_flickr_id", type="str", description="id of the source at Flickr; many exceed 32 bits"),
)
"""Their names are the keys of ``Clip.extra``."""

INFO = CorpusInfo(
    name="konvid",
    title="KoNViD-1k: the Konstanz natural video database",
    version="konvid-1k-2017",
    homepage="https://database.mmsp-kn.de/konvid-1k-database.html",
    licences=(Licence("research use with citation", "the authors' database page"),),
    treat_as="research use with citation",
    pairings=("synthetic", "nr"),
    label_kind="mos",
    label_min=1.0,
    label_max=5.0,
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="konvid-v1",
    root_env="COREKIT_KONVID_ROOT",
    options=KonvidOptions,
    notes=(
        "The label of a synthetic pair is its teacher VMAF; the MOS of the pristine clip rides along as konvid_mos.",
        "KoNViD_1k_subjective.csv holds workers' addresses and cities: never opened.",
    ),
    training=TrainingInfo(
        model_id="konvid_mos_head_v1",
        title="MOS head of KoNViD-1k",
        warnings=("It judges SDR video of 960x540; the rows must come from `--pairing nr`, where the label is a MOS.",),
    ),
)


def row_values(clip: Clip) -> Mapping[Column, Value]:
    """KoNViD-1k's own columns of one clip, in the order of ``INFO.columns``."""
    return {column: clip.extra.get(column.name) for column in COLUMNS}
