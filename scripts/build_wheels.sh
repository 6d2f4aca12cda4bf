#!/bin/sh
# Build the wheels of core and of every plugin into the folder given.
set -eu
cd "$(dirname "$0")/.."
target=${1:?usage: build_wheels.sh DIR}
for project in . plugins/*/; do
    .venv/bin/python -m build --wheel --no-isolation --outdir "$target" "$project" >/dev/null
done
ls "$target"
