"""What CHUG is: its description, options and own columns. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from corekit import Clip, Column, CorpusInfo, Licence, TrainingInfo, Value
from corekit.split import GIVEN_POLICY, POLICY

LABEL_MIN = 0.0
LABEL_MAX = 100.0

LADDER = ("360p_0.2M_", "720p_0.5M_", "720p_2M_", "1080p_0.5M_", "1080p_1M_", "1080p_3M_", "1080p_ref_")
"""The seven rungs of a CHUG content, as the label file spells them."""


class ChugOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``--set`` options of the corpus; both are paths relative to the corpus root."""

    labels: str = ""
    """Label file; by default ``chug.csv`` or ``manifest.csv``."""
    clips: str = ""
    """Folder of the clips; by default every known one is looked through."""


LABEL_COLUMNS = (
    Column(name="chug_video_id", type="str", description="the clip's id in the label file: its file name without .mp4"),
    Column(name="chug_ref", type="int", description="1 where the label file calls the clip a reference, else 0"),
    Column(name="chug_name", type="str", description="name that joins rung and content"),
    Column(name="chug_bitladder", type="str", description="rung of the ladder, verbatim"),
    Column(name="chug_resolution", type="str", description="resolution token of the rung, such as 360p or ref"),
    Column(name="chug_bitrate_label", type="str", description="bitrate token of the rung, such as 0.2M or ref"),
    Column(name="chug_orientation", type="str", description="Landscape or Portrait"),
    Column(name="chug_framerate_manifest", type="float", description="frame rate of the label file", unit="Hz"),
    Column(name="chug_content_name", type="str", description="content of the clip; null in Beyond8Bits"),
    Column(name="chug_height_manifest", type="int", description="height of the label file", unit="px"),
    Column(name="chug_width_manifest", type="int", description="width of the label file", unit="px"),
)
"""The columns that repeat a cell of the label file; their names are the keys of ``Clip.extra``."""

MOS_RAW = Column(name="mos_raw_0_100", type="float", description="the MOS on CHUG's own axis, 0 to 100")
SPLIT_KEY = Column(name="chug_split_key", type="str", description="what the split hashes; null where the file gives it")
SPLIT_POLICY = Column(name="chug_split_policy", type="str", description="how the clip's split was derived")

_CANONICAL = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")

TRAINING = TrainingInfo(
    model_id="chug_hdr_mos_head_v1",
    title="HDR MOS head of CHUG",
    features="chug-hdr-wide",
    feature_sets={
        "chug-hdr-wide": (
            *(f"{feature}_{statistic}" for feature in _CANONICAL for statistic in ("mean", "p10", "p90", "std")),
            "chug_bitrate_label", "is_portrait", "width", "height", "duration_s", "n_frames", "bit_depth",
        )
    },
    warnings=(
        "It judges user-generated HDR video of phones; nothing is known of it on SDR or professional content.",
        "vmaf and its features were calibrated on SDR; on PQ clips they are computed on the code values as they are.",
        "CHUG's licence statements contradict each other; CC BY-NC-SA 4.0 is followed: no commercial use of the model.",
    ),
)  # fmt: skip

INFO = CorpusInfo(
    name="chug",
    title="CHUG: crowdsourced user-generated HDR video quality dataset",
    version="chug-icip-2025",
    homepage="https://github.com/shreshthsaini/CHUG",
    licences=(
        Licence("CC BY-NC 4.0", "badge and licence section of the repository's README"),
        Licence("CC BY-NC-SA 4.0", "licence file of the repository"),
        Licence("CC BY-SA 4.0", "a mirror of the data"),
    ),
    treat_as="CC BY-NC-SA 4.0",
    pairings=("fr", "nr"),
    label_kind="mos",
    label_min=LABEL_MIN,
    label_max=LABEL_MAX,
    columns=(*LABEL_COLUMNS, MOS_RAW, SPLIT_KEY, SPLIT_POLICY),
    metadata_keys=(MOS_RAW.name, *(column.name for column in LABEL_COLUMNS)),
    split_seed="chug-hdr-v1",
    split_policy=POLICY,
    root_env="COREKIT_CHUG_ROOT",
    options=ChugOptions,
    notes=(
        "The three licence statements contradict each other; the strictest, CC BY-NC-SA 4.0, is to be followed.",
        "The reference is rated below its own 3 Mbit/s encode in 255 of 856 contents: never assume that it is best.",
        "The label file is sorted by MOS: its first rows are the worst clips, not a sample.",
        "sos_j is stored as the standard error of the MOS: with some 35 ratings it is too small for a deviation.",
    ),
    training=TRAINING,
)


def row_values(clip: Clip) -> Mapping[Column, Value]:
    """CHUG's own columns of one clip, in the order of ``INFO.columns``; null where the label file is silent."""
    values: dict[Column, Value] = {column: clip.extra.get(column.name) for column in LABEL_COLUMNS}
    values[MOS_RAW] = clip.label.value
    values[SPLIT_KEY] = clip.content if clip.split is None else None
    values[SPLIT_POLICY] = INFO.split_policy if clip.split is None else GIVEN_POLICY
    return values
