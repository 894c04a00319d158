# Ropewalk's commands. The same words run here, in CONTRIBUTING.md and in .ci/run.
# Needed beforehand: Python 3.11 or newer with pip, and make. Everything else goes into .venv.

# The first interpreter that starts and is new enough: a name on PATH may be a shim that only fails.
PY ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
WORKERS ?= 2

# Without byte code every start of a process compiles every import again, which costs seconds.
unexport PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1
# Trust the certificates that the machine trusts: many sit behind a proxy of their own.
export UV_SYSTEM_CERTS := 1
# An empty value stops uv; an absent one does not.
ifeq ($(strip $(UV_INDEX_STRATEGY)),)
unexport UV_INDEX_STRATEGY
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# uv where it is there, pip where it is not or where only pip knows the way to the index.
define install
	@{ test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(BIN)/python $(1); } \
		|| $(BIN)/python -m pip install --quiet $(1)
endef

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo bench profile test test-long fmt lint types imports pages docs check lock clean

help: ## Show these commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

setup: $(VENV)/.ready-dev ## Make .venv with everything that the other commands need

demo: $(VENV)/.ready-demo ## Set up what the program needs, and see the store at work
	@$(BIN)/ropewalk demo --force
	@echo
	@$(BIN)/python -m examples.langgraph_growth

bench: $(VENV)/.ready-bench ## Measure beside what else there is; BENCH=--quick is short
	@$(BIN)/python -m benchmarks $(BENCH)

profile: $(VENV)/.ready-dev ## Show where the time goes; PROFILE="load --tasks 10" on another path
	@$(BIN)/python -m benchmarks.profiling $(PROFILE)

test: $(VENV)/.ready-dev ## Run every test; TESTS=tests/backends runs some of them
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(TESTS)

test-long: $(VENV)/.ready-dev ## Run every test, with crashes, chaos and state machine at full length
	@ROPEWALK_LONG=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal --timeout 3600 -o faulthandler_timeout=3600 $(TESTS)

fmt: $(VENV)/.ready-dev ## Format, and mend what can be mended by machine
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(VENV)/.ready-dev ## Check style, format and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell .

types: $(VENV)/.ready-dev ## Check types, twice: mypy and pyright, both strict
	@$(BIN)/mypy
	@$(BIN)/pyright

imports: $(VENV)/.ready-dev ## Check the floors: who may import whom
	@$(BIN)/lint-imports --no-cache

pages: $(VENV)/.ready-dev ## Write the generated pages of docs/ anew
	@$(BIN)/python tools/seeds.py
	@$(BIN)/python tools/api.py
	@$(BIN)/python tools/cli.py

docs: $(VENV)/.ready-dev ## Check that generated pages are current; `make test` runs the examples
	@$(BIN)/python tools/seeds.py --check
	@$(BIN)/python tools/api.py --check
	@$(BIN)/python tools/cli.py --check

check: lint imports types docs test ## Everything that must hold before a change is merged

lock: $(VENV)/.ready-uv ## Resolve requirements/*.txt anew, with hashes
	@echo uv | $(LOCK) -o requirements/uv.txt -
	@$(LOCK) --extra all --group dev -o requirements/dev.txt pyproject.toml
	@$(LOCK) --extra all --group bench -c requirements/dev.txt -o requirements/bench.txt \
		pyproject.toml
	@$(LOCK) --extra langgraph --group demo -c requirements/dev.txt -o requirements/demo.txt \
		pyproject.toml
	@$(LOCK) --group build -c requirements/dev.txt -o requirements/run.txt pyproject.toml
	@! grep -nE '://|^--' requirements/*.txt

clean: ## Remove .venv and everything that tools left behind
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist build
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# The locks hold on every supported Python, and name no index and no folder.
LOCK = $(BIN)/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links

$(BIN)/python:
	@test -n "$(PY)" || { echo 'Ropewalk needs Python 3.11 or newer; name one with: make PY=...' >&2; exit 1; }
	@$(PY) -m venv --clear $(VENV) >/dev/null 2>&1 \
		|| { $(PY) -m venv --clear --without-pip $(VENV) \
			&& $(PY) -m pip --python $@ install --quiet pip; }

$(VENV)/.ready-uv: requirements/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --require-hashes -r $< \
		|| echo 'uv could not be installed: pip goes on alone, more slowly'
	@touch $@

$(VENV)/.ready-run: requirements/run.txt pyproject.toml $(VENV)/.ready-uv
	$(call install,--require-hashes -r requirements/run.txt)
	$(call install,--no-deps --no-build-isolation -e .)
	@touch $@

$(VENV)/.ready-demo: requirements/demo.txt $(VENV)/.ready-run
	$(call install,--require-hashes -r requirements/demo.txt)
	@touch $@

$(VENV)/.ready-dev: requirements/dev.txt $(VENV)/.ready-run
	$(call install,--require-hashes -r requirements/dev.txt)
	@touch $@

# Those beside whom we measure; where one cannot be installed, the tables say that it is missing.
$(VENV)/.ready-bench: requirements/bench.txt $(VENV)/.ready-dev
	$(call install,--require-hashes -r requirements/bench.txt)
	@touch $@
