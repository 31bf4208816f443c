# make demo   the site with demo clips and a demo study; PORT and EARSHOT_HOME are taken from the environment
# make test   everything the tests need, then all tests
# make test-rest   the drills of whole sites and the rows of long tables that make test leaves out
# make lint   ruff, mypy, whether a migration is missing; eslint and tsc for the scripts of the pages

PYTHON ?= python3
PORT ?= 8000
# PyTorch for CPUs; `TORCH=cuda make demo` takes PyPI's, for GPUs of NVIDIA (deploy/install-torch).
TORCH ?= cpu
export TORCH
EARSHOT_HOME ?= ./var
export PORT EARSHOT_HOME
# Tests start dozens of processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
NODE := node_modules/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: help demo test test-rest lint install check-system

help:
	@sed -n 's/^# make /make /p' Makefile

demo: $(DEMO)
	@exec $(BIN)/python manage.py demo $(DEMO_OPTIONS)

# On two cores a third process works while others wait for browsers and servers. Each further one collects
# all tests anew (6 s of CPU time) and starts a browser and loads models of its own.
TEST_PROCESSES ?= 3

test: $(DEV)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal $(PYTEST_OPTIONS)

test-rest: $(DEV)
	$(BIN)/python -m pytest -m rest --numprocesses $(TEST_PROCESSES) --dist worksteal $(PYTEST_OPTIONS)

lint: $(DEV) $(NODE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	npm run --silent lint

install: $(DEV)

$(DEMO): pyproject.toml
	@$(call install,demo,$@)

# `dev` includes `demo`.
$(DEV): pyproject.toml
	@$(call install,dev,$@)
	@touch $(DEMO)

# The linter and the type checker of static/js; the site itself needs neither.
$(NODE): package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { \
	  echo "The checks of static/js need Node.js 18 or newer:  sudo apt-get install -y nodejs npm" >&2; exit 1; }
	npm ci --no-audit --no-fund
	@touch $@

# The stamp is written last, so that an interrupted installation is taken up again by the next run. A lock
# keeps two runs started at once from installing into each other; the second finds the stamp and is through.
define install
set -e; exec 9>.venv.lock; if command -v flock >/dev/null; then flock 9; fi; \
if [ -e $(2) ] && [ ! pyproject.toml -nt $(2) ]; then exit 0; fi; \
$(MAKE) --no-print-directory check-system; \
if ! $(PIP) --version >/dev/null 2>&1; then \
  echo "Creating the virtual environment $(VENV)"; \
  $(PYTHON) -m venv --clear $(VENV); \
fi; \
echo "Installing Earshot and what it needs into $(VENV); PyTorch is large, so the first time takes minutes"; \
sh deploy/install-torch "$(PIP)"; \
$(PIP) install --editable '.[$(1)]'; \
touch $(2)
endef

# Names everything that is missing at once, before an installation fails half-way.
check-system:
	@missing=; \
	if ! command -v $(PYTHON) >/dev/null; then \
	  missing=" python3 python3-venv python3-dev"; \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Earshot needs Python 3.11 or newer, this is $$($(PYTHON) --version); set PYTHON=..." >&2; exit 1; }; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	  $(PYTHON) -c 'import os, sys, sysconfig as s; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' \
	    || missing="$$missing python3-dev"; \
	fi; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v g++ >/dev/null || missing="$$missing g++"; \
	if [ -n "$$missing" ]; then \
	  echo "These Debian packages are missing (compilers and python3-dev build PESQ and libsvm):$$missing" >&2; \
	  echo "Install them with:  sudo apt-get install -y$$missing" >&2; \
	  exit 1; \
	fi
