# Two commands: `make demo` and `make test`; both set up .venv on the way.
# `make test EXTRAS=dev` leaves out what ONNX input needs, some 2.4 GB. PYTHON=python3.13 picks
# another Python, 3.11 to 3.13. `make bench BENCH="--sizes 50,100,1000"`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= dev,onnx
BENCH ?=
STAMP := $(VENV)/.installed-$(EXTRAS)

.PHONY: demo test test-slow bench lint docs clean

demo: $(STAMP)
	$(BIN)/splitopt run configs/jobs/onnx_mbv2_digits.yaml

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m "slow or hypothesis"

bench: $(STAMP)
	$(BIN)/python tests/bench/bench_planning.py $(BENCH)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict --site-dir build/site

$(VENV)/.installed-%: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
