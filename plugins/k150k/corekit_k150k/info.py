"""What KoNViD-150k is: its description, options and own columns. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from corekit import Clip, Column, CorpusInfo, Licence, TrainingInfo, Value

Part = Literal["a", "b"]


class K150kOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``--set`` options of the corpus."""

    part: Literal["all", "a", "b"] = "all"
    """Which half is read; ``all`` takes every label file that is there."""


COLUMNS = (
    Column(name="k150k_part", type="str", description="a or b: the half of the corpus that the clip is from"),
    Column(name="k150k_video_score", type="float", description="video_score of part b, beside its MOS"),
)
"""Their names are the keys of ``Clip.extra``."""

INFO = CorpusInfo(
    name="k150k",
    title="KoNViD-150k: in-the-wild video quality, many clips with few votes",
    version="konvid-150k-2019",
    homepage="https://database.mmsp-kn.de/konvid-150k-vqa-database.html",
    licences=(Licence("research use", "second-hand: descriptions of published loaders; the archives state none"),),
    treat_as="research use, no redistribution",
    pairings=("nr",),
    label_kind="mos",
    label_min=1.0,
    label_max=5.0,
    # Under nr core computes what informs and leaves the rest null with that reason. A shorter list here would say
    # "not asked for" instead, and --identity compute alone would then compute nothing more.
    default_features="full",
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="k150k-v1",
    missing_is_normal=True,
    root_env="COREKIT_K150K_ROOT",
    options=K150kOptions,
    notes=(
        "Part a has some 2,500 more label rows than clips: missing clips are normal there.",
        "Labels of part a are means of five votes, so multiples of 0.2.",
        "The *_votes.csv files hold single votes: personal data until shown otherwise, never opened.",
    ),
    training=TrainingInfo(
        model_id="k150k_mos_head_v1",
        title="MOS head of KoNViD-150k",
        warnings=("Labels of part a are means of five votes: much of the error is the raters'.",),
    ),
)


def row_values(clip: Clip) -> Mapping[Column, Value]:
    """KoNViD-150k's own columns of one clip, in the order of ``INFO.columns``."""
    return {column: clip.extra.get(column.name) for column in COLUMNS}
