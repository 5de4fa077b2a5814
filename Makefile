VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
PYTHON ?= python3

.PHONY: install run test test-slow test-bytecode check coverage docs format bench bench-price bench-greedy bench-loris \
	bench-capacity bench-endurance bench-listening chaos chaos-webhooks brokers fuzz hostile corpus lock clean

# The packages for running, testing and developing: each set contains the one before, at the same versions.
RUN := $(VENV)/.run
TEST := $(VENV)/.test
DEV := $(VENV)/.dev
DOCS := $(VENV)/docs

install: $(RUN)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: PYTHON=python3.11, say' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Only by pip, which every Python has.
$(RUN): locks/run.lock pyproject.toml | $(BIN)/pip
	$(PIP) --require-hashes --requirement $<
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# By uv, which the tests need anyway, and which takes a tenth of the time.
$(TEST) $(DEV): $(VENV)/.%: locks/%.lock pyproject.toml | $(BIN)/pip
	sed -n '/^uv==/,/[^\\]$$/p' $< > $(VENV)/uv.txt
	$(PIP) --require-hashes --requirement $(VENV)/uv.txt
	$(UV) --require-hashes --requirements $<
	$(UV) --no-deps --no-build-isolation --editable .
	touch $(RUN) $(TEST) $@

run: install
	$(BIN)/chatkitty-gateway up

# Few processes, because each starts servers of its own. Properties try few examples.
test: $(TEST)
	$(BIN)/pytest -m "not slow" --numprocesses 3

# Parts that die, are unavailable or slow, whole stacks, and their deployment; and properties again, with
# many examples. These mostly wait, so more of them than there are cores may run at a time.
test-slow: $(TEST)
	$(BIN)/pytest -m slow --hypothesis-profile many --numprocesses 4 --timeout 300 --ignore tests/corpus/test_stack.py

# Reads all tests, which takes pytest most of a minute if it has never read them.
test-bytecode: $(DEV)
	$(BIN)/pytest --collect-only --quiet --quiet > /dev/null

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Requires that tests with tables run every branch of the modules that decide without I/O; then prints how
# much of all other modules they run. Properties are left out, since they run branches by chance, and so
# are counts of work, which take minutes when they are traced.
coverage: $(DEV)
	$(BIN)/coverage run -m pytest -q --ignore-glob='*_properties.py' --ignore-glob='*_work.py' \
		$(addprefix tests/gateway/,$(addprefix delivery/relay/test_,exchange.py passage.py phase.py) \
		delivery/test_links.py delivery/test_resumed_form.py delivery/tunnel media_types multipart \
		test_routes.py $(addprefix store/,test_answers.py test_faults.py \
		direct/test_failures.py direct/test_requests.py) uploads/test_lifecycle.py uploads/test_mismatch.py \
		uploads/test_policy.py upstream/test_retry.py \
		$(addprefix webhooks/test_,addresses.py messages.py progress.py))
	$(BIN)/coverage report
	@echo "Of gateway and workers by these tests alone: \
		$$($(BIN)/coverage report --include='gateway/*,workers/*' --fail-under=0 --format=total) %"

# The pages of docs/ and others as a site, in site/. Warnings are errors: a link or an anchor that leads
# nowhere, a page that is in no menu, or one that loads something from elsewhere.
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build

# Of its own, since no other environment needs these packages.
$(DOCS): locks/docs.lock
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)
	$(BIN)/python -m bench
	$(BIN)/python -m bench.slow
	$(BIN)/python -m bench.external
	$(BIN)/python -m bench.scanner

# BESIDE may name another checkout, with a .venv of its own, that is measured in the same run.
bench-price: $(DEV)
	$(BIN)/python -m bench.price $(if $(BESIDE),--beside $(BESIDE))

bench-greedy: $(DEV)
	$(BIN)/python -m bench.greedy

bench-loris: $(DEV)
	$(BIN)/python -m bench.loris

bench-capacity: $(DEV)
	$(BIN)/python -m bench.capacity
	$(BIN)/python -m bench.processes

bench-endurance: $(DEV)
	$(BIN)/python -m bench.endurance

bench-listening: $(DEV)
	$(BIN)/python -m bench.listening --vanish

# UPLOADS, SECONDS and SEED can be set: `make chaos UPLOADS=300 SEED=7`.
chaos: $(TEST)
	$(BIN)/python -m chaos $(if $(UPLOADS),--uploads $(UPLOADS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# The same for webhooks: their receiver fails in every way meanwhile. About ten minutes.
chaos-webhooks: $(TEST)
	$(BIN)/python -m chaos.webhooks $(if $(UPLOADS),--uploads $(UPLOADS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# A worker and a beat without a supervisor, while their Redis or RabbitMQ fails in every way: about ten
# minutes each. Needs rabbitmq-server.
brokers: install
	$(BIN)/python -m chaos.brokers --broker redis
	$(BIN)/python -m chaos.brokers --broker rabbitmq
	$(BIN)/python -m chaos.brokers --broker quorum

# The tests of `make test` with arbitrary bytes and aborted uploads, but many more of them: some minutes.
hostile: $(TEST)
	HOSTILE_EXAMPLES=100 HOSTILE_ABORTS=10000 $(BIN)/pytest tests/hostile -n 2 --timeout 1800

# Real files, from Debian's packages and made by encoders from PyPI, below var/corpus. `make test-slow`
# includes this with fewer documents, and without sending the files through a whole stack.
corpus: $(TEST)
	CORPUS_DOCUMENTS=20000 RANDOM_FILES=100000 $(BIN)/pytest tests/corpus tests/workers/signatures --timeout 1800

# SECONDS can be set, for each target. Failing inputs and the learnt corpus are written to var/fuzz.
fuzz: $(DEV)
	$(BIN)/python -m fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# The locks have versions and hashes for every platform and Python that we support. dev.lock is made first,
# and sets the versions of all.
lock: | $(TEST)
	$(LOCK) locks/build.in pyproject.toml --extra dev --output-file locks/dev.lock
	$(LOCK) locks/build.in --constraints locks/dev.lock --output-file locks/build.lock
	$(LOCK) pyproject.toml --extra libmagic --constraints locks/dev.lock --output-file locks/gateway.lock
	$(LOCK) locks/build.in pyproject.toml --extra embedded --constraints locks/dev.lock \
		--output-file locks/run.lock
	$(LOCK) locks/build.in pyproject.toml --extra test --constraints locks/dev.lock \
		--output-file locks/test.lock
	$(LOCK) locks/docs.in --output-file locks/docs.lock

LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --quiet

clean:
	rm -rf $(VENV) var site
