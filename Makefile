# make run and make test each make .venv when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Their docstrings are the public interface.
PUBLIC := pipeline/api.py $(wildcard pipeline/domain/*.py) $(wildcard pipeline/records/*.py) pipeline/grammar.py \
	pipeline/errors.py pipeline/segments.py pipeline/models/model.py

.PHONY: run test coverage lint style types imports spelling docstrings docs clean

run: $(VENV)/installed
	$(BIN)/python -m pipeline dataset=drosophila

test: $(VENV)/installed
	$(BIN)/python -m pytest

# Every warning is an error: a dead link, a missing reference, a page outside the contents.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet -b html docs build/docs
	@echo "build/docs/index.html"

# Measured apart: it makes the suite slower.
coverage: $(VENV)/installed
	$(BIN)/python -m pytest --cov --cov-report=term

lint: style spelling imports docstrings types

style: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/basedpyright --pythonpath $(BIN)/python

imports: $(VENV)/installed
	$(BIN)/lint-imports --no-cache --no-logo

spelling: $(VENV)/installed
	$(BIN)/codespell

docstrings: $(VENV)/installed
	$(BIN)/numpydoc lint $(PUBLIC)

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install $(PIP_ARGUMENTS) --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .coverage
