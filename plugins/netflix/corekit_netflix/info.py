"""What the Netflix Public dataset is: its description, options and own columns. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from corekit import Clip, Column, CorpusInfo, Licence, TrainingInfo, Value

LABEL_FILE = "NFLX_dataset_public.py"


class NetflixOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``--set`` options of the corpus."""

    labels: str = ""
    """Label file, a path from the corpus root; by default ``NFLX_dataset_public.py`` there or one folder up."""


# The third number in the name of a distorted clip, the expert score, is no column: as a feature it is leakage.
COLUMNS = (
    Column(name="netflix_height_token", type="int", description="height of the encode, from the file name", unit="px"),
    Column(
        name="netflix_bitrate_token", type="int", description="bitrate of the encode, from the file name", unit="kbit/s"
    ),
)
"""Nominal, null for a reference; their names are the keys of ``Clip.extra``."""

INFO = CorpusInfo(
    name="netflix",
    title="Netflix Public dataset of VMAF",
    version="netflix-public-2016",
    homepage="https://github.com/Netflix/vmaf/blob/master/resource/doc/datasets.md",
    licences=(
        Licence("BSD-2-Clause-Patent", "licence of the Netflix/vmaf repository, which holds the label file"),
        Licence("for training, testing and verification; access on request", "datasets.md of Netflix/vmaf"),
    ),
    treat_as="research use, no redistribution of the clips",
    pairings=("fr",),
    label_kind="dmos",
    label_min=0.0,
    label_max=None,
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="netflix-v1",
    root_env="COREKIT_NETFLIX_ROOT",
    options=NetflixOptions,
    notes=(
        "DMOS rises with quality here and exceeds 100 for five clips: the axis has no upper end.",
        "The expert score in the file names correlates 0.949 with the label: as a feature it is leakage.",
        "Nine contents: evaluate by leaving one source out, not by the hash split alone.",
    ),
    training=TrainingInfo(
        model_id="netflix_vmaf_head_v1",
        title="full-reference regressor of VMAF on Netflix Public",
        target="vmaf",
        features="canonical",
        warnings=("It imitates a teacher, VMAF, and is no model of MOS.",),
    ),
)


def row_values(clip: Clip) -> Mapping[Column, Value]:
    """The dataset's own columns of one clip, in the order of ``INFO.columns``."""
    return {column: clip.extra.get(column.name) for column in COLUMNS}
