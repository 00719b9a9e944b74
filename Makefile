# Everything a newcomer types. Each target sets itself up, so nothing needs to be typed before it.

VENV := .venv
PY := $(VENV)/bin/python
# The stamp carries the checksum of both files: a changed pin sets up again, an unchanged one needs no network.
PINS := $(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.till-$(PINS)
WORKERS ?= 2
# What Python has compiled is kept, whatever the environment says: a test run starts it some hundred times.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run check test lint types format setup package deploy secret destroy bench bench-billing fuzz clean

help: ## Show what can be done
	@echo 'Till. The targets set up what they need; the first run takes a few minutes and the network.'
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  TILL_PORT and TILL_CONTROL_PORT move `make run` from ports 8000 and 8001.'

run: $(STAMP) ## Run Till, and all of AWS and Stripe that it uses, on this machine
	@$(PY) -m infra.local.prepare database
	@exec $(PY) -m infra.local

check: $(STAMP) ## Check what must always hold on the machine that `make run` runs, against its Stripe too
	@$(PY) -m infra.local.check

test: $(STAMP) ## Run every test, browser journeys included
	@$(PY) -m infra.local.prepare database browser
	@exec $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=1 \
	  -p tests.timetable $(TESTS)

lint: $(STAMP) ## Check style and formatting (ruff)
	@$(PY) -m ruff check --no-cache .
	@$(PY) -m ruff format --check .

types: $(STAMP) ## Check types (mypy --strict)
	@$(PY) -m mypy

format: $(STAMP) ## Rewrite the code in the project's format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

setup: $(STAMP) ## Only set up, for working offline afterwards
	@$(PY) -m infra.local.prepare database browser

guards: $(STAMP) ## Take out each guard of the money paths, in a copy, and see a test go red
	@$(PY) -m infra.local.prepare database
	@exec $(PY) -m tests.guards

soak: $(STAMP) ## Random journeys for MINUTES (15), faults at 2 % of calls, two schedulers, restarts; then every invariant
	@$(PY) -m infra.local.prepare database
	@exec $(PY) -m tests.soak

bench: $(STAMP) ## Measure Till beside a straightforward app: cold and warm CPU, size, round trips (ROUNDS=9)
	@$(PY) -m infra.local.prepare database
	@exec $(PY) -m tests.bench

bench-billing: $(STAMP) ## Measure a billing run at scale: 10,000 due of 100,000, Stripe's pace, AWS's price (half an hour; DUE=…)
	@$(PY) -m infra.local.prepare database
	@exec $(PY) -m tests.bench.billing

package: $(STAMP) ## Make the zip and the template that are deployed, in build/
	@$(PY) -m infra.package.build

fuzz: $(STAMP) ## Requests made at random from the API's own document, for MINUTES (10)
	@MINUTES=$${MINUTES:-10} exec $(PY) -m pytest -q tests/handlers/test_api_from_its_document.py

deploy: $(STAMP) ## Deploy to AWS, or bring a deployment up to date: STAGE=prod
	@$(PY) -m infra.deploy deploy "$(STAGE)"

secret: $(STAMP) ## Take one secret of a deployment anew: STAGE=prod NAME=stripe-secret-key
	@$(PY) -m infra.deploy secret "$(STAGE)" "$(NAME)"

destroy: $(STAMP) ## Remove a deployment, less its tables, files and secrets: STAGE=prod
	@$(PY) -m infra.deploy destroy "$(STAGE)"

clean: ## Remove what set-up and tests made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build

$(STAMP): requirements.txt requirements-dev.txt
	@set -e; python=''; \
	for candidate in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo 'Till needs Python 3.11 or newer on the PATH.' >&2; exit 1; fi; \
	if [ ! -x $(PY) ]; then echo "Setting up: $$($$python --version) in $(VENV)"; $$python -m venv $(VENV); fi; \
	echo 'Setting up: installing the pinned packages (about 400 MB, a minute or two the first time)'; \
	$(PY) -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)" \
	  && $(PY) -m uv pip install --python $(PY) -r requirements-dev.txt \
	  || { echo 'Once more with pip, which may know of a package index that uv does not'; \
	       $(PY) -m pip install --disable-pip-version-check -r requirements-dev.txt; }; \
	rm -f $(VENV)/.till-*; touch $@
