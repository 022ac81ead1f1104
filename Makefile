# `make lab` and `make test` build .venv by themselves, and install again only when
# pyproject.toml has changed.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab page html test lint format browser parity oldest faults bench pictures address clean FORCE

# make lab PYTHON=/path/to/python   that Python for a new .venv (`make clean` removes an old one)
# make test ARGS="-k momentum"      more arguments for pytest, or for JupyterLab
PYTHON ?=
ARGS ?=
TO ?=
OLDEST_PYTHON ?= $(or $(PYTHON),python3.11)

VENV := .venv/bin/python
PIP := -m pip install --disable-pip-version-check
QUIETLY := @$(VENV) tools/quietly.py

# The matrices are small: several BLAS threads would spend their time waiting for each other.
export OPENBLAS_NUM_THREADS ?= 1
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3 python)

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

# JupyterLab asks about news and looks for updates unless tools/jupyter switches that off: its options cannot.
# It refuses to run as root, who is the user of most containers. In a Codespace a page comes from GitHub's address.
LAB := --ServerApp.root_dir=. $(if $(filter 0,$(shell id -u)),--allow-root) $(if $(CODESPACE_NAME),--no-browser \
  --ServerApp.allow_origin_pat='https://$(CODESPACE_NAME)-[0-9]+[.]$(GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN)$$$$')

lab: .venv/lab  ## Open the first notebook in JupyterLab
	@JUPYTER_CONFIG_PATH="$(CURDIR)/tools/jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	  $(VENV) -m jupyterlab $(LAB) $(ARGS) notebooks/00_start_here.ipynb

# Every processor trains; 40 runs take a minute or so. NOTEBOOKS=https://... links the page to them.
page: .venv/lab  ## Write the lesson as one HTML page, bn_teach.html
	$(VENV) -m bn_teach.page bn_teach.html $(if $(NOTEBOOKS),--notebooks "$(NOTEBOOKS)")

# For a teacher to show, and for paper: executed, with pictures and words where the explorers are.
html: .venv/lab  ## Write every notebook as a page without a kernel, into html/
	$(VENV) tools/pages.py html

# Two processes, each with whole files: more would start as many browsers.
test: lint  ## Lint, then run all tests and all notebooks
	$(VENV) -m pytest -n 2 --dist loadfile $(ARGS)
	$(VENV) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks

browser: .venv/test  ## Run the browser tests alone (they need chromium)
	$(VENV) -m pytest $(ARGS) tests/browser

# The CPU build of PyTorch, first and alone: the ordinary one brings gigabytes of CUDA.
TORCH := @$(VENV) -c 'import torch' 2>/dev/null || \
  $(VENV) tools/quietly.py "Installing PyTorch, once." $(VENV) $(PIP) 'torch==2.13.0+cpu'

parity: .venv/test  ## Install the frameworks and compare ours with them
	$(TORCH)
	$(QUIETLY) "Installing the frameworks." $(VENV) $(PIP) --editable ".[test,parity]"
	BN_TEACH_REQUIRE_PARITY=1 $(VENV) -m pytest $(ARGS) tests/parity tests/torch_recorder/test_live.py

# An environment of its own. What old packages warn of is no fault of ours, and nothing that we could change.
oldest: .venv-oldest/ready  ## Run the tests with the oldest versions allowed
	.venv-oldest/bin/python -m pytest -W ignore::DeprecationWarning $(ARGS)
	.venv-oldest/bin/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks

faults: .venv/test  ## Plant faults in a scratch copy, and see the tests catch each
	$(VENV) tools/planted_faults.py $(ARGS)

# It starts a browser and PyTorch; what it prints goes to docs/benchmarks.md, and some rows of it to README.
bench: .venv/test  ## Measure speed as ratios, side by side (about five minutes)
	$(TORCH)
	$(VENV) benchmarks/run.py $(ARGS); status=$$?; $(VENV) tools/quote.py; exit $$status

pictures: .venv/test  ## Photograph the explorers anew, for notebooks/images (needs chromium)
	$(VENV) tools/pictures.py $(ARGS)

address: .venv/lab  ## Change the repository's address in every link: TO=owner/name
	$(VENV) tools/address.py $(TO)

lint: .venv/test  ## Check style and format, notebooks included
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check

format: .venv/test  ## Repair what can be repaired of both
	$(VENV) -m ruff check --fix-only
	$(VENV) -m ruff format

clean:  ## Remove .venv and what tools leave behind
	rm -rf .venv .venv-oldest html build dist bn_teach.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv that is missing, or whose Python has gone since, is built anew.
BROKEN := $(shell $(VENV) -c 'import pip' 2>/dev/null || echo FORCE)

.venv/lab: pyproject.toml $(VENV) $(BROKEN)
	$(QUIETLY) "Installing what the notebooks need into .venv: a minute or two, once." $(VENV) $(PIP) --editable .
	@touch $@

.venv/test: pyproject.toml $(VENV) $(BROKEN)
	$(QUIETLY) "Installing what the notebooks and tests need into .venv: a few minutes, once." \
	  $(VENV) $(PIP) --editable ".[test]"
	@touch .venv/lab $@

.venv-oldest/ready: pyproject.toml tests/oldest.txt
	@command -v "$(OLDEST_PYTHON)" >/dev/null || { echo "This needs Python 3.11: make oldest OLDEST_PYTHON=..."; exit 1; }
	@"$(OLDEST_PYTHON)" -m venv --clear .venv-oldest
	@.venv-oldest/bin/python tools/quietly.py "Installing the oldest versions into .venv-oldest: a few minutes, once." \
	  .venv-oldest/bin/python $(PIP) -c tests/oldest.txt --editable ".[test]"
	@touch $@

$(VENV): $(BROKEN)
	@found=; for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  found="$$python"; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "Building .venv with $$("$$python" --version)"; \
	  exec "$$python" -m venv --clear .venv; \
	done; \
	if [ -n "$$found" ]; then \
	  echo "$$("$$found" --version) has no venv module; on Debian and Ubuntu it comes with:"; \
	  "$$found" -c 'import sys; print("    sudo apt install python%d.%d-venv" % sys.version_info[:2])'; \
	else \
	  echo "bn_teach needs Python 3.11 or newer. None found; looked for:" $(PYTHONS); \
	  echo "Install one (https://www.python.org/downloads), or name yours: make PYTHON=/path/to/python lab"; \
	fi >&2; exit 1
