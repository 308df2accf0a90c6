# make report   from a clone to an offline report
# make test     install, and pass the tests
# make lint     style and types
# make docs     the documentation, into site/: opens from disk, with search
# make choice   measure what docs/choose.md says, and write its tables and its figure anew (fifteen minutes, quiet)
# make asv      follow cost and accuracy over commits
# make clean    remove what these made, but nothing that was measured
#
# Variables: PYTHON (3.11 or newer), VENV, TORCH (the requirement to install, for GPU hosts and CPU builds), PIP_FLAGS
# (for example --extra-index-url), SWEEP, STORE, RANGE (commits for asv), PYTEST_FLAGS (by default one test process a core).

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell sed -n 's/^\(torch==[^ \#]*\).*/\1/p' requirements-dev.txt)
PIP_FLAGS ?=
SWEEP ?= quick
STORE ?= results/bench.sqlite
RANGE ?= HEAD~2..HEAD
PYTEST_FLAGS ?= -n auto --dist loadfile

BIN := $(VENV)/bin
# One stamp for each torch requirement: another TORCH installs again, the same one never does.
STAMP := $(VENV)/.installed-$(shell printf '%s' '$(TORCH) $(PIP_FLAGS)' | cksum | cut -d ' ' -f 1)

.PHONY: report test lint docs choice asv clean install
.DELETE_ON_ERROR:

report: $(STAMP)
	$(BIN)/python -m bench run $(SWEEP) --store $(STORE)
	$(BIN)/python -m reports build --store $(STORE) --out reports/html
	@echo "report: $(CURDIR)/reports/html/index.html (open it in a browser; it needs no network)"

# One thread a process: a thread pool on each of several test processes is slower than none.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --benchmark-disable $(PYTEST_FLAGS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Warnings are errors: a dead link, a page that no menu leads to. (With --quiet they are not counted.)
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 BENCH_STORE=$(STORE) $(BIN)/python -m mkdocs build
	@echo "docs: $(CURDIR)/site/index.html (open it in a browser; it needs no network)"

choice: $(STAMP)
	for sweep in quick sliced projections; do $(BIN)/python -m bench run $$sweep --store $(STORE) || exit; done
	$(BIN)/python -m bench.figures.choice --store $(STORE)
	$(BIN)/python -m reports figure work_precision --store $(STORE) --where quantity=score_matching --where dim=64 \
		--where depth=8 --where stage=init --format svg --out docs/images/choose_work_precision.svg

# asv exits with 2 where a point failed: that is a result; its reason is in .asv/stores.
asv: $(STAMP)
	$(BIN)/asv machine --yes
	$(BIN)/asv run --show-stderr $(RANGE) || [ $$? -eq 2 ]
	$(BIN)/asv publish
	$(BIN)/python -m bench.vendor_asv_site

install: $(STAMP)

$(STAMP): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "error: no $(PYTHON); set PYTHON to Python 3.11 or newer"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; set PYTHON"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "error: $(PYTHON) has no venv (on Debian: apt install python3-venv)"; exit 2; }
	@echo "installing into $(VENV), once (about 1 GB)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) "$(TORCH)"
	@grep -v '^torch==' requirements-dev.txt > $(VENV)/pins.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -r $(VENV)/pins.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --no-deps -e .
	@rm -f $(VENV)/.installed-*
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .asv/env .asv/html reports/html site
	find bench estimators reports tests -name __pycache__ -type d -prune -exec rm -rf {} +
