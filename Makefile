# make help lists the targets. Works with GNU make 3.81 (macOS) and later.

PYTHON := .venv/bin/python
# The demo's folder, and what to hand on to pytest: make test ARGS='-k mismatch'
OUT := demo-output
ARGS :=

# One BLAS thread: the number of threads can change the last bits of a result.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

# Homebrew on Apple silicon keeps libraries where Python's find_library does not look.
ifneq ($(wildcard /opt/homebrew/bin/brew),)
NGSPICE_LIBRARY_PATH ?= /opt/homebrew/lib/libngspice.dylib
export NGSPICE_LIBRARY_PATH
endif

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint bench netlists clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## set up what is missing, run the demo; its files are in demo-output/ (OUT=folder)
	@.ci/setup demo
	@$(PYTHON) -m lmu_analog.output.demo $(OUT)

test: ## set up what is missing, run all tests (ARGS='-k mismatch' is handed on to pytest)
	@.ci/setup test
	$(PYTHON) -m pytest -n auto --dist worksteal --ngspice=required $(ARGS)

quick: ## run in a minute the tests of the flow, without ngspice or other processes
	@.ci/setup test
	$(PYTHON) -m pytest -n auto --dist worksteal --quick $(ARGS)

lint: ## check style, format and types
	@.ci/setup lint
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m pyright --pythonpath $(PYTHON)

bench: ## run every script of benchmarks/ (each prints a table and writes JSON)
	@.ci/setup test
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PYTHON) "$$script"; done

netlists: ## write the golden decks of netlists/ anew, to be read in review
	@.ci/setup test
	$(PYTHON) -m pytest tests/test_golden_decks.py --update-golden $(ARGS)

clean: ## remove the environment, the caches and the demo's files
	rm -rf .venv build dist *.egg-info demo-output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
