# One configuration: everything is built, tested and measured with -c release.
CONFIGURATION := -c release
SWIFT_SOURCES := Package.swift Sources Coordinator Workers Schemas Tests
QUERN := .build/release/quern

.PHONY: build test test-cards conformance faults faults-upgrade fuzz quickstart format lint check-deploy benchmark clean help

help:
	@echo "make quickstart    install what is missing, build, quantize the bundled model into ./out"
	@echo "make build         build the quern executable"
	@echo "make test          install what is missing, build and run all tests"
	@echo "make test-cards    the tests of NVIDIA cards on the machine's own instead of simulated ones"
	@echo "make conformance   hold the coordinator against its OpenAPI document: minutes; OPTIONS=\"--tokens\" and others"
	@echo "make faults        inject faults at length, as root: hours; FAULTS=\"kill pause\" for some of them"
	@echo "make faults-upgrade OLD=COMMIT   upgrade from an earlier commit below running jobs: a cold build, then minutes"
	@echo "make fuzz          fuzz what is read from strangers: an hour each; FUZZ=\"gguf zstd\" SECONDS=600 for less"
	@echo "make lint          check the layout of the Swift sources; make format puts it right"
	@echo "make check-deploy  check what lies in deploy/ with the tools that are here"
	@echo "make benchmark     compare with llama-quantize (LLAMA_QUANTIZE=path)"
	@echo "make clean         remove build products and ./out"

build:
	@Scripts/prerequisites build
	swift build $(CONFIGURATION) --product quern

# Tests that compute, tests that serve and wait, and whole programs run one after the other: side by side, what waits
# would stand in line for a processor behind all that computes: programs for cards keep the compiler busy for minutes, on
# the threads that tasks have. Those that serve run in dozens, not by the hundred: with more than 1,350 files open,
# Foundation reads beyond the end of their list when it starts a process.
COMPUTING := '^Quern(CUDA|Formats|Kernels|Model|Planning)Tests\.|^QuernWorkerTests\.Card'
PROGRAMS := '^EndToEnd\.'
test:
	@Scripts/prerequisites test
	swift build $(CONFIGURATION) --build-tests
	@status=0; for tests in "--filter "$(COMPUTING) "--experimental-maximum-parallelization-width 24 --skip "$(COMPUTING)" --skip "$(PROGRAMS) "--filter "$(PROGRAMS); do \
		echo "swift test $(CONFIGURATION) --skip-build $$tests"; \
		swift test $(CONFIGURATION) --skip-build $$tests || status=1; done; exit $$status

test-cards:
	@Scripts/prerequisites test
	swift build $(CONFIGURATION) --build-tests
	QUERN_TEST_CARDS=own swift test $(CONFIGURATION) --skip-build \
		--filter '\.(Card[A-Za-z]*|ReferenceBytes|ForwardDevice)Tests|SameBytesTests/cards'

# Not a part of the tests: it takes minutes, and packages from the Python index.
conformance: build
	Tests/Conformance/check $(OPTIONS)

# Every kind of fault as often as it takes to trust the result.
FAULTS ?= kill pause database network disk flip
FAULTS_kill := "kill --store postgres --count 1000" "kill --store sqlite --count 1000"
FAULTS_pause := "pause --store postgres --workers 4 --count 200" "pause --store sqlite --workers 4 --count 200"
FAULTS_database := "database --count 270"
FAULTS_network := "network --store postgres --count 200" "network --store postgres --measure"
FAULTS_disk := "disk --store sqlite --count 200" "disk --store postgres --count 100"
FAULTS_flip := "flip --count 1000 --live 100"
faults: build
	@Scripts/prerequisites test
	swift build $(CONFIGURATION) --product quern-faults
	@set -e; for run in $(foreach fault,$(FAULTS),$(FAULTS_$(fault))); do \
		echo "== quern-faults $$run"; .build/release/quern-faults $$run; done

# Coordinators and workers of an earlier commit, killed one by one and replaced by those of this one.
OLDER := .build/older/$(OLD)
faults-upgrade: build
	@test -n "$(OLD)" || { echo "usage: make faults-upgrade OLD=COMMIT [OPTIONS=\"--count 60\"]" >&2; exit 2; }
	@Scripts/prerequisites test
	test -d $(OLDER) || git worktree add --detach $(OLDER) $(OLD)
	swift build $(CONFIGURATION) --package-path $(OLDER) --product quern
	swift build $(CONFIGURATION) --product quern-faults
	.build/release/quern-faults upgrade --old $(OLDER)/.build/release/quern $(OPTIONS)

# Everything that is read from strangers, by libFuzzer with AddressSanitizer.
FUZZ ?= safetensors gguf imatrix index config card tokenizer pieces zstd recipe sensitivity http
SECONDS ?= 3600
fuzz:
	@Scripts/prerequisites build
	QUERN_FUZZ=1 swift build $(CONFIGURATION) --scratch-path .build/fuzz --sanitize address --product quern-fuzz
	@Tests/Fuzz/run $(SECONDS) $(FUZZ)

quickstart: build
	$(QUERN) quantize Examples/tiny-llama --to Q4_K_M,Q8_0 --output out
	$(QUERN) verify out
	$(QUERN) inspect out/tiny-llama-Q4_K_M.gguf

format:
	swift format --in-place --recursive --parallel $(SWIFT_SOURCES)

lint:
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)

check-deploy:
	deploy/check

# LLAMA_QUANTIZE names the program to compare with; SIZE is that of the test file, in megabytes.
SIZE ?= 400
PRESETS ?= Q4_K_M,Q8_0
MODEL := .build/benchmark/model-$(SIZE)
benchmark: build
	@test -n "$(LLAMA_QUANTIZE)" || { echo "usage: make benchmark LLAMA_QUANTIZE=/path/to/llama-quantize" >&2; exit 2; }
	python3 Benchmarks/make_model.py --megabytes $(SIZE) --imatrix $(MODEL).imatrix $(MODEL).gguf
	python3 Benchmarks/compare.py --quern $(QUERN) --llama-quantize $(LLAMA_QUANTIZE) --presets $(PRESETS) \
		--imatrix $(MODEL).imatrix --together --output .build/benchmark $(MODEL).gguf

clean:
	swift package clean
	rm -rf .build/benchmark out
