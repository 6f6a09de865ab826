# Everything runs in .venv, which each target makes as far as it needs it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint docs dist bench audit family reliability claims format clean

demo: .venv/demo
	$(BIN)/trimtab compare digits

test: .venv/dev
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

# what would be uploaded; its build backend is pinned as everything else is
dist: .venv/dev
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/distributions.py dist

bench: .venv/dev
	$(BIN)/python benchmarks/executor_throughput.py
	$(BIN)/python benchmarks/optimizer_step.py
	$(BIN)/python benchmarks/report_scale.py
	$(BIN)/python benchmarks/optimizer_memory.py

# minutes, with nothing else on the machine; the site shows what is found
family: .venv/dev
	$(BIN)/python benchmarks/optimizer_family.py --json docs/family.json

# a minute and two; which promises of torch.optim the baselines keep, and which checks the samplers of others
audit: .venv/dev
	$(BIN)/python docs/audit.py docs/audit.json
	$(BIN)/python docs/sampler_audit.py docs/sampler_audit.json

# hours; what needs root or faketime is left out without them
reliability: .venv/dev
	server=$$(mktemp -d) && trap '.ci/postgres stop "$$server"; rm -rf "$$server"' EXIT && \
	url=$$(.ci/postgres create "$$server") && \
	TRIMTAB_TEST_POSTGRES=$$url TRIMTAB_TEST_POSTGRES_CONTROL="$$server" \
	$(BIN)/python benchmarks/faults.py --json docs/reliability.json
	$(BIN)/python docs/reliability.py docs/reliability.json

# about three and a half hours of processor time; stopped, it goes on where it was
claims: .venv/dev
	$(BIN)/trimtab verify --all --out runs/claims
	$(BIN)/python docs/verdicts.py runs/claims
	$(MAKE) docs

format: .venv/dev
	$(BIN)/python -m trimtab.exports
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:
	rm -rf .venv site dist

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	touch $@

# torch first and by its pinned version: a plain "torch" would take the newest build, with gigabytes of CUDA libraries
.venv/demo: .venv/python pyproject.toml constraints.txt
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) -e .
	touch $@

.venv/dev: .venv/demo
	$(PIP) -e '.[dev]'
	touch $@
