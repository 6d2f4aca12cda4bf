"""What a clip, a label, a probe and a corpus are: the frozen structs that every layer shares. Nothing of ours is imported."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct, field

LabelKind = Literal["mos", "dmos", "teacher", "none"]
Pairing = Literal["fr", "nr", "synthetic"]
Split = Literal["train", "val", "test"]
Chroma = Literal["420", "422", "444"]
TransferClass = Literal["pq", "hlg", "sdr", "unknown"]
ColumnType = Literal["str", "int", "float", "bool"]
Value = str | int | float | bool | None
JSONValue = str | int | float | bool | None | list["JSONValue"] | dict[str, "JSONValue"]

PQ_TRANSFERS = frozenset({"smpte2084"})
HLG_TRANSFERS = frozenset({"arib-std-b67"})
HDR_TRANSFERS = PQ_TRANSFERS | HLG_TRANSFERS | {"bt2020-10", "bt2020-12"}


class FrameFormat(Struct, frozen=True):
    """Geometry and sample layout of planar Y'CbCr frames.

    A frame is the tuple ``(y, cb, cr)`` of C-contiguous 2-D arrays of shape ``(height, width)``, uint8 for
    a depth of 8 bits and native-endian uint16 for 9 to 16 bits. Chroma of an odd luma size is rounded up.
    """

    width: int
    height: int
    bit_depth: int
    chroma: Chroma

    @property
    def chroma_width(self) -> int:
        return self.width if self.chroma == "444" else (self.width + 1) // 2

    @property
    def chroma_height(self) -> int:
        return (self.height + 1) // 2 if self.chroma == "420" else self.height

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Array shapes of the three planes, ``(rows, columns)``."""
        chroma = (self.chroma_height, self.chroma_width)
        return (self.height, self.width), chroma, chroma

    @property
    def bytes_per_sample(self) -> int:
        return 1 if self.bit_depth == 8 else 2

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in memory."""
        return sum(rows * columns for rows, columns in self.shapes) * self.bytes_per_sample

    @property
    def pix_fmt(self) -> str:
        """FFmpeg's name of the planar format, such as ``yuv420p10le``."""
        return f"yuv{self.chroma}p" if self.bit_depth == 8 else f"yuv{self.chroma}p{self.bit_depth}le"


class RawVideo(Struct, frozen=True, kw_only=True):
    """What a headerless ``.yuv`` file does not say of itself."""

    width: int
    height: int
    pix_fmt: str
    framerate: str
    """Frames per second as an exact rational, ``"25/1"``."""


class Probe(Struct, frozen=True, kw_only=True):
    """What the header of a video file says. Width and height are as displayed, after rotation."""

    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    codec: str
    framerate: str
    """Average frames per second as an exact rational, ``"30000/1001"``; ``"0/1"`` where unknown."""
    duration_s: float
    n_frames: int | None = None
    """Frames that the container declares, or None where it declares none."""
    transfer: str = ""
    """FFmpeg's name of the transfer characteristic, ``"smpte2084"``; empty where unspecified."""
    primaries: str = ""
    matrix: str = ""
    color_range: Literal["limited", "full", ""] = ""
    rotation: int = 0
    """Clockwise degrees, 0, 90, 180 or 270, by which the stored picture is turned for display."""
    variable_rate: bool = False
    size_bytes: int = 0

    @property
    def fps(self) -> float:
        """Frames per second; 0.0 where unknown."""
        return float(Fraction(self.framerate))

    @property
    def is_hdr(self) -> bool:
        """At least 10 bits, with an HDR or BT.2020 transfer or BT.2020 primaries."""
        return self.bit_depth >= 10 and (self.transfer in HDR_TRANSFERS or self.primaries == "bt2020")

    @property
    def transfer_class(self) -> TransferClass:
        if self.transfer in PQ_TRANSFERS:
            return "pq"
        if self.transfer in HLG_TRANSFERS:
            return "hlg"
        return "sdr" if self.transfer else "unknown"


class Label(Struct, frozen=True, kw_only=True):
    """A subjective score on its native axis, as the label file gives it."""

    kind: LabelKind
    value: float | None = None
    std_dev: float | None = None
    std_error: float | None = None
    n_ratings: int | None = None
    problem: str = ""
    """Why the label cannot be used (blank, contradicted, out of range); such a clip gives no row and is counted."""


class Encode(Struct, frozen=True, kw_only=True):
    """How corekit distorts a pristine clip itself: the recipe of one encode."""

    preset: str
    crf: int
    pix_fmt: str
    """Planar format that the encoder is given, such as ``yuv420p``; frames of another are brought to it first."""
    encoder: str = "libx264"
    """FFmpeg's name of the encoder."""
    extra_params: str = ""
    """The encoder's own parameters, ``key=value`` joined by colons, such as ``bframes=0:ref=1`` of x264."""


class Clip(Struct, frozen=True, kw_only=True):
    """One video file of a corpus, as its label files describe it; the file itself may be missing."""

    name: str
    """Basename with extension, unique in the corpus."""
    path: str
    """POSIX path relative to the corpus root; it never leaves the root."""
    content: str
    """The scene that a reference and its distorted clips share."""
    label: Label
    origin: str = ""
    """Where the label stands, ``"chug.csv:17"``."""
    other_origins: tuple[str, ...] = ()
    """Where else label files name the clip; the label does not come from there, but what stands there was read."""
    rung: str = ""
    is_reference: bool = False
    unpaired: str = ""
    """Why no reference can be known for this clip (it is then read under ``nr`` alone); empty otherwise."""
    split: Split | None = None
    """The split that the corpus itself prescribes, or None to derive it from the content."""
    extra: Mapping[str, Value] = field(default_factory=dict)
    """What the plugin needs to shape the row's own columns."""
    raw: RawVideo | None = None
    archive: str = ""
    """Path of the zip archive that the clip is a member of, relative to the root; ``path`` is then this, a slash and the
    member's name."""
    encode: Encode | None = None
    """How the clip is distorted under ``synthetic`` pairing; the label is then no longer its own, but the teacher's."""
    src: str = ""
    """What the v3 row's ``src`` says; empty takes ``path``."""


class Column(Struct, frozen=True, kw_only=True):
    """One column of a table: its name, type and meaning."""

    name: str
    type: ColumnType
    description: str
    unit: str = ""
    default: Value = None
    """What the strict-JSON view writes where the value is unavailable."""
    required: bool = False
    volatile: bool = False
    """Differs between equal runs; left out of the logical digest."""


class Licence(Struct, frozen=True):
    """One licence statement about a corpus, and where it stands."""

    name: str
    stated_in: str


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a plugin that has none."""


class TrainingInfo(Struct, frozen=True, kw_only=True):
    """What a model that is learnt from a corpus is, so that it is never called anything else."""

    model_id: str
    """Identity of the model, such as ``chug_hdr_mos_head_v1``."""
    title: str
    """What it is, in words: ``HDR MOS head of CHUG``."""
    features: str = "full"
    """A value of ``corekit train --features``."""
    feature_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Sets of columns that the corpus adds to core's."""
    target: str | None = None
    """The teacher's feature that is learnt where the corpus has no subjective labels, such as ``vmaf``."""
    warnings: tuple[str, ...] = ()
    """What a user of the model must know; they stand in its report and card."""


class CorpusInfo(Struct, frozen=True, kw_only=True):
    """What core must know of a corpus without touching a disk."""

    name: str
    title: str
    version: str
    homepage: str
    licences: tuple[Licence, ...]
    treat_as: str
    """The licence to follow where the statements contradict each other."""
    pairings: tuple[Pairing, ...]
    """Supported pairings; the first is the default."""
    label_kind: LabelKind
    """Kind of the clips' own labels; a row of a synthetic pair has the kind ``teacher`` whatever this says."""
    label_min: float | None = None
    label_max: float | None = None
    default_features: str = "full"
    """A value of ``--features``."""
    columns: tuple[Column, ...] = ()
    """The corpus's own columns, prefixed ``<name>_`` or listed in ``metadata_keys``."""
    metadata_keys: tuple[str, ...] = ()
    """Columns that ``enrich`` may fill from a sidecar."""
    split_seed: str
    split_policy: str = "content-name-blake2s-80-10-10"
    missing_is_normal: bool = False
    root_env: str
    """Environment variable that names the corpus root."""
    options: type[Struct] = NoOptions
    """Struct type of ``--set key=value``; every field has a default."""
    notes: tuple[str, ...] = ()
    """Warnings that a user of the corpus must read."""
    training: TrainingInfo | None = None
    """What `corekit train --corpus` makes of it; None leaves target, features and identity to the command line."""


class Pooled(Struct, frozen=True):
    """One feature pooled over the finite frames: mean, standard deviation (ddof 0), linear 10th and 90th percentile."""

    mean: float
    std: float
    p10: float
    p90: float
    n_finite: int


class Encoded(Struct, frozen=True, kw_only=True):
    """What became of a recipe: the encode that was measured."""

    encoder_version: str
    extra_params: str
    """The encoder's own parameters in force: the recipe's, and those that make it repeatable."""
    size_bytes: int
    """Of the whole file, container included."""
    bitrate_kbps: float
    seconds: float = 0.0
    """Time that decoding and encoding took."""


class Measurement(Struct, frozen=True, kw_only=True):
    """What was measured of one task: a pair of clips, or one clip under ``nr``."""

    clip_sha256: str
    ref_sha256: str | None
    probe: Probe
    ref_probe: Probe | None
    frames_dis: int | None
    frames_ref: int | None
    n_frames: int | None
    """Frames compared; None where no frame was decoded."""
    pooled: Mapping[str, Pooled]
    nulls: Mapping[str, str]
    """Feature name to the reason why it has no value."""
    options: Mapping[str, Value]
    """Options that followed from the clip, such as ``cambi_eotf``."""
    backend: str
    versions: Mapping[str, str]
    """Decoder, scaler and backend libraries that made the values."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    frames_sha256: str | None = None
    """Digest of the per-frame part, where one was kept."""
    encoded: Encoded | None = None
    """The encode of a synthetic pair; None where none was made."""
