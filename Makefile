# phosphene: `make demo` shows what it does, `make test` proves it. Both build .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Two test processes of one thread each: the tests are many and small.
PYTEST := OMP_NUM_THREADS=1 $(RUN)/python -m pytest -q -n 2

# A second environment with other people's networks and packages, an older torch among them.
INTEROP := .venv-interop
INTEROP_INSTALL := $(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check \
	-c constraints-interop.txt

.PHONY: demo test test-fast lint bench interop gallery clean help

help:
	@echo "make demo       install, explain the embedded network, write phosphene-demo.html"
	@echo "make test       install, run all tests"
	@echo "make test-fast  the tests that take less than a minute"
	@echo "make lint       ruff and mypy"
	@echo "make interop    the same networks in torchvision, timm, transformers; the peers beside us"
	@echo "make bench      speed beside the peers (takes a while)"
	@echo "make gallery NETWORK=squeezenet.caffemodel   the papers' figures again (an hour)"

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

# Goes on where it was interrupted; without NETWORK, what needs no such file.
gallery: $(VENV)/installed
	$(RUN)/python tools/gallery.py out/gallery $(if $(NETWORK),--network $(NETWORK))

# grad-cam would bring a second OpenCV, which overwrites the one its constraints name.
$(INTEROP)/installed: pyproject.toml constraints-interop.txt
	test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	$(INTEROP_INSTALL) torch==2.11.0 torchvision==0.26.0
	$(INTEROP_INSTALL) timm transformers captum zennit scikit-learn matplotlib tqdm \
		opencv-contrib-python-headless pytest pytest-xdist hypothesis
	$(INTEROP_INSTALL) --no-deps grad-cam ttach
	$(INTEROP_INSTALL) -e .
	touch $@

# Also writes the table of outcomes in docs/models.md.
interop: $(INTEROP)/installed
	OMP_NUM_THREADS=1 $(INTEROP)/bin/python -m pytest -q -n 2 tests/interop

clean:
	rm -rf $(VENV) $(INTEROP) .mypy_cache .ruff_cache .pytest_cache phosphene-demo.html
