# PromptShield. `make run` and `make test` are all a fresh machine needs; both build the environment first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SDK := .venv-sdk
DEPLOY := .venv-deploy
# What `make test-ops` runs beside Python.
PROGRAMS := prometheus promtool pgbouncer nginx shellcheck yamllint docker-compose chromium
PEERS := .venv-peers
TRAIN := .venv-train
LAST ?= ops
EGRESS := .venv-egress
UV := $(BIN)/uv
# Hundreds of modules are read at every start and in every test process: compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE
# $(call timed,name,seconds,command): run, say how long it took, fail beyond the budget, which is more on a machine that
# is slower than the one that budgets are for (tests/pace.py).
timed = @start=$$SECONDS; { $(3); } || exit 1; took=$$((SECONDS - start)); budget=$$($(BIN)/python -m tests.pace $(2)); \
	echo "$(1): $$took s (budget $$budget s)"; test $$took -le $$budget

# What every commit passes beside lint and types: the structure, and every signature's own examples.
CHECKED := tests/test_structure.py tests/detectors/test_signatures.py
# What detects and decides, and what every codec must keep; the demo upstream, which speaks their dialects.
PARTS := tests/detectors tests/policies tests/contracts tests/labelled tests/eval tests/golden tests/proxy/providers tests/proxy/cli \
  tests/proxy/pool tests/proxy/engine $(wildcard tests/proxy/test_demo_*.py)
# Where tests may be marked e2e or slow (tests/test_structure.py): thousands of others need not be collected for them.
SLOW := tests/e2e tests/proxy tests/contracts/test_sinks.py --ignore tests/proxy/providers
# What operators do and suffer: starts, stops, kills, keys; the engines and all that is kept in them.
OPS := tests/e2e/test_lifecycle.py tests/e2e/test_custody_commands.py tests/e2e/test_log_keeping.py tests/e2e/test_engine.py \
  tests/e2e/test_judges.py tests/e2e/test_limits_on_bad_days.py tests/e2e/test_policy_commands.py tests/e2e/test_tls.py tests/e2e/test_quiet_log.py tests/storage

# What administrators, their programs and their browsers do, and what they may not.
CONTROL := tests/proxy/control tests/e2e/test_console.py tests/e2e/test_access.py tests/e2e/test_tenants_and_keys.py
# What attackers and careless clients do: every door, dialect and hiding place, one by one.
EDGE := tests/e2e/test_edge_attacks.py tests/e2e/test_hooks.py tests/e2e/test_bad_input.py tests/e2e/test_planted.py \
  tests/e2e/test_uniformity.py tests/e2e/test_leakage.py

.PHONY: help setup run egress test unit parts e2e edge control ops sdk egress-test check golden prove fuzz bench bench-hostile bench-doors bench-store chaos test-ops soak clean peers eval train train-quick bench-patterns signature-report bench-replay reloads bench-conversations bench-judges bench-policies bench-control bench-limits bench-watching isolation

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready ## build .venv from the hashed locks

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "this Python has no ensurepip: install your system's python3-venv package"; exit 1; }
	@echo "building $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "compiling the signatures (once)"
	@$(BIN)/python -c 'from proxy.app import load_detection; load_detection()'
	@touch $@

run: setup ## start the firewall with its own Postgres and Valkey and a demo tenant
	@exec $(BIN)/promptshield serve

egress: setup $(EGRESS)/.ready ## the HTTP proxy for apps that cannot change their base URL, beside a running firewall
	@exec $(BIN)/promptshield egress

$(EGRESS)/.ready: requirements/egress.txt
	@echo "building $(EGRESS) (once, a few seconds)"
	@$(PYTHON) -m venv $(EGRESS)
	@$(UV) pip install --quiet --python $(EGRESS)/bin/python --require-hashes -r requirements/egress.txt
	@touch $@

egress-test: setup $(EGRESS)/.ready ## apps that know only HTTPS_PROXY, against the running product and a real mitmproxy
	$(call timed,egress-test,120,$(BIN)/python -m pytest -q tests/egress)

test: check unit parts e2e edge control $(LAST) ## the whole test suite

unit: setup ## fast tests
	$(call timed,unit,60,$(BIN)/python -m pytest -q -n 2 --dist loadscope --ignore tests/e2e --ignore tests/egress --ignore tests/storage $(CHECKED:%=--ignore %) $(PARTS:%=--ignore %) $(CONTROL:%=--ignore %) -m "not e2e and not slow" -x)

parts: setup ## detectors, policies and codecs, each by itself
	$(call timed,parts,120,$(BIN)/python -m pytest -q -n 2 --dist loadscope $(PARTS) $(CHECKED:%=--ignore %) -m "not e2e and not slow" -x)

e2e: setup ## the running product, driven by real clients
	$(call timed,e2e,200,$(BIN)/python -m pytest -q -n 3 --dist loadscope $(SLOW) $(OPS:%=--ignore %) $(EDGE:%=--ignore %) $(CONTROL:%=--ignore %) -m "e2e or slow" -x)

edge: setup ## every door, dialect and hiding place of the running product, attacked
	$(call timed,edge,100,$(BIN)/python -m pytest -q -n 3 --dist loadscope $(EDGE) -x)

control: setup ## the control plane: who may do what, its API and its console
	$(call timed,control,180,$(BIN)/python -m pytest -q -n 3 --dist loadscope $(CONTROL) -x)

ops: setup $(EGRESS)/.ready ## starts, stops, kills, keys; the engines and all that is kept in them; egress mode
	$(call timed,ops,240,$(BIN)/python -m pytest -q -n 3 --dist loadscope $(OPS) tests/egress -x)

test-ops: setup $(DEPLOY)/.ready ## dashboards, alerts, deployment and scale-out, with the programs of deploy/packages.txt
	@missing=$$(for program in $(PROGRAMS); do command -v $$program > /dev/null || printf ' %s' $$program; done); \
		test -z "$$missing" || { echo "test-ops needs:$$missing (apt-get install $$(tr '\n' ' ' < deploy/packages.txt))"; exit 1; }
	$(call timed,test-ops,240,PROMPTSHIELD_TEST_OPS=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope --timeout 170 tests/deployed)

$(DEPLOY)/.ready: requirements/deploy.txt
	@echo "building $(DEPLOY) (once, half a minute)"
	@$(PYTHON) -m venv $(DEPLOY)
	@$(UV) pip install --quiet --python $(DEPLOY)/bin/python --require-hashes -r requirements/deploy.txt
	@touch $@

isolation: setup ## 10,000 calls of one tenant for another's things, and odd input for every operation of the control plane
	$(call timed,isolation,1800,ATTACKS=10000 SCHEMATHESIS=25 $(BIN)/python -m pytest -q -n 2 --dist loadfile --timeout 1500 tests/proxy/control/test_isolation.py tests/proxy/control/test_conformance.py)

sdk: setup $(SDK)/.ready ## LangChain and LiteLLM against the running product, in an environment of their own
	$(call timed,sdk,240,$(BIN)/python -m tests.sdk)

$(SDK)/.ready: requirements/sdk.txt
	@echo "building $(SDK) (once, half a minute)"
	@$(PYTHON) -m venv $(SDK)
	@$(UV) pip install --quiet --python $(SDK)/bin/python --require-hashes -r requirements/sdk.txt
	@touch $@

peers: setup $(PEERS)/.ready ## our findings beside detect-secrets and Presidio, in an environment of their own; writes docs/accuracy-entities.md
	$(call timed,peers,600,$(BIN)/python -m tests.labelled.beside)

$(PEERS)/.ready: requirements/peers.txt
	@echo "building $(PEERS) (once, a minute)"
	@$(PYTHON) -m venv $(PEERS)
	@$(UV) pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

check: setup ## lint, types, imports, structure, signatures
	$(call timed,check,130,$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/lint-imports --no-cache > /dev/null && { \
		$(BIN)/mypy & types=$$!; $(BIN)/python -m pytest -q -x -n 2 --dist loadscope $(CHECKED); tests=$$?; wait $$types && test $$tests -eq 0; })

eval: setup ## what the detectors catch and flag on labelled sets (QUICK=1: a sample; PROMPTSHIELD_CORPUS: public sets)
	$(call timed,eval,$(if $(QUICK),90,900),$(if $(QUICK),$(BIN)/python -m detectors.models.training --quick &&) $(BIN)/python -m tests.eval $(if $(QUICK),--quick,--write))

train: setup $(TRAIN)/.ready ## make the models' weights anew from PROMPTSHIELD_CORPUS, PROMPTSHIELD_BASE and our own seed texts
	$(call timed,train,10800,$(TRAIN)/bin/python -m detectors.models.training)

$(TRAIN)/.ready: requirements/train.txt
	@echo "building $(TRAIN) (once; PyTorch is large)"
	@$(PYTHON) -m venv $(TRAIN)
	@$(UV) pip install --quiet --python $(TRAIN)/bin/python --require-hashes -r requirements/train.txt
	@$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@touch $@

train-quick: setup ## prove the way from seed texts to weights, into a scratch folder
	$(call timed,train-quick,20,$(BIN)/python -m detectors.models.training --quick)

golden: setup ## rewrite the golden documents; read the diff
	@$(BIN)/python -m tests.golden.rewrite

prove: setup ## the five promises, five lines with figures
	$(call timed,prove,90,$(BIN)/python -m tests.prove)

fuzz: setup ## odd and broken requests, seeded, against the running product (QUICK=1: 20,000 at most, of seed 1; SEED=n another)
	$(call timed,fuzz,$(if $(QUICK),140,3600),$(BIN)/python -m tests.fuzz --requests $(if $(QUICK),20000 --seconds 85,200000 --seconds 3300) $(if $(or $(SEED),$(QUICK)),--seed $(or $(SEED),1)))

bench: setup ## CPU per request beside a bare pass-through (QUICK=1: fewer rounds)
	$(call timed,bench,$(if $(QUICK),110,600),$(BIN)/python -m tests.bench $(if $(QUICK),--quick))

signature-report: setup ## what each attack signature finds, and what no other one finds; fails if one is idle
	$(call timed,signature-report,60,$(BIN)/promptshield signatures stats tests/data/attacks/*.jsonl --idle)

bench-patterns: setup ## the pattern stage at 200 B, 8 KB and 30 KB, hostile texts too, and the load of all packs
	$(call timed,bench-patterns,120,$(BIN)/python -m tests.bench.patterns)

bench-hostile: setup ## hostile texts beside plain English, and how long a megabyte makes others wait (QUICK=1: fewer rounds)
	$(call timed,bench-hostile,$(if $(QUICK),60,300),$(BIN)/python -m tests.bench.hostile $(if $(QUICK),--quick))

bench-doors: setup $(EGRESS)/.ready ## egress mode beside a bare mitmproxy, a guard hook beside the proxy itself
	$(call timed,bench-doors,120,$(BIN)/python -m tests.bench.doors)

bench-limits: setup ## what knowing who asks costs, and holding a request to three levels of limits
	$(call timed,bench-limits,60,$(BIN)/python -m tests.bench.limits)

bench-watching: setup ## counting, a scrape, and metrics, spans and log lines of a request beside one without
	$(call timed,bench-watching,180,$(BIN)/python -m tests.bench.watching)

bench-policies: setup ## deciding with 30 rules, a condition, and 1,000 tenants' policies loaded
	$(call timed,bench-policies,60,$(BIN)/python -m tests.bench.policies)

bench-store: setup ## decisions into Postgres, chained and verified; then the queries (QUICK=1: 200,000 rows, no queries)
	$(call timed,bench-store,$(if $(QUICK),90,7200),$(BIN)/python -m tests.bench.store --rows $(if $(QUICK),200000,1000000) $(if $(QUICK),,&& $(BIN)/python -m tests.bench.store_queries --rows 10000000))

bench-control: setup ## what pages of the control plane ask, over a million decisions (QUICK=1: 100,000)
	$(call timed,bench-control,900,$(BIN)/python -m tests.bench.control --rows $(if $(QUICK),100000,1000000))

bench-replay: setup ## a million recorded decisions decided again by another policy (QUICK=1: 100,000)
	$(call timed,bench-replay,$(if $(QUICK),90,600),$(BIN)/python -m tests.bench.replay --rows $(if $(QUICK),100000,1000000))

reloads: setup ## 200 policy reloads under load: no request fails, and each names the policy that decided it
	$(call timed,reloads,240,$(BIN)/python -m tests.prove.reloads)

bench-judges: setup ## judges that fall, stall, refuse or talk nonsense, and what that costs others (QUICK=1: two rounds)
	$(call timed,bench-judges,$(if $(QUICK),90,200),$(BIN)/python -m tests.bench.judges $(if $(QUICK),--quick))

bench-conversations: setup ## how much of a conversation is known turn after turn, and what a known text costs (QUICK=1: fewer)
	$(call timed,bench-conversations,120,$(BIN)/python -m tests.bench.conversations $(if $(QUICK),--quick))

chaos: setup ## two tenants' load under a seeded schedule of faults, then the invariants (QUICK=1: 40 s; SEED=n repeats one)
	$(call timed,chaos,$(if $(QUICK),120,4200),$(BIN)/python -m tests.chaos --seconds $(if $(QUICK),40,3600) $(if $(SEED),--seed $(SEED)))

soak: setup ## a million requests, then memory, descriptors and tasks as before (QUICK=1: 100,000)
	$(call timed,soak,$(if $(QUICK),600,7200),$(BIN)/python -m tests.soak --requests $(if $(QUICK),100000,1000000))

clean: ## remove the environment and caches, keep the data
	rm -rf $(VENV) $(SDK) $(EGRESS) $(DEPLOY) $(PEERS) $(TRAIN) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
