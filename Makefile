# make run and make test each make .venv when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint docs clean

run: $(VENV)/installed
	$(BIN)/python -m pipeline dataset=drosophila

test: $(VENV)/installed
	$(BIN)/python -m pytest

# Every warning is an error: a dead link, a missing reference, a page outside the contents.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet -b html docs build/docs
	@echo "build/docs/index.html"

lint: $(VENV)/installed
	$(BIN)/ruff check .

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install $(PIP_ARGUMENTS) --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
