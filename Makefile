# What one does with the workspace. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
NETWORK := @$(BIN)/python -m deploy.network
ENVIRONMENT := .venv/togheter-uv

.DEFAULT_GOAL := help
.PHONY: help up down status info logs reset check test chaos bench environment

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the environment: made once, and again when the lock file changes ---

environment: $(ENVIRONMENT) ## make .venv from the lock file

$(ENVIRONMENT): uv.lock pyproject.toml shared/pyproject.toml $(wildcard services/*/pyproject.toml)
	@$(PYTHON) deploy/bootstrap.py

# --- the demonstration network ---

up: $(ENVIRONMENT) ## start the network, or repair it; safe to repeat
	$(NETWORK) up

down: $(ENVIRONMENT) ## stop the network; what it stored is kept
	$(NETWORK) down

status: $(ENVIRONMENT) ## how each part is
	$(NETWORK) status

info: $(ENVIRONMENT) ## addresses, databases, accounts and tokens, as JSON
	$(NETWORK) info

logs: $(ENVIRONMENT) ## the logs; S=comune.intake for one, F=1 to follow
	$(NETWORK) logs $(S) $(if $(F),--follow)

reset: $(ENVIRONMENT) ## stop the network and delete what it stored; YES=1 does not ask
	$(NETWORK) reset $(if $(filter 1,$(YES)),--yes)

# --- checks ---

check: $(ENVIRONMENT) ## format, lint, types, import rules, contracts; no servers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python deploy/contracts.py --check

test: $(ENVIRONMENT) ## every test, with servers of its own
	$(BIN)/pytest

chaos: $(ENVIRONMENT) ## kill everything for a while, and judge; SEED= ROUNDS= SCENARIO=a,b SABOTAGE=all FULL=1
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		--scenario '$(SCENARIO)' --sabotage '$(SABOTAGE)' $(if $(FULL),--full)

bench: $(ENVIRONMENT) ## measurements beside a peer, one JSON line each; NAME= picks one
	@$(BIN)/python -m tests.benchmarks $(NAME)
