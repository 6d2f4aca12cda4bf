#!/bin/sh
# Install the built wheels into an empty environment and use them from an empty folder, as a stranger would.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh scripts/build_wheels.sh "$work/wheels"
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
    "$work"/wheels/corekit-*.whl "$work"/wheels/corekit_chug-*.whl
mkdir "$work/empty"
cd "$work/empty"
"$work/venv/bin/corekit" plugins
found=$("$work/venv/bin/corekit" plugins --json | "$work/venv/bin/python" -c '
import json, sys
print(",".join(sorted(p["name"] for p in json.load(sys.stdin) if p["kind"] == "corpus" and p["state"] == "ok")))')
test "$found" = chug || { echo "expected the corpus chug alone, found: $found" >&2; exit 1; }
"$work/venv/bin/corekit" sample chug demo
"$work/venv/bin/corekit" run --corpus chug --root demo --features canonical,vmaf --limit 6 --workers 2
"$work/venv/bin/python" - <<'PYTHON'
import corekit, sys
table = corekit.read_table("chug.parquet")
assert table.data.num_rows >= 6 and table.manifest is not None
assert not {"torch", "numba"} & set(sys.modules)
PYTHON
echo "wheels: installed and used from an empty folder ($here stayed out of it)"
