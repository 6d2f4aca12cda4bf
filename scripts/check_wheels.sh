#!/bin/sh
# Install the built wheels into an empty environment and use them from an empty folder, as a stranger would: core and every
# plugin are found, and so are a plugin that lives in no workspace and a broken one beside it, which harms nobody.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh scripts/build_wheels.sh "$work/wheels"
.venv/bin/python -m venv "$work/venv"
python=$work/venv/bin/python
corekit=$work/venv/bin/corekit
install() {
    "$python" -m pip install --quiet --disable-pip-version-check --constraint "$here/constraints.txt" "$@"
}
plugins() {
    "$corekit" plugins --json | "$python" -c '
import json, sys
print(" ".join(":".join((p["kind"], p["name"], p["state"])) for p in json.load(sys.stdin)))'
}
expect() {
    found=$(plugins)
    test "$found" = "$1" || { printf 'expected the plugins\n  %s\nbut found\n  %s\n' "$1" "$found" >&2; exit 1; }
}
backends="backend:cpu:ok backend:cuda:ok backend:libvmaf:ok backend:recorded:ok"
ours="corpus:chug:ok corpus:k150k:ok corpus:konvid:ok"
mkdir "$work/empty"
cd "$work/empty"

install "$work"/wheels/*.whl
expect "corpus:bvi_dvc:ok $ours corpus:netflix:ok $backends"
"$corekit" sample chug demo
"$corekit" run --corpus chug --root demo --features canonical,vmaf --limit 6 --workers 2
"$python" - <<'PYTHON'
import corekit, sys
table = corekit.read_table("chug.parquet")
assert table.data.num_rows >= 6 and table.manifest is not None
assert not {"torch", "numba", "pytest"} & set(sys.modules)
PYTHON

"$corekit" verify chug.parquet --inputs all
"$corekit" replay chug.parquet --sample 2
"$corekit" export chug.parquet --to csv
status=0
"$corekit" train --corpus chug --protocol loso 2>error || status=$?
test "$status" = 2 || { echo "training without its packages ended with exit code $status, not 2" >&2; exit 1; }
grep "training needs sklearn, which is not installed; pip install 'corekit\[train\]'" error

"$corekit" new lab
install -e "./corekit-lab[test]"
mkdir -p broken
printf '[project]\nname = "corekit-broken"\nversion = "1"\n[project.entry-points."corekit.corpora"]\nbroken = "broken"\n' \
    >broken/pyproject.toml
printf 'raise SystemExit("a plugin that does not load")\n' >broken/broken.py
install ./broken
expect "corpus:broken:broken corpus:bvi_dvc:ok $ours corpus:lab:ok corpus:netflix:ok $backends"
"$python" -m pytest -q corekit-lab
"$corekit" sample lab lab-demo
"$corekit" run --corpus lab --root lab-demo
status=0
"$corekit" run --corpus broken --root lab-demo 2>error || status=$?
test "$status" = 2 || { echo "a broken plugin asked for by name ended with exit code $status, not 2" >&2; exit 1; }
grep "corekit-broken 1 cannot be used: importing broken failed: SystemExit: a plugin that does not load" error
echo "wheels: installed and used from an empty folder ($here stayed out of it)"
