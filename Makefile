# make venv | test | demo | web | compare | findings | bench | lint
#
#   make test                     the default suite, in .venv (created when missing)
#   make test VENV=               the same in the environment that is already active
#   make web WEB_ARGS="..."       a page to try models in a browser, tools/web.py
#   make compare                  naive joint training against TMT-VIS, in miniature
#   make findings                 every run of docs/findings.md, and its tables: hours
#   make bench                    compare with mmdet, and renew docs/performance.md
#   make demo DEMO_ARGS="..."     tools/demo.py with these arguments
#   make venv PYTHON=python3.12   choose the interpreter (3.10 to 3.12)

PYTHON ?= python3
VENV ?= .venv

ifeq ($(strip $(VENV)),)
PY := $(PYTHON)
STAMP :=
else
PY := $(VENV)/bin/python
STAMP := $(VENV)/.tmt_vis.stamp
endif

PIP_INSTALL := $(PY) -m pip install -qq --no-input --disable-pip-version-check \
	--no-compile --retries 10 --timeout 60

# glibc returns every tensor above 32 MB to the kernel and faults it in again: a 100 MB
# elementwise operation took 71 ms instead of 12 ms. These three settings keep the pages.
MALLOC_MMAP_THRESHOLD_ ?= 4294967296
MALLOC_TRIM_THRESHOLD_ ?= 34359738368
MALLOC_TOP_PAD_ ?= 268435456
export MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_ MALLOC_TOP_PAD_

# Compiled modules are kept, in $(VENV) and the checkout: where the environment forbids
# it, every process compiles 3,000 anew, and mmdet takes 12 s to import instead of 5 s.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help venv test demo web compare findings bench lint

help:
	@awk '/^#/ { sub(/^# ?/, ""); print; next } { exit }' Makefile

venv: $(STAMP)

$(VENV)/.tmt_vis.stamp: setup.cfg pyproject.toml $(wildcard requirements/*.txt) \
		$(shell find projects/mmcv_ext -name '*.py' -o -name pyproject.toml)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v < (3, 13) else f"tmt_vis needs Python 3.10 to 3.12, got {v[0]}.{v[1]}; try: make $(MAKECMDGOALS) PYTHON=python3.11")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about two minutes the first time)"
	@$(PIP_INSTALL) -r requirements.txt
	@rm -rf projects/mmcv_ext/build build
	@$(PIP_INSTALL) --no-deps --no-build-isolation ./projects/mmcv_ext -e .
	@touch $@

# Two processes: docs/verified.md has the duration.
PYTEST_ARGS ?= -n 2 --dist loadfile
test: export OMP_NUM_THREADS ?= 1
test: $(STAMP)
	@$(PY) -m pytest $(PYTEST_ARGS)

# Measured, a training step of the demo: 0.22 s with one thread, 0.18 s with two; but as
# soon as another program uses a core, two wait for each other: 2.5 s, against 0.3 s.
demo: export OMP_NUM_THREADS ?= 1
demo: $(STAMP)
	@$(PY) tools/demo.py $(DEMO_ARGS)

# The requirements again: the active environment (VENV=) may lack Gradio.
web: $(STAMP)
	@$(PY) -c 'import gradio' 2>/dev/null || $(PIP_INSTALL) -r requirements/web.txt
	@$(PY) tools/web.py $(WEB_ARGS)

compare: $(STAMP)
	@$(PY) -m experiments.miniature compare

# Every run of docs/findings.md that is missing in work_dirs: hours on two cores.
findings: $(STAMP)
	@$(PY) -m experiments.miniature run
	@$(PY) -m experiments.miniature report --docs docs/findings.md

# Every result is kept as soon as it is there; BENCH_ARGS="eval/tube_iou" renews one.
bench: $(STAMP)
	@$(PY) -m benchmarks --results benchmarks/results --docs docs/performance.md $(BENCH_ARGS)

lint: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
