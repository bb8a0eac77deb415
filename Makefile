# make demo: install and see it work. make test: the whole test suite. make bench: speed against peers. Everything is installed into $(VENV).
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
SOURCES = pyproject.toml setup.py hwblocks/_core.pyx hwblocks/_core_planning.pxi hwblocks/_core.pxd $(shell find csrc -name '*.[ch]')

.PHONY: demo test fuzz bench lint clean prerequisites

demo: $(VENV)/.installed
	$(VENV)/bin/hwblocks demo

test: $(VENV)/.test
	$(VENV)/bin/python -m pytest -q -n 2

fuzz: $(VENV)/.test
	HYPOTHESIS_PROFILE=fuzz $(VENV)/bin/python -m pytest -q -n 2 tests

bench: $(VENV)/.bench
	mkdir -p build/bench
	$(VENV)/bin/python -m pytest tests/benchmarks -p benchmark -o addopts="--import-mode=importlib" --benchmark-only \
	  --benchmark-json=build/bench/kernels.json
	$(VENV)/bin/python tests/benchmarks/compare.py --json build/bench/compare.json --plot build/bench/compare.svg

lint: $(VENV)/.lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

prerequisites:
	@$(PYTHON) .ci/check_prerequisites.py

$(VENV)/.installed: $(SOURCES) | prerequisites
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.installed
	$(PIP) install --quiet --editable ".[test]"
	touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(PIP) install --quiet --editable ".[bench]"
	touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install --quiet --editable ".[test,lint]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info hwblocks/*.so tests/c/build
