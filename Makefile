VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: install run test test-slow check format bench greedy loris capacity endurance chaos fuzz \
	hostile corpus lock clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

run: install
	$(BIN)/chatkitty-gateway up

test: install
	$(BIN)/pytest -m "not slow"

# Parts that die, are away or made to wait, whole stacks, and what deploys them. These mostly wait,
# so more of them than there are cores may run at a time.
test-slow: install
	$(BIN)/pytest -m slow --numprocesses 4 --timeout 300

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m bench
	$(BIN)/python -m bench.slow
	$(BIN)/python -m bench.external
	$(BIN)/python -m bench.scanner

greedy: install
	$(BIN)/python -m bench.greedy

loris: install
	$(BIN)/python -m bench.loris

capacity: install
	$(BIN)/python -m bench.capacity
	$(BIN)/python -m bench.processes

endurance: install
	$(BIN)/python -m bench.endurance

# UPLOADS, SECONDS and SEED may be given: `make chaos UPLOADS=300 SEED=7`.
chaos: install
	$(BIN)/python -m chaos $(if $(UPLOADS),--uploads $(UPLOADS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# What `make test` sends of any bytes and of aborted uploads, at length: some minutes.
hostile: install
	HOSTILE_EXAMPLES=100 HOSTILE_ABORTS=10000 $(BIN)/pytest tests/hostile -n 2 --timeout 1800

# Real files, fetched from Debian's packages and made by encoders from PyPI, below var/corpus. A part of
# `make test-slow`.
corpus: install
	$(BIN)/pytest tests/corpus -n 2 --timeout 900

# SECONDS may be given, for each target; what breaks, and what was learnt, is put into var/fuzz.
fuzz: install
	$(BIN)/python -m fuzz $(if $(SECONDS),--seconds $(SECONDS))

# The lock names versions and hashes for every platform and Python that we support.
lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) var
