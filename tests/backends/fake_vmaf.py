#!/usr/bin/env python3
"""Speaks the command line of libvmaf's ``vmaf`` tool: reads two raw streams, prints a JSON log of made-up features."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser()
parser.add_argument("--version", action="store_true")
for name in ("quiet", "json", "no_prediction"):
    parser.add_argument(f"--{name}", action="store_true")
for name in ("output", "precision", "pixel_format", "reference", "distorted", "model"):
    parser.add_argument(f"--{name}")
for name in ("width", "height", "bitdepth"):
    parser.add_argument(f"--{name}", type=int)
parser.add_argument("--feature", action="append", default=[])
given = parser.parse_args()
if given.version:
    print("3.2.0-fake", file=sys.stderr)
    sys.exit(0)
assert given.quiet and given.json and given.precision == "max"
assert bool(given.model) != given.no_prediction

SHARES = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}
across, down = SHARES[given.pixel_format]
chroma = -(-given.width // across) * -(-given.height // down)
size = (given.width * given.height + 2 * chroma) * (1 if given.bitdepth == 8 else 2)

KEYS = {
    "motion": "VMAF_integer_feature_motion_sad_score",
    "psnr": "psnr_y",
    "adm": "integer_adm2",
    "speed_chroma": "speed_chroma_u",
    "speed_temporal": "speed_temporal",
    "cambi=eotf=pq": "cambi_eotf_pq",
    "cambi": "cambi",
}
frames: list[dict[str, Any]] = []
with Path(given.reference).open("rb") as reference, Path(given.distorted).open("rb") as distorted:
    while True:
        first, second = reference.read(size), distorted.read(size)
        if len(first) < size or len(second) < size:
            break
        value = sum(first[:64]) - sum(second[:64])
        metrics: dict[str, float] = {KEYS[feature]: value for feature in given.feature}
        if given.model:
            assert given.model == "version=vmaf_v0.6.1"
            metrics["vmaf"] = value / 3
        frames.append({"frameNum": len(frames), "metrics": metrics})
assert given.output == "/dev/stdout"
print(json.dumps({"version": "3.2.0-fake", "frames": frames}))
