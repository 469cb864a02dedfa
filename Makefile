# Every target sets up what it needs first: its own virtual environment with the versions of
# constraints.txt. PYTHON may name another interpreter (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-all bench lint clean

help:
	@echo "make demo      synthetic corpus -> streams -> training -> evaluation -> prediction -> report"
	@echo "make test      format, lint, types and fast tests (what CI runs)"
	@echo "make test-all  all tests, the slow ones too"
	@echo "make bench     speed, ours beside the simple version"

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

demo: $(READY)
	$(BIN)/affuse demo --out demo

lint: $(READY)
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -m "not slow" -n 2

test-all: lint
	$(BIN)/pytest -n 2

bench: $(READY)
	$(BIN)/python -m tests.bench

clean:
	rm -rf demo $(VENV)
