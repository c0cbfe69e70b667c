# Needs Python 3.11 or later, make and git.  Everything else comes into .venv with pip.
.DEFAULT_GOAL := help
.PHONY: help run test test-long lint docs setup clean

#: What `headrace up` gets; see `make run ARGS=--help`.
ARGS ?= --demo 20
#: A certain interpreter to make .venv with, such as PYTHON=/opt/python3.12/bin/python3.
PYTHON ?=

#: Each starts servers of its own; most of the time they wait. 0: in one process.
TEST_PROCESSES ?= 4
#: A browser needs a core.
BROWSER_PROCESSES ?= 2

# Tests start hundreds of processes: compiled once, each begins at once.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
INSTALLED := .venv/.installed

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Start everything on this machine: make run ARGS="--demo 20"
	@$(BIN)/headrace up $(ARGS)

test: lint ## Check style, types and imports, then run the tests
	$(BIN)/python tests/java_servers.py
	$(BIN)/pytest -m "not long" -n $(TEST_PROCESSES) --dist worksteal --ignore tests/browser
	$(BIN)/pytest -m "not long" -n $(BROWSER_PROCESSES) --dist worksteal tests/browser

test-long: $(INSTALLED) ## Run the longest tests, and those of properties with more examples
	$(BIN)/pytest -m "long or hypothesis" --hypothesis-profile thorough

lint: $(INSTALLED) ## Check style, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED) ## Write the tables of settings and metrics into the documents
	$(BIN)/python -m pipeline.cli.docs

setup: $(INSTALLED) ## Make .venv, with everything in it

clean: ## Remove what can be made again (.venv and .headrace stay)
	@rm -rf build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name .venv -prune -o -name .headrace -prune -o -name __pycache__ -type d \
	    -exec rm -rf {} +

# All output to stderr: on stdout, `make run` says only what `headrace up` says.
$(INSTALLED): setup.cfg
	@python=''; old=''; bare=''; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    command -v "$$candidate" >/dev/null 2>&1 || continue; \
	    if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        old="$$candidate"; \
	    elif ! "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
	        bare="$$candidate"; \
	    else \
	        python="$$candidate"; break; \
	    fi; \
	done; \
	if [ -n "$$python" ]; then :; \
	elif [ -n "$$bare" ]; then \
	    echo "$$bare has no venv or pip. Install them (Debian, Ubuntu: apt install python3-venv)," \
	        "or name another Python: make PYTHON=/path/to/python3" >&2; exit 1; \
	elif [ -n "$$old" ]; then \
	    echo "Headrace needs Python 3.11 or later; $$old is older. Install a newer one," \
	        "or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	else \
	    echo "Headrace needs Python 3.11 or later, and no python3 was found. Install it," \
	        "or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	$(BIN)/python -c 'import pip' 2>/dev/null \
	    || { echo "Making .venv with $$python" >&2; "$$python" -m venv --clear .venv >&2; } || exit 1; \
	echo "Installing into .venv (the first time takes a few minutes)" >&2; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' >&2 \
	    || { echo "pip could not install Headrace; its reason is above." >&2; exit 1; }; \
	touch $@
