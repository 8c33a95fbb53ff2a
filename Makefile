# The only runner. `make book` and `make test` do everything; `make help` lists the rest.
PROFILE ?= ci
JOBS ?= 2
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,14))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
SITE := book/_build/html/index.html

ifneq ($(wildcard ../shared/data/SHA256SUMS),)
export CAUSALREC_DATA_MIRROR ?= $(abspath ../shared/data)
endif
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export PYTHONHASHSEED ?= 0
export TOKENIZERS_PARALLELISM ?= false

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- set-up -------------------------------------------------------------------------------------------------
$(READY): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No CPython >= 3.11, < 3.14 found. Install one, or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[causal,language,book,dev]'
	@touch $@

setup: $(READY) ## make .venv with the pinned environment

# --- the second stage runs inside the environment, with generated dependencies ------------------------------
STAGE2 = $(MAKE) --no-print-directory --jobs=$(JOBS) PROFILE=$(PROFILE) STAGE=2

book: $(READY) ## run every chapter and build the site
	@$(STAGE2) site
	@echo; echo "The book is ready. Open: file://$(abspath $(SITE))"

chapters: $(READY) ## run every chapter
	@$(STAGE2) run-chapters

# A file of tests stays on one worker, so that what it sets up (a world, a visit of every page) is set up once. Groups
# by mark would be finer, but pytest 9.2 doesn't hear of those of xdist 3.8.
# A site that is there is brought up to date, so that the browser never looks at yesterday's; without one, the browser
# tests build a small one from two sample chapters.
test: $(READY) ## run all tests (chapters are run first, where they changed)
	@$(STAGE2) run-second $(if $(wildcard $(SITE)),site,run-labs)
	@$(PY) -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

nightly: $(READY) ## the long version of the truth tests
	@$(PY) -m pytest tests/truth --nightly --numprocesses=$(JOBS) $(PYTEST_ARGS)

test-site: $(READY) ## look at the built site in headless Chromium
	@$(STAGE2) site
	@$(PY) -m pytest tests/site -m site -rs $(PYTEST_ARGS)

test-colab: $(READY) ## library tests and all labs under Colab's versions
	@$(STAGE2) run-labs
	@bash tests/colab/run.sh

data: $(READY) ## fetch and verify data and models
	@$(PY) -m causalrec_lib.course.stock --fetch

labs: $(READY) ## build student and solution notebooks
	@$(STAGE2) run-labs

second-run: $(READY) ## run every lab, open and solved: nbval holds each output against the first run
	@$(STAGE2) run-second

records: $(READY) ## what moved against the baselines
	@$(STAGE2) run-chapters
	@$(PY) -m causalrec_lib.course.cli records

lint: $(READY) ## ruff, mypy, numpydoc validation
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(PY) -m pytest -q tests/course/test_docstrings.py

bench: $(READY) ## performance figures
	@for f in benchmarks/bench_*.py; do $(PY) $$f || exit 1; done

clean: ## delete everything generated, keep .venv and the data cache
	rm -rf build book/_build book/chapters book/_vendor

.PHONY: help setup book chapters test nightly test-site test-colab data labs second-run records lint bench clean

# --- stage 2 ------------------------------------------------------------------------------------------------
ifdef STAGE
LIBRARY := $(shell find causalrec_lib -name '*.py')
SOURCES := $(wildcard notebooks/*/*.py)

# Changes when a file comes or goes, whatever its date.
build/files.list: FORCE
	@mkdir -p build; echo '$(sort $(LIBRARY) $(SOURCES))' | cmp -s - $@ || echo '$(sort $(LIBRARY) $(SOURCES))' > $@
# Changes when the pins or the Python change: then every number is computed again.
build/environment.state: FORCE
	@mkdir -p build; { $(PY) -V; sort constraints.txt; } | cmp -s - $@ || { $(PY) -V; sort constraints.txt; } > $@

build/deps-$(PROFILE).mk: build/files.list $(LIBRARY) $(SOURCES)
	@$(PY) -m causalrec_lib.course.deps --profile $(PROFILE) --out $@
-include build/deps-$(PROFILE).mk

# What is in the data cache, one state file a set; it changes only when the set's files change.
build/data/.stamp: data/sources.toml FORCE
	@$(PY) -m causalrec_lib.course.stock
build/data/%.state: build/data/.stamp ; @:

build/executed/$(PROFILE)/%.ipynb:
	@echo "running $*"
	@$(PY) -m causalrec_lib.course.runner --profile $(PROFILE) $*

run-chapters: $(CHAPTERS) $(LATE_PAGES)

# Address and commit that the labs name; it changes only when they change.
build/labs/.address: FORCE
	@$(PY) -m causalrec_lib.course.labs_setup --out $@

# The wheel lies beside the labs, so all that is in it counts, as do the texts that the labs quote.
LABS_FROM := $(LIBRARY) $(wildcard causalrec_lib/course/templates/*) pyproject.toml setup.py data/sources.toml \
	$(wildcard data/cards/*.md) book/references.bib book/glossary.md
build/labs/.stamp: $(CHAPTERS) $(LATE_PAGES) $(LABS_FROM) build/labs/.address
	@$(PY) -m causalrec_lib.course.labs --profile $(PROFILE)
	@touch $@
run-labs: build/labs/.stamp

# The second run is the chapter's lab, first with open exercises, then solved. It has a build folder of its own, so that
# both runs' records can be compared, and uses the same seed.
build/second/$(PROFILE)/%.ok: build/executed/$(PROFILE)/%.ipynb $(wildcard causalrec_lib/course/labs*.py) \
		causalrec_lib/course/notebook.py causalrec_lib/course/second.py
	@echo "running $* a second time"
	@$(PY) -m causalrec_lib.course.second --profile $(PROFILE) $*
run-second: $(CHAPTERS:build/executed/$(PROFILE)/%.ipynb=build/second/$(PROFILE)/%.ok)

site: build/labs/.stamp
	@$(PY) -m causalrec_lib.course.site --profile $(PROFILE)

FORCE:
.PHONY: run-chapters run-labs run-second site FORCE
endif
