"""Core's own plugin: the v3 row, its identity and label columns and the pooled features."""

from __future__ import annotations

from collections.abc import Mapping

from corekit.markers import hookimpl
from corekit.model import Clip, Column, CorpusInfo, Label, Pooled, Probe, Value
from corekit.plugins.hookspecs import RowContext
from corekit.schema import CORE_COLUMNS, FEATURES, SCHEMA_VERSION, STATISTICS, VMAF, VMAF_MODEL, motion_fps_weight

_TEACHER_LABEL: dict[str, Value] = {"label_kind": "teacher"}
"""Of an encode that corekit made: vmaf_score is the label, and the pristine clip's own is none."""


@hookimpl
def corekit_shape_row(
    clip: Clip, probe: Probe, pooled: Mapping[str, Pooled], row: RowContext
) -> Mapping[Column, Value]:
    """Every column of ``CORE_COLUMNS``, in order; None where a value is unavailable."""
    values = {
        **_v3(clip, probe, pooled, row),
        **_encode(row),
        **_identity(clip, probe, row),
        **(_TEACHER_LABEL if row.encode else _label(clip.label, row.info)),
        **_pooled(pooled),
    }
    return {column: values.get(column.name) for column in CORE_COLUMNS}


def _v3(clip: Clip, probe: Probe, pooled: Mapping[str, Pooled], row: RowContext) -> dict[str, Value]:
    measurement = row.measurement
    vmaf = pooled.get(VMAF)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": row.run_id,
        "timestamp": row.timestamp,
        "src": clip.src or clip.path,
        "src_sha256": measurement.clip_sha256,
        "width": probe.width,
        "height": probe.height,
        "pix_fmt": probe.pix_fmt,
        "framerate": probe.fps,
        "duration_s": probe.duration_s or _counted_s(measurement.frames_dis, probe),
        "vmaf_score": vmaf.mean if vmaf else None,
        "vmaf_model": VMAF_MODEL if vmaf else None,
        "score_time_ms": round(measurement.seconds * 1000) if row.timings and measurement.backend != "none" else None,
        "ffmpeg_version": measurement.versions.get("ffmpeg"),
        "vmaf_binary_version": measurement.versions.get("libvmaf"),
        "exit_status": 0,
        "clip_mode": "full",
        "hdr_transfer": (probe.transfer or None) if probe.is_hdr else None,
        "hdr_primaries": (probe.primaries or None) if probe.is_hdr else None,
        "hdr_forced": False,
    }


def _counted_s(frames: int | None, probe: Probe) -> float:
    """Seconds of a stream without a container, which does not tell them."""
    return frames / probe.fps if frames and probe.fps else 0.0


def _encode(row: RowContext) -> dict[str, Value]:
    recipe, encoded = row.encode, row.measurement.encoded
    if recipe is None:
        return {}
    values: dict[str, Value] = {
        "encoder": recipe.encoder,
        "preset": recipe.preset,
        "crf": recipe.crf,
        "extra_params": recipe.extra_params or None,
    }
    if encoded is not None:
        values |= {
            "encoder_version": encoded.encoder_version,
            "extra_params": encoded.extra_params or None,
            "encode_size_bytes": encoded.size_bytes,
            "bitrate_kbps": encoded.bitrate_kbps,
            "encode_time_ms": round(encoded.seconds * 1000) if row.timings else None,
        }
    return values


def _identity(clip: Clip, probe: Probe, row: RowContext) -> dict[str, Value]:
    measurement = row.measurement
    reference = row.reference
    return {
        "corpus": row.info.name,
        "corpus_version": row.info.version,
        "clip_name": clip.name,
        "content": clip.content,
        "rung": clip.rung or None,
        "pairing": row.pairing,
        "ref_clip_name": reference.name if reference else None,
        "ref_sha256": measurement.ref_sha256,
        "n_frames": measurement.n_frames,
        "split": row.split,
        "split_policy": row.split_policy,
        "bit_depth": probe.bit_depth,
        "is_hdr": probe.is_hdr,
        "color_transfer_class": probe.transfer_class,
        "motion_fps_weight": motion_fps_weight(probe.fps),
        "frames_ref": measurement.frames_ref if reference else None,
        "frames_dis": measurement.frames_dis,
        "feature_backend": measurement.backend,
    }


def _label(label: Label, info: CorpusInfo) -> dict[str, Value]:
    return {
        "label_kind": label.kind,
        "mos": _mos_head_axis(label, info),
        "mos_native": label.value,
        "mos_scale_min": info.label_min,
        "mos_scale_max": info.label_max,
        "mos_std_dev": label.std_dev,
        "mos_se": label.std_error,
        "n_ratings": label.n_ratings,
    }


def _mos_head_axis(label: Label, info: CorpusInfo) -> float | None:
    """The label mapped linearly from its native scale to 1..5; None unless it is a MOS on a bounded scale."""
    low, high = info.label_min, info.label_max
    if label.kind != "mos" or label.value is None or low is None or high is None:
        return None
    if (low, high) == (1.0, 5.0):
        return label.value
    return 1.0 + 4.0 * (label.value - low) / (high - low)


def _pooled(pooled: Mapping[str, Pooled]) -> dict[str, Value]:
    return {
        f"{feature}_{statistic}": getattr(pooled[feature], statistic)
        for feature in FEATURES
        if feature in pooled
        for statistic in STATISTICS
    }
