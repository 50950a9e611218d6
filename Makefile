# What a person types. `make help` explains. Needs only make and Python >= 3.11 with venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test long chaos browser screenshot check lock clean
# Extra arguments: make up ARGS="--stations 20 --port 8100"
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime.stamp
DEV := $(VENV)/.dev.stamp
PIP := $(PY) -m pip --disable-pip-version-check --no-input -qq
HINT := echo "  -> not installed: no network, or a full disk? The lines above say; make again goes on from here" >&2

help: ## What can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile
	@echo 'make up ARGS="--stations 20 --speed 4 --port 8100"; all options: .venv/bin/denchi up --help'

up: $(RUNTIME) ## Everything on this machine with a simulated fleet; Ctrl-C ends it, the data stays in .denchi
	@$(VENV)/bin/denchi up $(ARGS)

test: $(DEV) ## Every test but the long and the browser ones
	@$(VENV)/bin/pytest -q -m "not browser and not long" $(ARGS)

long: $(DEV) ## What takes minutes: twenty kills, a week offline, containers' commands, a month on the wire
	@$(VENV)/bin/pytest -q -m "long and not browser" $(ARGS)

chaos: $(DEV) ## The full chaos tier: kills and outages, minutes
	@$(VENV)/bin/pytest -q tests/chaos $(ARGS)

browser: $(DEV) ## The console in headless Chromium
	@$(VENV)/bin/pytest -q -m browser tests/browser $(ARGS)

screenshot: $(DEV) ## The picture of the console in docs, from a seeded fleet
	@DENCHI_SCREENSHOT_DIR=docs $(VENV)/bin/pytest -q -rs -m browser tests/browser/test_console_page.py -k picture

check: $(DEV) ## Lint, format, types, architecture
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

# The build tool is locked with the rest, so that installing this project itself asks nobody for anything unpinned.
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: ## Pin the dependencies anew (needs uv)
	@echo 'setuptools>=80' | $(LOCK) --extra embedded pyproject.toml - -o requirements.lock
	@$(LOCK) --extra embedded --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## Remove the environment, caches and the data directory .denchi
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info .denchi
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made once and brought up to date when a lock file changes.
$(PY):
	@python=; for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if command -v $$candidate >/dev/null 2>&1 && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or later is needed; python3 here is: $$(python3 --version 2>&1 || echo missing)" >&2; \
	  echo "  -> install it, for example: apt install python3.11 python3.11-venv" >&2; exit 1; fi; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "$$python has no venv module" >&2; \
	  echo "  -> apt install python3-venv (or python$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv)" >&2; exit 1; fi; \
	echo "making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) || { rm -rf $(VENV); echo "  -> is the disk full, or this directory not yours?" >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | $(PY)
	@echo "installing what requirements.lock pins"
	@$(PIP) install --no-deps --require-hashes -r requirements.lock || { $(HINT); exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e . || { $(HINT); exit 1; }
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@echo "installing what requirements-dev.lock pins"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock || { $(HINT); exit 1; }
	@touch $@
