"""What a row is: the 54 v3 keys, the columns after them, the locked feature order and the fingerprint.

Everything else (the Arrow schema, the strict-JSON view, the documentation table) is derived from here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

from corekit.model import Column, ColumnType, Value

SCHEMA_VERSION = 3

CANONICAL = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
VMAF = "vmaf"
VMAF_MODEL = "vmaf_v0.6.1"
FEATURES = (
    "adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3",
    "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3",
    "motion", "motion2", "motion3",
    "psnr_y", "psnr_cb", "psnr_cr",
    "float_ssim", "float_ms_ssim",
    "cambi", "ciede2000", "psnr_hvs", "ssimulacra2",
    "speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv",
    "adm3",
    VMAF,
)  # fmt: skip
"""The locked order; a new feature is only ever appended."""

INFORMATIVE = ("motion", "motion2", "motion3", "cambi")
"""Features that say something of a clip compared with itself."""

FEATURE_SETS: dict[str, tuple[str, ...]] = {"canonical": CANONICAL, "full": FEATURES, "none": ()}
STATISTICS = ("mean", "std", "p10", "p90")


def _column(
    name: str, type_: ColumnType, description: str, default: Value = None, *, unit: str = "", required: bool = False,
    volatile: bool = False,
) -> Column:  # fmt: skip
    return Column(
        name=name, type=type_, description=description, unit=unit, default=default, required=required, volatile=volatile
    )


_WORDS = {"mean": "mean", "std": "standard deviation (ddof 0)", "p10": "10th percentile", "p90": "90th percentile"}


def _statistic(feature: str, statistic: str) -> Column:
    return _column(f"{feature}_{statistic}", "float", f"{_WORDS[statistic]} of {feature} over the finite frames")


def _encoder_internal(name: str) -> Column:
    return _column(f"enc_internal_{name}", "float", f"encoder-internal statistic {name}", 0.0)


V3_COLUMNS: tuple[Column, ...] = (
    _column("schema_version", "int", "version of the row contract", required=True),
    _column("run_id", "str", "derived from corpus version, options, labels and clip names", required=True),
    _column("timestamp", "str", "when the row was measured", unit="ISO 8601 UTC", required=True, volatile=True),
    _column("src", "str", "the rated file, relative to the corpus root", required=True),
    _column("src_sha256", "str", "SHA-256 of the bytes of the rated file (of the pristine file in a synthetic pair)",
            unit="hex", required=True),
    _column("width", "int", "width of the rated clip as displayed", unit="px", required=True),
    _column("height", "int", "height of the rated clip as displayed", unit="px", required=True),
    _column("pix_fmt", "str", "FFmpeg pixel format of the rated clip", required=True),
    _column("framerate", "float", "average frame rate of the rated clip", unit="Hz", required=True),
    _column("duration_s", "float", "duration of the rated clip", unit="s", required=True),
    _column("encoder", "str", "encoder of a synthetic distortion; empty on a label row", ""),
    _column("encoder_version", "str", "version of that encoder", ""),
    _column("preset", "str", "its preset", ""),
    _column("crf", "int", "its constant rate factor", 0),
    _column("extra_params", "str", "its further parameters", ""),
    _column("encode_path", "str", "where the encode was kept", ""),
    _column("encode_size_bytes", "int", "size of the encode", 0, unit="bytes"),
    _column("bitrate_kbps", "float", "bitrate of the encode", 0.0, unit="kbit/s"),
    _column("encode_time_ms", "int", "time of the encode", 0, unit="ms", volatile=True),
    _column("vmaf_score", "float", "mean VMAF", float("nan")),
    _column("vmaf_model", "str", "model of vmaf_score", ""),
    _column("score_time_ms", "int", "time of the measurement", 0, unit="ms", volatile=True),
    _column("ffmpeg_version", "str", "FFmpeg that ran the libvmaf filter", ""),
    _column("vmaf_binary_version", "str", "libvmaf that computed the features", ""),
    _column("exit_status", "int", "0: the row was measured", 0),
    _column("clip_mode", "str", "full: every frame was used", "full"),
    _column("hdr_transfer", "str", "transfer characteristic of an HDR clip, probed", ""),
    _column("hdr_primaries", "str", "colour primaries of an HDR clip, probed", ""),
    _column("hdr_forced", "bool", "HDR was claimed by an option, against the probe", False),
    _column("shot_count", "int", "number of shots", 0),
    _column("shot_avg_duration_sec", "float", "mean shot duration", 0.0, unit="s"),
    _column("shot_duration_std_sec", "float", "standard deviation of the shot durations", 0.0, unit="s"),
    *(_column(f"{f}_mean", "float", f"mean of {f} over the finite frames", float("nan")) for f in CANONICAL),
    *(_column(f"{f}_std", "float", f"standard deviation (ddof 0) of {f} over the finite frames", float("nan"))
      for f in CANONICAL),
    *(_encoder_internal(name) for name in (
        "qp_mean", "qp_std", "bits_mean", "bits_std", "mv_mean", "mv_std", "itex_mean", "ptex_mean",
        "intra_ratio", "skip_ratio")),
)  # fmt: skip

IDENTITY_COLUMNS: tuple[Column, ...] = (
    _column("corpus", "str", "name of the corpus", required=True),
    _column("corpus_version", "str", "version of the corpus as its plugin states it", required=True),
    _column("clip_name", "str", "basename of the rated clip, with extension", required=True),
    _column("content", "str", "the scene; the unit of splitting", required=True),
    _column("rung", "str", "rung of the ladder, verbatim"),
    _column("pairing", "str", "fr, nr or synthetic", required=True),
    _column("ref_clip_name", "str", "basename of the reference"),
    _column("ref_sha256", "str", "SHA-256 of the reference's bytes", unit="hex"),
    _column("n_frames", "int", "frames compared"),
    _column("label_kind", "str", "mos, dmos, teacher or none", required=True),
    _column("mos", "float", "the label on the 1..5 axis of the MOS head, where the kind is mos"),
    _column("mos_native", "float", "the label on its native axis"),
    _column("mos_scale_min", "float", "lower end of the native axis"),
    _column("mos_scale_max", "float", "upper end of the native axis; null where it has none"),
    _column("mos_std_dev", "float", "standard deviation of the ratings, on the native axis"),
    _column("mos_se", "float", "standard error of the label, on the native axis"),
    _column("n_ratings", "int", "number of ratings"),
    _column("split", "str", "train, val or test; content-disjoint", required=True),
    _column("split_policy", "str", "how the split was derived", required=True),
    _column("bit_depth", "int", "bits per sample of the rated clip", unit="bits"),
    _column("is_hdr", "bool", "at least 10 bits with an HDR transfer or BT.2020, probed"),
    _column("color_transfer_class", "str", "pq, hlg, sdr or unknown, probed"),
    _column("motion_fps_weight", "float", "frame-rate weight of the incumbent's motion; stored, never applied"),
    _column("frames_ref", "int", "frames decoded from the reference"),
    _column("frames_dis", "int", "frames decoded from the rated clip"),
    _column("feature_backend", "str", "the backend that made the features"),
)

_TAKEN = {column.name for column in V3_COLUMNS}
POOLED_COLUMNS: tuple[Column, ...] = tuple(
    _statistic(feature, statistic)
    for feature in FEATURES
    for statistic in STATISTICS
    if f"{feature}_{statistic}" not in _TAKEN
)

CORE_COLUMNS: tuple[Column, ...] = V3_COLUMNS + IDENTITY_COLUMNS + POOLED_COLUMNS
"""Every column that core itself writes, in order; a corpus's and an extension's own follow."""

FRAME_COLUMNS: tuple[Column, ...] = (
    _column("corpus", "str", "name of the corpus", required=True),
    _column("source", "str", "the content or reference", required=True),
    _column("clip_name", "str", "basename of the distorted clip", required=True),
    _column("frame_index", "int", "0 for the first frame", required=True),
    _column("codec", "str", "codec of the distorted clip; unknown where nothing says", "unknown", required=True),
    _column("teacher_model", "str", "model of vmaf"),
    *(_column(feature, "float", f"per-frame {feature}") for feature in FEATURES),
)


def fingerprint(columns: Iterable[Column]) -> str:
    """SHA-256 over ``name:type`` of every column in order, one a line."""
    lines = "".join(f"{column.name}:{column.type}\n" for column in columns)
    return hashlib.sha256(lines.encode()).hexdigest()


def motion_fps_weight(fps: float) -> float:
    """Frame-rate weight that the incumbent applies to motion: ``clamp(30 / fps, 0.25, 4.0)``; 1.0 in [24, 32] or unknown.

    The rate is first rounded up to two significant digits, so that 23.976 and 24, 59.94 and 60 are treated alike.
    """
    if not fps > 0 or not math.isfinite(fps):
        return 1.0
    step = 10.0 ** (math.floor(math.log10(fps)) - 1)
    rounded = math.ceil(fps / step - 1e-9) * step
    if 24 <= rounded <= 32:
        return 1.0
    return min(max(30.0 / rounded, 0.25), 4.0)
