# Two commands on a fresh machine: `make demo` and `make test`. Both set up a .venv in the checkout by themselves.
# Linux, macOS; Python 3.11 or newer (choose one with PYTHON=python3.12).
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.amidst-installed

PAGES := node_modules/.amidst-installed

.PHONY: setup demo test check check-pages format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "amidst needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/amidst demo

# Bytecode is kept even where the environment says otherwise: the tests start hundreds of processes.
test: setup
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile

check: setup check-pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Types of the pages' scripts. Nobody needs Node to use the pages, so without it this is left out, but not in CI.
check-pages:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PAGES) && node_modules/.bin/tsc; \
	elif [ -n "$$AMIDST_CI" ]; then echo "npm is missing, and AMIDST_CI is set: apt-get install nodejs npm"; exit 1; \
	else echo "skipped: the types of the pages' scripts (npm is not installed)"; fi

$(PAGES): package.json
	npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache build dist
