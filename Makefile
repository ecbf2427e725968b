# The project's commands. `make setup` needs python3 >= 3.11 with venv and pip, make and git; the rest
# comes into .venv (and uv into .uv, where the machine has none).
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
# Like pip: trust what the machine trusts, where it keeps its certificates in one of the usual files.
CERTIFICATES := $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt)
export UV_SYSTEM_CERTS ?= $(if $(CERTIFICATES),true,false)

.PHONY: help setup run test golden machine replicas planted fuzz bench audit sbom test-compose test-fresh check format lock env clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

.venv/.ready: requirements.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m compileall -q src  # else each process of the first start compiles it all
	@touch $@

setup: .venv/.ready ## everything into .venv, the stakeline command included

run: setup ## both services on this machine, on SQLite
	$(BIN)/stakeline up

# Where three workers share two cores a limit of some seconds can be missed for want of a processor. So
# what failed runs once more, alone; what fails then has failed.
AT_ONCE := -n 3 --dist loadgroup --cov
ALONE := --last-failed --last-failed-no-failures none --cov --cov-append

test: setup ## all tests on SQLite, then all on a private PostgreSQL, with branch coverage
	$(BIN)/pytest $(AT_ONCE) --cov-report= --cov-fail-under=0 || \
	  $(BIN)/pytest $(ALONE) --cov-report= --cov-fail-under=0
	export STAKELINE_TESTS_ON=postgresql; \
	  $(BIN)/pytest $(AT_ONCE) --cov-append --cov-report=term || \
	  $(BIN)/pytest $(ALONE) --cov-report=term

golden: setup ## the example season with faults, by 20 seeds (some 8 minutes)
	for seed in $$(seq 20); do \
	  $(BIN)/stakeline replay examples/premier-league-2019-20.csv --faults --seed $$seed || exit 1; \
	done

machine: setup ## the model-based tests at length: 5,000 runs of 100 steps (most of an hour)
	STAKELINE_EXAMPLES=5000 STAKELINE_STEPS=100 $(BIN)/pytest tests/machine -rP

replicas: setup ## five processes on one PostgreSQL, killed at random for ten minutes
	STAKELINE_TESTS_ON=postgresql STAKELINE_KILLS_S=600 $(BIN)/pytest tests/postgresql/test_replicas.py -rP

planted: setup ## plants bugs one by one into a copy; the tests have to catch each (some 20 minutes)
	$(BIN)/python -m tests.planted

fuzz: setup ## schemathesis at length: CASES=100000 over services and roles, ENGINE=sqlite or postgresql
	STAKELINE_TESTS_ON=$(ENGINE) STAKELINE_FUZZ_CASES=$(CASES) STAKELINE_FUZZ_SEED=$(SEED) \
	  $(BIN)/pytest tests/fuzz -n 3 --dist loadgroup -rP
fuzz: ENGINE = sqlite
fuzz: CASES = 100000
fuzz: SEED = 1

bench: setup ## measures both services beside what they are held against; ONLY=, ENGINE=, ROUNDS=, SECONDS=
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(ENGINE),--engine $(ENGINE)) \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

audit: setup ## look for known weaknesses of what is locked; asks the advisory service
	for lock in requirements.lock requirements-run.lock; do \
	  $(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	    $(AUDIT) -r $$lock || exit 1; \
	done

sbom: setup ## what is in the image, as CycloneDX JSON in sbom.cdx.json; with Docker
	image=$$(docker build -q .) && \
	  $(BIN)/python deploy/sbom.py $$image $(LOCK) >$(SBOM).new && mv $(SBOM).new $(SBOM)
sbom: SBOM = sbom.cdx.json
sbom: LOCK = requirements-run.lock

test-compose: setup ## all containers: the gateway, confinement, a walk, a season while each is killed
	$(BIN)/pytest tests/compose -o timeout=600

test-fresh: ## README's two commands in a bare container, from a clone of what is committed
	tests/fresh/run

check: setup ## style, types, import contracts, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

format: setup ## lay the code out and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: | $(filter .uv/bin/uv,$(UV)) ## pin every dependency, with hashes, for every platform
	$(UV) pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --group dev pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --constraint requirements.lock pyproject.toml -o requirements-run.lock

env: ## passwords and tokens for docker compose, made up, in .env; OPEN=1: a stack without users
	@$(PYTHON) $(dir $(MAKEFILE_LIST))deploy/env.py .env $(OPEN)

clean: ## forget what setup and the tools made
	rm -rf .venv .uv .*_cache .hypothesis .coverage* dist
