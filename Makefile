# Targets are documented by the comment after ##; `make help` prints them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests start hundreds of processes; where this is set each compiles all our modules again (a seventh of its start).
unexport PYTHONDONTWRITEBYTECODE
# A process with NumPy would start a thread for every core, for matrices that nothing here multiplies (a tenth of its start).
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help run test measure simulate check format bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Demo: bundled service, 42 s of load, a verdict; succeeds if that is PASS
	$(BIN)/locust --config profiles/demo.conf

test: ## Install what the tests need and run all of them
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-packages lint
	$(BIN)/pytest --numprocesses 4 --dist worksteal --cov --cov-fail-under=95

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

measure: $(VENV)/.dev test-packages ## Measure on a real clock (half an hour, two idle cores; NAMES="precision arrivals" for some of it)
	$(BIN)/python -m measured $(NAMES)

simulate: $(VENV)/.dev ## Judge simulated runs of known truth and print how often the verdict is wrong (half an hour)
	$(BIN)/python -m measured.verdict_rates
	$(BIN)/python -m measured.abort_rates

check: lint ## Fast checks: lint, types, unit and client tests
	$(BIN)/pytest --numprocesses 2 --dist worksteal tests/unit tests/client

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

# Of Debian; called with what stays undone without them.
define install
	@dpkg --status $(1) >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; } \
	  || echo "$(1) not installed: $(2)"
endef

# The tests want Debian's Chromium (Playwright's driver wants libatomic1 besides), nginx and openssl; where they cannot be
# installed their tests skip, and fail when CI is set.
.PHONY: test-packages
test-packages:
	$(call install,chromium libatomic1 nginx-light openssl,some tests may be skipped)

bench: $(VENV)/.bench ## Measure HTTP and SQL clients side by side with others (ten minutes, needs two idle cores)
	$(call install,nginx-light wrk,the benchmark will end at once)
	$(BIN)/python -m benchmarks.http_generators
	$(BIN)/python -m benchmarks.sql_generators

clean: ## Remove the virtual environment and caches; results stay
	rm -rf $(VENV) *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

# Debian's pip takes twice the time of a newer one.
$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt --upgrade pip \
	  || echo "pip was not upgraded: the installation takes longer"

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '.[service]'
	@touch $@

# Not compiled: Python does that with what it imports, and the tests import a part of it.
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@ $(VENV)/.run
