# Everything here sets itself up in .venv on its first run; the second run is quick.
#
#   make demo     a whole campaign on made-up contacts, in a temporary workspace
#   make test     every test        (make test ARGS='-k segment -n0' for some)
#   make lint     ruff and mypy
#   make bench    what bench/ measures, as ratios in one run
#   make docs     write the generated pages of docs/ again

PYTHON ?= python3
PY := .venv/bin/python
ARGS ?= -n auto --dist loadfile

# A checkout that is not allowed to keep its bytecode is compiled at every start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint bench docs clean

demo: .venv/macli
	@$(PY) -m macli demo

test: .venv/dev
	$(PY) -m pytest $(ARGS)

lint: .venv/dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

BENCHES := startup content segments import_contacts idle_tick smtp send "send --workers 2" "send --tracked" "send --memory" serve "serve --beside" hooks points points_replay rfm predict

bench: .venv/dev
	@for words in $(BENCHES); do set -- $$words; script=$$1; shift; \
		echo "== bench/$$script.py $$*"; $(PY) bench/$$script.py "$$@" || exit 1; done

docs: .venv/dev
	$(PY) docs/generate.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'macli needs Python 3.11 or later: sudo apt-get install -y python3' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'Python cannot make a virtual environment: sudo apt-get install -y python3-venv' >&2; exit 1; }
	@echo 'setting up .venv (once)'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv

.venv/macli: pyproject.toml | .venv/bin/python
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# pip reads dependency groups since 25.1 and Debian 12 has 23: the list is handed over by hand.
.venv/dev: pyproject.toml .venv/macli
	@$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > .venv/dev.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --requirement .venv/dev.txt
	@touch $@
