# Everything a newcomer needs: `make run` and `make test` set up what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAMPLE := build/sample/chug
OUT := build/sample/chug.parquet
MODEL := build/sample/chug_hdr_mos_head_v1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALLED := $(VENV)/.stamp-run
DEVELOP := $(VENV)/.stamp-develop
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml) constraints.txt requirements-dev.txt

.PHONY: run test check docs wheels bench clean

run: $(INSTALLED)  ## make a small corpus, turn it into a table and learn a model from it
	@test -f $(SAMPLE)/chug.csv || $(BIN)/corekit sample chug $(SAMPLE)
	$(BIN)/corekit run --corpus chug --root $(SAMPLE) --out $(OUT) --workers 2
	$(BIN)/corekit train --corpus chug --table $(OUT) --out $(MODEL) --protocol loso

test: $(DEVELOP) check  ## lint, types, tests, and the wheels as a stranger installs them
	$(BIN)/python -m pytest -q -n 2
	sh scripts/check_wheels.sh

check: $(DEVELOP)  ## lint and types alone
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

docs: $(DEVELOP)  ## write the generated parts of docs/ anew
	$(BIN)/python scripts/generate_docs.py

bench: $(DEVELOP)  ## time the cpu backend against its peers; half an hour, on an idle machine
	$(BIN)/python -m benchmarks.cpu_features --json benchmarks/results/cpu_features.json
	$(BIN)/python -m benchmarks.end_to_end --json benchmarks/results/end_to_end.json

wheels: $(DEVELOP)  ## build the wheels of all six distributions into dist/
	sh scripts/build_wheels.sh dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(VENV)/bin/python $(PROJECTS)
	$(PIP) -e .[train] -e plugins/bvi_dvc -e plugins/chug -e plugins/k150k -e plugins/konvid -e plugins/netflix
	@touch $@

$(DEVELOP): $(INSTALLED)
	$(PIP) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
