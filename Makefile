# Thin wrappers: what each does is in `vigie --help` and in the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIGIE_HOME ?= .vigie
export VIGIE_HOME

.PHONY: install demo up psql docs test coverage test-long bench bench-ingest bench-marts bench-model lint clean

install: $(VENV)/.installed

# Wheels only, each checked against its hash; the bytecode is compiled once, so that starts are quick even where Python may not write it.
$(VENV)/.installed: requirements/bootstrap.txt requirements/lock.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || (echo "Vigie needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 …"; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --only-binary :all: -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --only-binary :all: --compile-bytecode requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: install
	$(BIN)/vigie demo

up: install
	$(BIN)/vigie up

psql: install
	$(BIN)/vigie psql

docs: install
	$(BIN)/vigie docs $(VIGIE_HOME)/docs

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long"

# The same tests, traced, which takes longer.
coverage: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long" --cov --cov-report=term:skip-covered

test-long: install
	$(BIN)/python -m pytest

bench: install
	$(BIN)/python -m benchmarks

# Loading alone: about a quarter of an hour; other sizes: python -m benchmarks --help.
bench-ingest: install
	$(BIN)/python -m benchmarks --only ingest

bench-marts: install
	$(BIN)/python -m benchmarks.marts

bench-model: install
	-$(BIN)/uv pip install --quiet --python $(BIN)/python --only-binary :all: --no-build-isolation --editable '.[bench]'
	$(BIN)/python -m benchmarks.model

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/sqlfluff lint dbt_project/models

clean:
	rm -rf $(VIGIE_HOME) $(VENV) build dbt_project/target dbt_project/logs *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
