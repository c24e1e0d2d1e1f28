# The only entry a user needs: `make help`. Every target is one command of `python -m flow`, in the project's own .venv.
PYTHON ?= python3
FLOW := .venv/bin/python -m flow
STAMP := build/environment.stamp

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

help:
	@echo 'make setup                            make .venv from the locked requirements (every target does it when needed)'
	@echo 'make regress [SET=default|nightly]    run the regression; also JOBS= SEED= SEEDS= TESTS="a b" WAVES=1 COVERAGE=1 RESUME=1'
	@echo '             [LAUNCHER=local|slurm]   MAIN=fast|stock|unmodified; report in build/report/index.html'
	@echo 'make test                             all tests of the project: lint, units, flow, blocks, system, conformance, proofs'
	@echo 'make sim TEST= SEED= [WAVES=1]        run one test with one seed'
	@echo 'make conformance [VECTORS=dir]        replay the recorded truth; DUT=model or DUT=iommu_rtl'
	@echo 'make model-coverage                   branch coverage of the golden DMA API by its unit tests'
	@echo 'make faults [PATCHES=dir]             plant faults in the RTL and see who catches them'
	@echo 'make formal [PROOF="a b"]              prove what the RTL asserts, and find the bugs seeded for each proof; JOBS='
	@echo 'make bench                            measure the figures of the design beside their targets'
	@echo 'make synth [BLOCK=] [TARGET=ecp5|xcup] area, depth and placed clock of blocks; also JOBS=, DOCS=1 writes docs/synthesis.md'
	@echo 'make lint                             Verilator, Icarus, slang, Yosys, g++, ruff, mypy, layers of the rooms'
	@echo 'make determinism TEST= SEED=          same test and seed under everything that must not matter'
	@echo 'make docs | registers                 write the documentation, the register constants'
	@echo 'make lock | clean                     renew the locked requirements, remove build/'

setup: $(STAMP)

$(STAMP): flow/requirements.lock
	@command -v $(PYTHON) > /dev/null || { echo "error: '$(PYTHON)' is not installed: install Python 3.11 or newer." >&2; exit 2; }
	@$(PYTHON) -m flow.environment

regress: $(STAMP)
	@$(FLOW) regress $(TESTS) $(if $(SET),--set $(SET)) $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(LAUNCHER),--launcher $(LAUNCHER)) $(if $(MAIN),--main $(MAIN)) $(if $(filter-out 0,$(WAVES)),--waves) \
	  $(if $(filter-out 0,$(COVERAGE)),--coverage) $(if $(filter-out 0,$(RESUME)),--resume)

sim: $(STAMP)
	@$(FLOW) sim '$(TEST)' '$(or $(SEED),1)' $(if $(MAIN),--main $(MAIN)) $(if $(filter-out 0,$(WAVES)),--waves) \
	  $(if $(filter-out 0,$(COVERAGE)),--coverage)

test: $(STAMP)
	@$(FLOW) test

conformance: $(STAMP)
	@$(FLOW) conformance $(if $(VECTORS),--vectors '$(VECTORS)') $(if $(DUT),--dut $(DUT))

faults: $(STAMP)
	@$(FLOW) faults $(if $(PATCHES),--patches '$(PATCHES)')

formal: $(STAMP)
	@$(FLOW) formal $(PROOF) $(if $(JOBS),--jobs $(JOBS))

bench: $(STAMP)
	@$(FLOW) bench

synth: $(STAMP)
	@$(FLOW) synth $(if $(BLOCK),--block '$(BLOCK)') $(if $(TARGET),--target '$(TARGET)') $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(filter-out 0,$(DOCS)),--docs)

determinism: $(STAMP)
	@$(FLOW) determinism '$(TEST)' '$(or $(SEED),1)'

lint docs registers model-coverage: $(STAMP)
	@$(FLOW) $@

lock:
	@$(PYTHON) -m flow.environment lock

clean:
	rm -rf build

.PHONY: help setup regress sim test model-coverage conformance faults formal bench synth determinism lint docs registers lock clean
