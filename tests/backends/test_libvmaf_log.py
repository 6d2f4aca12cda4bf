"""libvmaf's JSON logs: every generation of key names, infinite values, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corekit.backends.libvmaf_log import feature_of, parse_log
from corekit.schema import FEATURES


def log(*frames: dict[str, Any], **more: Any) -> bytes:
    numbered = [{"frameNum": number, "metrics": metrics} for number, metrics in enumerate(frames)]
    return json.dumps({"version": "3.2.0", **more, "frames": numbered}).encode()


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("prefix", ["", "integer_"])
def test_every_feature_is_known_with_and_without_its_prefix(feature: str, prefix: str) -> None:
    assert feature_of(f"{prefix}{feature}") == feature
    assert parse_log(log({f"{prefix}{feature}": 0.25})).values[feature].tolist() == [0.25]


@pytest.mark.parametrize(
    ("key", "feature"),
    [
        ("VMAF_integer_feature_motion_sad_score", "motion"),
        ("VMAF_integer_feature_motion_v2_sad_score", "motion"),
        ("cambi_eotf_pq", "cambi"),
        ("ciede", "ciede2000"),
        ("ms_ssim", "float_ms_ssim"),
        ("ssim", "float_ssim"),
        ("float_ssim", "float_ssim"),
        ("cambi_source", None),
        ("cambi_full_reference", None),
        ("integer_adm2_egl_1", None),
        ("vif_scale0_egl_1", None),
        ("psnr", None),
        ("adm2_num", None),
        ("vmaf_neg", None),
    ],
)
def test_names_of_other_generations_and_other_measures(key: str, feature: str | None) -> None:
    assert feature_of(key) == feature


def test_a_full_reference_cambi_log_has_one_cambi() -> None:
    found = parse_log(log({"cambi": 1.0, "cambi_source": 0.5, "cambi_full_reference": 0.5}))
    assert {name: values.tolist() for name, values in found.values.items()} == {"cambi": [1.0]}


def test_frames_and_version() -> None:
    found = parse_log(log({"integer_motion2": 0.0, "vmaf": 90}, {"integer_motion2": 1.5, "vmaf": 91.5}, fps=12.5))
    assert (found.n_frames, found.version) == (2, "3.2.0")
    assert found.values["motion2"].tolist() == [0.0, 1.5]
    assert found.values["vmaf"].dtype == "float64"


@pytest.mark.parametrize(
    ("metrics", "definition"),
    [
        ({"VMAF_integer_feature_motion_sad_score": 1.0, "integer_motion2": 1.0}, "3.2"),
        ({"integer_motion2": 1.0}, "3.1"),
        ({"integer_motion": 1.0}, "3.1"),
        ({"motion": 1.0}, "3.1"),
    ],
)
def test_the_definition_of_motion_follows_from_the_keys(metrics: dict[str, float], definition: str) -> None:
    assert parse_log(log(metrics)).motion_definition == definition


def test_null_is_the_infinity_of_identical_frames() -> None:
    assert parse_log(log({"psnr_hvs": None}, {"psnr_hvs": 40.0})).values["psnr_hvs"].tolist() == [math.inf, 40.0]


def test_a_value_that_a_frame_lacks_is_nan() -> None:
    first, second = parse_log(log({"motion3": 1.0}, {})).values["motion3"].tolist()
    assert first == 1.0
    assert math.isnan(second)


@pytest.mark.parametrize("value", [10**400, "1.0", True, [1.0], float("inf")])
def test_a_value_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^frame 1 has .* for motion3, which is no number$"):
        parse_log(log({"motion3": 1.0}, {"motion3": value}))


def test_a_log_without_frames_or_version() -> None:
    found = parse_log(b'{"frames": []}')
    assert (found.n_frames, found.values, found.version) == (0, {}, "")


@pytest.mark.parametrize(
    ("first", "second"),
    [("integer_adm2", "adm2"), ("ciede", "ciede2000"), ("cambi", "cambi_eotf_pq"), ("ssim", "float_ssim")],
)
def test_two_keys_for_one_feature_are_refused(first: str, second: str) -> None:
    feature = feature_of(first)
    with pytest.raises(ValueError, match=f"^its keys '{first}' and '{second}' both stand for {feature}$"):
        parse_log(log({first: 1.0}, {second: 1.0}))


@pytest.mark.parametrize("numbers", [[1], [0, 2], [0, 0], [1, 0], [0, None], [0, "1"], [0, 1, 1]])
def test_gaps_and_duplicates_are_refused(numbers: list[Any]) -> None:
    document = {"frames": [{"frameNum": number, "metrics": {}} for number in numbers]}
    with pytest.raises(ValueError, match=r"^its frames are not numbered 0, 1, 2 without a gap$"):
        parse_log(json.dumps(document).encode())


@pytest.mark.parametrize(
    "content",
    [b"[]", b"null", b"3", b"{}", b'{"frames": {}}', b'{"frames": [1]}', b'{"frames": [{"frameNum": 0}]}',
     b'{"frames": [{"frameNum": 0, "metrics": []}]}'],
)  # fmt: skip
def test_json_that_is_no_log(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it has no list of frames with metrics$"):
        parse_log(content)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"<VMAF/>", b'{"frames": [' * 20000])
def test_bytes_that_are_no_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is not JSON \("):
        parse_log(content)


@given(st.binary(max_size=64) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["frames", "metrics", "frameNum", "vmaf", "version"]), inner, max_size=4),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_garbage_is_a_value_error_and_nothing_else(content: bytes) -> None:
    try:
        found = parse_log(content)
    except ValueError:
        return
    assert all(values.shape == (found.n_frames,) for values in found.values.values())


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_numbers_come_back_exactly(numbers: list[float]) -> None:
    found = parse_log(log(*({"vmaf": number} for number in numbers)))
    assert found.values.get("vmaf", []) == pytest.approx(numbers, abs=0) or not numbers
