.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run cluster test suite long lint format bench docs simulate soak chaos fuzz scale coverage screenshots

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# A stamp per requirements file: installing again costs nothing until a pin changes.
.venv/.installed-%: requirements/%.txt
	@test -x $(BIN)/python || { \
	  $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and this is " + sys.version.split()[0] + ": name another with PYTHON=python3.12")' && \
	  { $(PYTHON) -m venv .venv || { rm -rf .venv; false; }; }; }
	@echo "Installing $< into .venv; the first time this takes a minute"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

run: .venv/.installed-base ## Start one pod on http://localhost:3000, with its own Redis if there is none
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python manage.py streamworker

cluster: .venv/.installed-base ## Start three pods (3001-3003) and a front door (3000), without containers
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python -m deploy.cluster

# More processes than cores: a test waits for most of its time. And bytecode is kept, whatever
# the shell says: the suite starts hundreds of processes, each of which would compile the sources.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/.installed-dev ## Check style and types, and run the whole suite beside it
	@$(MAKE) --no-print-directory -j 2 lint suite

# Tests run make themselves, which is not a part of this one.
suite:
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(BIN)/python -m pytest -n 4 --dist worksteal

long: .venv/.installed-dev ## Run the tests that take too long for the suite
	$(BIN)/python -m pytest -n 3 -m long

lint: .venv/.installed-dev ## Check style, types, templates and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --check --lint --quiet templates
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

format: .venv/.installed-dev ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint --reformat --quiet templates

bench: .venv/.installed-dev ## Measure this pod against its peers; writes docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

docs: .venv/.installed-base ## Write .env.example, and in docs/reference/ what the code declares, from the code
	@$(BIN)/python manage.py docs

simulate: .venv/.installed-dev ## Try to lose an event in simulated clusters: SEED=n begins there, RUNS=n seeds
	$(BIN)/python -m tests.simulation --seed $(or $(SEED),0) --runs $(or $(RUNS),2000)

soak: .venv/.installed-dev ## Connect and disconnect 2,000,000 times, or for 20 minutes, and fail unless nothing grows
	$(BIN)/python -m tests.soak $(SOAK)

# SEED draws the same faults again; CHAOS=--calm breaks nothing and counts what is sent twice.
chaos: .venv/.installed-dev ## Break pods, links and Redis at random for SECONDS=120, and fail when an event is lost in silence
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(CHAOS)

# SCALE="--only killed --share 0.1" runs one scenario with a tenth of the clients.
scale: .venv/.installed-dev ## Try what breaks with 5,000 clients, and measure 100,000 lanes: SCALE=--help lists the scenarios
	$(BIN)/python -m tests.scale $(SCALE)

fuzz: .venv/.installed-dev ## Hold a pod's answers to thousands of requests against its OpenAPI document; SEED=n makes them again
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED))

coverage: .venv/.installed-dev ## Show that each pure module is wholly covered by its own test file
	@$(BIN)/python -m tests.pure_coverage

screenshots: .venv/.installed-dev ## Photograph every page with Chromium; writes docs/images/
	$(BIN)/python -m tests.dashboard.browsers.screenshots
