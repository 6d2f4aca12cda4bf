"""The row's contract: names, order, types, fingerprint and the page generated from it."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corekit.model import Column
from corekit.schema import (
    CANONICAL,
    CORE_COLUMNS,
    FEATURE_SETS,
    FEATURES,
    FRAME_COLUMNS,
    IDENTITY_COLUMNS,
    INFORMATIVE,
    POOLED_COLUMNS,
    SCHEMA_VERSION,
    V3_COLUMNS,
    fingerprint,
    motion_fps_weight,
)

_V3_KEYS_TEXT = """
schema_version run_id timestamp src src_sha256 width height pix_fmt framerate duration_s encoder encoder_version preset
crf extra_params encode_path encode_size_bytes bitrate_kbps encode_time_ms vmaf_score vmaf_model score_time_ms
ffmpeg_version vmaf_binary_version exit_status clip_mode hdr_transfer hdr_primaries hdr_forced shot_count
shot_avg_duration_sec shot_duration_std_sec adm2_mean vif_scale0_mean vif_scale1_mean vif_scale2_mean vif_scale3_mean
motion2_mean adm2_std vif_scale0_std vif_scale1_std vif_scale2_std vif_scale3_std motion2_std enc_internal_qp_mean
enc_internal_qp_std enc_internal_bits_mean enc_internal_bits_std enc_internal_mv_mean enc_internal_mv_std
enc_internal_itex_mean enc_internal_ptex_mean enc_internal_intra_ratio enc_internal_skip_ratio
"""
V3_KEYS = _V3_KEYS_TEXT.split()

_IDENTITY_KEYS_TEXT = """
corpus corpus_version clip_name content rung pairing ref_clip_name ref_sha256 n_frames label_kind mos mos_native
mos_scale_min mos_scale_max mos_std_dev mos_se n_ratings split split_policy bit_depth is_hdr color_transfer_class
motion_fps_weight frames_ref frames_dis feature_backend
"""
IDENTITY_KEYS = _IDENTITY_KEYS_TEXT.split()

_LOCKED_FEATURES_TEXT = """
adm2 adm_scale0 adm_scale1 adm_scale2 adm_scale3 vif_scale0 vif_scale1 vif_scale2 vif_scale3 motion motion2 motion3 psnr_y
psnr_cb psnr_cr float_ssim float_ms_ssim cambi ciede2000 psnr_hvs ssimulacra2 speed_temporal speed_chroma_u speed_chroma_v
speed_chroma_uv adm3 vmaf
"""
LOCKED_FEATURES = _LOCKED_FEATURES_TEXT.split()


def names(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns]


def test_the_v3_row_has_its_54_keys_in_order() -> None:
    assert len(V3_KEYS) == 54
    assert names(V3_COLUMNS) == V3_KEYS
    assert SCHEMA_VERSION == 3


def test_the_features_keep_their_locked_order() -> None:
    assert list(FEATURES) == LOCKED_FEATURES
    assert CANONICAL == ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
    assert FEATURE_SETS == {"canonical": CANONICAL, "full": FEATURES, "none": ()}
    assert set(INFORMATIVE) <= set(FEATURES)


def test_identity_and_label_follow_then_the_pooled_features() -> None:
    assert names(IDENTITY_COLUMNS) == IDENTITY_KEYS
    statistics = [f"{feature}_{word}" for feature in LOCKED_FEATURES for word in ("mean", "std", "p10", "p90")]
    assert names(POOLED_COLUMNS) == [name for name in statistics if name not in V3_KEYS]
    assert names(CORE_COLUMNS) == V3_KEYS + IDENTITY_KEYS + names(POOLED_COLUMNS)


def test_the_frame_table_holds_keys_then_features() -> None:
    keys = ["corpus", "source", "clip_name", "frame_index", "codec", "teacher_model"]
    assert names(FRAME_COLUMNS) == keys + LOCKED_FEATURES


@pytest.mark.parametrize("columns", [CORE_COLUMNS, FRAME_COLUMNS], ids=["clip", "frame"])
def test_every_column_has_one_name_and_a_meaning(columns: tuple[Column, ...]) -> None:
    assert len(set(names(columns))) == len(columns)
    assert all(column.description for column in columns)


def test_defaults_are_those_of_the_contract() -> None:
    defaults = {column.name: column.default for column in V3_COLUMNS if not column.required}
    nan = [name for name, value in defaults.items() if isinstance(value, float) and math.isnan(value)]
    assert nan == ["vmaf_score", *(f"{f}_mean" for f in CANONICAL), *(f"{f}_std" for f in CANONICAL)]
    assert defaults["clip_mode"] == "full"
    assert defaults["hdr_forced"] is False
    others = {name: value for name, value in defaults.items() if name not in (*nan, "clip_mode", "hdr_forced")}
    empty = {"str": "", "int": 0, "float": 0.0}
    types = {column.name: column.type for column in V3_COLUMNS}
    assert [(name, type(value), value) for name, value in others.items()] == [
        (name, type(empty[types[name]]), empty[types[name]]) for name in others
    ]


def test_required_and_volatile_columns() -> None:
    assert [c.name for c in V3_COLUMNS if c.required] == V3_KEYS[:10]
    assert [c.name for c in CORE_COLUMNS if c.volatile] == ["timestamp", "encode_time_ms", "score_time_ms"]


def test_the_fingerprint_changes_on_purpose_only() -> None:
    """A changed schema must change these values by hand: columns are only ever appended."""
    assert fingerprint(V3_COLUMNS) == "c270c8e0011e70cae9e34df2735243d5188f44f551cb25a2459012e6c9c4deec"
    assert fingerprint(CORE_COLUMNS) == "d0c4c29a7971ba783c25d47d548ac9b4f4197e6d4fe862ef298b3f13dd6ec24d"
    assert fingerprint(FRAME_COLUMNS) == "9866a7ec5003f5d023d8e4c17577fa2c7fa6e4c112caeb41762fb4b33d2a6a3e"


def test_the_fingerprint_sees_names_types_and_order() -> None:
    one = Column(name="a", type="int", description="")
    two = Column(name="b", type="str", description="")
    prints = [
        fingerprint(columns)
        for columns in (
            (one, two),
            (two, one),
            (one,),
            (one, Column(name="b", type="float", description="")),
            (one, Column(name="c", type="str", description="")),
        )
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint((one, two)) == fingerprint((Column(name="a", type="int", description="other", unit="s"), two))


@pytest.mark.parametrize(
    ("fps", "weight"),
    [
        (24, 1.0),
        (23.976, 1.0),
        (24000 / 1001, 1.0),
        (25, 1.0),
        (29.97, 1.0),
        (30, 1.0),
        (32, 1.0),
        (23.2, 1.0),
        (32.1, 30 / 33),
        (47.952, 30 / 48),
        (100.5, 30 / 110),
        (50, 0.6),
        (59.94, 0.5),
        (60, 0.5),
        (120, 0.25),
        (240, 0.25),
        (7.5, 4.0),
        (5, 4.0),
        (15, 2.0),
        (0, 1.0),
        (-1, 1.0),
        (math.nan, 1.0),
        (math.inf, 1.0),
    ],
)
def test_motion_fps_weight(fps: float, weight: float) -> None:
    assert motion_fps_weight(fps) == pytest.approx(weight, rel=1e-12)


@given(st.integers(0, 2**31), st.integers(1, 2**31))
def test_motion_fps_weight_of_any_rational_is_between_a_quarter_and_four(numerator: int, denominator: int) -> None:
    assert 0.25 <= motion_fps_weight(numerator / denominator) <= 4.0


def generate_docs() -> ModuleType:
    path = Path(__file__).parents[1] / "scripts" / "generate_docs.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", generate_docs().TARGETS, ids=lambda path: path.name)
def test_the_generated_pages_are_up_to_date(path: Path) -> None:
    content = generate_docs().TARGETS[path]()
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode()), "run `make docs`"
