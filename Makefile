# Two commands: `make demo` installs what is needed and trains a small adapter, `make test` checks the whole project.
# Written for GNU make 3.81 and a plain sh, as macOS has them.

VENV := .venv
BIN := $(VENV)/bin
OLDEST := 3, 11
NEWEST := 3, 13

# pip takes the exact versions from here, and those of the build tools as well; older versions of pip read the first
# name for both.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench judge pictures torture

demo: $(VENV)/.installed
	$(BIN)/shoelora-tui train --config demo --console

# Three, since tests of the console wait for it to come to rest; file by file, since tests in a file share what they
# prepare; in the order of the files, since that begins with the longest.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Threads that wait for each other without spinning leave the processor's time to those that compute.
bench: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -s tests/benchmarks

# Two minutes: does the demo's base model draw what it is asked for; with RUN=outputs/NAME, what that run's adapter does.
judge: $(VENV)/.installed-dev
	$(BIN)/python -m tests.judge $(if $(RUN),--run $(RUN),--base)

# Some minutes: the pictures in the README, of the console while it trains the demo. They lie where no package takes
# them along.
pictures: $(VENV)/.installed-dev
	$(BIN)/python -m tests.pictures --into .github/pictures

# Half an hour: runs that are killed, torn and starved, each compared with one that was left alone. One trial again by
# its seed: make torture TRIALS=1 SEED=17
TRIALS := 200
SEED := 1
JOBS := 2

torture: $(VENV)/.installed-dev
	$(BIN)/python -m tests.torture --trials $(TRIALS) --seed $(SEED) --jobs $(JOBS)

# pip where .venv has it; a .venv that uv made has none.
define install
	@echo "Installing into $(VENV); the first time this takes some minutes."
	@if test -x $(BIN)/pip; then \
	    $(BIN)/pip install --quiet --editable '$(1)'; \
	else \
	    uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
	        --build-constraint constraints.txt --editable '$(1)'; \
	fi
endef

# The stamps make a second start begin at once: packages are installed only when what is asked for has changed.
$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(call install,.)
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(call install,.[dev])
	@touch $@ $(VENV)/.installed

# Every candidate is run before it is believed: pyenv has shims that only fail, Debian a Python without ensurepip.
$(BIN)/python:
	@rm -rf $(VENV)
	@for candidate in python3.13 python3.12 python3.11 python3 python; do \
	    if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not ($(OLDEST)) <= sys.version_info[:2] <= ($(NEWEST)))' >/dev/null 2>&1; then \
	        echo "Making $(VENV) with `$$candidate --version`."; \
	        exec $$candidate -m venv $(VENV); \
	    fi; \
	done; \
	if command -v uv >/dev/null 2>&1; then exec uv venv --python '>=3.11,<3.14' $(VENV); fi; \
	echo "No Python 3.11, 3.12 or 3.13 was found, and no uv."; \
	echo "Install one of them, then type make again:"; \
	echo "  macOS    brew install python@3.13"; \
	echo "  Debian   sudo apt install python3 python3-venv"; \
	echo "  any      uv, see https://docs.astral.sh/uv, which fetches Python by itself"; \
	exit 1
