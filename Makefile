# phosphene: `make demo` shows what it does, `make test` proves it. Both build .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Two test processes of one thread each: the tests are many and small.
PYTEST := OMP_NUM_THREADS=1 $(RUN)/python -m pytest -q -n 2

.PHONY: demo test test-fast lint bench clean help

help:
	@echo "make demo       install, explain the embedded network, write phosphene-demo.html"
	@echo "make test       install, run all tests"
	@echo "make test-fast  the tests that take less than a minute"
	@echo "make lint       ruff and mypy"
	@echo "make bench      speed beside the peers (takes a while)"

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) torch==2.13.0
	$(INSTALL) -e ".[dev]"
	touch $@

demo: $(VENV)/installed
	$(RUN)/phosphene demo

test: $(VENV)/installed
	$(PYTEST)

test-fast: $(VENV)/installed
	$(PYTEST) -m "not slow"

lint: $(VENV)/installed
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

bench: $(VENV)/installed
	$(INSTALL) -e ".[bench]"
	$(RUN)/python bench/reversal.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache phosphene-demo.html
