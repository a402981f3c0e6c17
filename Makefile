# The two commands of the README: make start, make test. CI runs `make lint test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.PHONY: start install stop delete test lint bench tools clean

$(BIN)/p8s: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/dev: pyproject.toml $(BIN)/p8s
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

start: $(BIN)/p8s
	$(SUDO) $(BIN)/p8s start

install: $(BIN)/p8s
	$(SUDO) ln -sfn $(CURDIR)/$(BIN)/p8s /usr/local/bin/p8s

stop: $(BIN)/p8s
	$(SUDO) $(BIN)/p8s stop

delete: $(BIN)/p8s
	$(SUDO) $(BIN)/p8s delete

tools: $(VENV)/dev
	$(SUDO) tools/install_test_packages.sh
	$(BIN)/python tools/fetch_kubectl.py .tools/bin

# What needs no cluster comes first and several at a time: most of these tests wait. The others want the machine alone.
test: tools
	$(SUDO) env PATH="$(PATH)" $(BIN)/python -m pytest tests -m "not live" -n 4 --dist loadfile
	$(SUDO) env PATH="$(PATH)" $(BIN)/python -m pytest tests -m live

# What simulated nodes need on any system; the rest is made for Linux.
ANYWHERE := aio api apiserver cli client cluster controllers explain scheduler simulator store telemetry wire

lint: $(VENV)/dev
	$(BIN)/ruff check src tests tools bench
	$(BIN)/ruff format --check src tests tools bench
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --follow-imports silent $(addprefix -p pybernetes.,$(ANYWHERE))
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_types.py --check

bench: tools
	$(BIN)/python -m compileall -q src
	$(SUDO) env PATH="$(PATH)" $(BIN)/python -m bench

clean:
	rm -rf $(VENV) .tools dist build
