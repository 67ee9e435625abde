# CHORUS/MiX: one word a job. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

TREE := $(CURDIR)/build
SCRATCH := $(CURDIR)/.build-all
STAMPS := $(SCRATCH)/stamps
PREFIX ?= /usr/local
CC ?= cc
ARGS ?= busybox sh
MANIFEST ?= mix
# Which manifest each scenario of `make test` runs on; `make test SEED=...` draws others, `make test-all` takes all.
SEED ?= 1991

# One scratch path for all packages needs --disable-build-manifest-caching and the same flags everywhere, or SwiftPM builds
# nothing and says it did. The objects find the Swift runtime beside them, so that the tree can be moved.
SWIFT_FLAGS := -c release --scratch-path $(SCRATCH) --disable-build-manifest-caching \
	-Xswiftc -enforce-exclusivity=unchecked -Xswiftc -no-toolchain-stdlib-rpath -Xlinker -rpath=\$$ORIGIN/../lib
PRODUCTS := $(SCRATCH)/release
TEST_FLAGS := --scratch-path $(CURDIR)/.build-test --disable-build-manifest-caching --disable-xctest

SERVERS := MiXFileManager DriverKitStubs MiXDeviceManager MiXSocketManager MiXProcessManager
DRIVERS := null ramdisk edu virtio-blk virtio-blk-stub virtio-blk-user virtio-net virtio-console virtio-rng uart16550 rtc
SWIFT_DRIVERS := edu-swift
PACKAGES := Nucleus $(SERVERS) Tools
ALL_DRIVERS = $(patsubst %,$(TREE)/drivers/%.so,$(DRIVERS) $(SWIFT_DRIVERS))

.PHONY: help
help: ## this list
	@grep -hE '^[a-zA-Z_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 28
	@echo "build-NAME                  one component: nucleus zygote file-manager device-manager socket-manager process-manager driver-kit drivers tools bench"

# --- building -------------------------------------------------------------------------------------------------------

BENCH_ACTORS := $(patsubst %,$(TREE)/lib/bench/%.so,server client counting)
BENCH_DRIVER := $(TREE)/lib/bench/driver.so

.PHONY: build
build: $(PACKAGES:%=$(STAMPS)/%) $(TREE)/lib/chorus-zygote $(TREE)/lib/chorus-bench $(TREE)/lib/chorus-bench-app $(BENCH_ACTORS) $(BENCH_DRIVER) $(STAMPS)/data $(STAMPS)/templates $(STAMPS)/runtime $(ALL_DRIVERS) ## the relocatable tree build/

# What a package is made of: its stamp is younger than all of it, or the package is built again.
sources = $(1)/Package.swift $(wildcard $(1)/exports.map) $(shell find $(1)/Sources -type f 2>/dev/null)

# $(call package,NAME,products of bin,products of lib,packages below it)
define package
$(STAMPS)/$(1): $(call sources,$(1)) $(4:%=$(STAMPS)/%) | $(STAMPS) $(TREE)/bin $(TREE)/lib
	@echo "== $(1)"
	@begin=$$$$(mktemp -p $(STAMPS)); \
	swift build --package-path $(1) $$(SWIFT_FLAGS); \
	for file in $(2); do Tools/put "$(PRODUCTS)/$$$$file" "$(TREE)/bin/$$$$file"; done; \
	for file in $(3); do Tools/put "$(PRODUCTS)/$$$$file" "$(TREE)/lib/$$$$file"; done; \
	mv $$$$begin $$@ # as old as the build's beginning: what changes meanwhile is built next time
endef
$(eval $(call package,Nucleus,chorus-actor-host,libNucleus.so,))
$(eval $(call package,MiXFileManager,,libMiXFileManager.so,Nucleus))
$(eval $(call package,DriverKitStubs,,libDriverKitStubs.so,Nucleus MiXFileManager))
$(eval $(call package,MiXDeviceManager,,libMiXDeviceManager.so,Nucleus MiXFileManager DriverKitStubs))
$(eval $(call package,MiXSocketManager,,libMiXSocketManager.so,Nucleus MiXFileManager))
$(eval $(call package,MiXProcessManager,,libMiXProcessManager.so,Nucleus MiXFileManager MiXDeviceManager DriverKitStubs MiXSocketManager))
$(eval $(call package,Tools,chorus,,))
# Tools uses headers of the others only.
$(STAMPS)/Tools: $(wildcard Nucleus/Sources/CChorus/include/*/*.h MiX*/Sources/C*/include/mix/*.h DriverKitStubs/Sources/C*/include/*/*.h)

$(TREE)/lib/chorus-zygote: $(wildcard Nucleus/Zygote/* Nucleus/Sources/CMachine/include/*) | $(TREE)/lib
	@echo "== zygote"
	@rm -f $@.new
	@$(MAKE) -s -C Nucleus/Zygote OUT=$@.new CC=$(CC)
	@mv -f $@.new $@

$(TREE)/lib/chorus-bench: $(wildcard Tools/Bench/*.[ch] Tools/Bench/Driver/*.h) | $(TREE)/lib
	@echo "== bench"
	@$(CC) -O2 -static -Wall -Wextra -Werror -o $@.new Tools/Bench/*.c
	@mv -f $@.new $@

$(TREE)/lib/chorus-bench-app: Tools/Bench/app.sh | $(TREE)/lib
	@cp $< $@.new && mv -f $@.new $@

# The actors of `chorus bench ipc`, from the public headers alone.
BENCH_ACTOR = $(CC) -std=c11 -O2 -Wall -Wextra -Werror -fPIC -shared \
	-INucleus/Sources/CChorus/include
$(TREE)/lib/bench/server.so: Tools/Bench/Actors/server.c
$(TREE)/lib/bench/client.so: Tools/Bench/Actors/client.c Tools/Bench/Actors/dispatch.c Tools/Bench/Actors/interrupts.c Tools/Bench/measure.c
$(TREE)/lib/bench/counting.so: Tools/Bench/Actors/counting.c
$(TREE)/lib/bench/client.so: LIBRARIES := -lffi
# The driver of `chorus bench driver`, as any author would build it.
$(BENCH_DRIVER): Tools/Bench/Driver/driver.c Tools/Bench/Driver/benchDriver.h $(STAMPS)/data
	@mkdir -p $(@D)
	@$(CC) -std=c11 -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared -Wl,-z,defs -Wl,--as-needed -I$(TREE)/include -o $@.new $<
	@mv -f $@.new $@

$(BENCH_ACTORS): $(wildcard Tools/Bench/*.h Tools/Bench/Actors/*.h Nucleus/Sources/CChorus/include/*/*.h)
	@mkdir -p $(@D)
	@$(BENCH_ACTOR) -o $@.new $(filter %.c,$^) $(LIBRARIES)
	@mv -f $@.new $@

# Each driver by its own Makefile, against the installed headers alone.
$(TREE)/drivers/%.so: DriverKitStubs/Drivers/%/*.c $(wildcard DriverKitStubs/Drivers/*.h DriverKitStubs/Drivers/driver.mk) $(STAMPS)/data
	@$(MAKE) -s -C DriverKitStubs/Drivers/$* INCLUDE=$(TREE)/include OUT=$(TREE)/drivers CC=$(CC)
	@touch $@

$(TREE)/drivers/%.so: DriverKitStubs/Drivers/%/*.swift DriverKitStubs/Drivers/swift.mk $(STAMPS)/data
	@$(MAKE) -s -C DriverKitStubs/Drivers/$* INCLUDE=$(TREE)/include OUT=$(TREE)/drivers CC=$(CC)
	@touch $@

# Manifests, and the headers that a server's author includes.
DRIVER_ABI := DriverKitStubs/Sources/CDriver/include/driver/drvTypes.h
$(STAMPS)/data: Makefile DriverKitStubs/chorus-driver.pc $(wildcard DriverKitStubs/Kit/* Tools/Manifests/*.toml Nucleus/Sources/CChorus/include/*.h Nucleus/Sources/CChorus/include/*/*.h \
		MiX*/Sources/C*/include/mix/*.h DriverKitStubs/Sources/C*/include/*/*.h Nucleus/Sources/ActorKit/*.swift Tools/Templates/*) | $(STAMPS)
	@mkdir -p $(TREE)/manifests $(TREE)/include/mix
	@cp Tools/Manifests/*.toml $(TREE)/manifests/
	@cp -r Nucleus/Sources/CChorus/include/chorus Nucleus/Sources/CChorus/include/*.h $(TREE)/include/
	@cp MiX*/Sources/C*/include/mix/*.h DriverKitStubs/Sources/C*/include/mix/*.h $(TREE)/include/mix/
	@cp -r DriverKitStubs/Sources/CDriver/include/driver.h DriverKitStubs/Sources/CDriver/include/driver $(TREE)/include/
	@cp DriverKitStubs/Kit/* $(TREE)/include/driver/
	@mkdir -p $(TREE)/include/ActorKit
	@cp Nucleus/Sources/ActorKit/*.swift $(TREE)/include/ActorKit/
	@cp Tools/Templates/ActorKit.modulemap $(TREE)/include/ActorKit/module.modulemap
	@mkdir -p $(TREE)/lib/pkgconfig
	@sed "s/@ABI@/$$(sed -n 's/^#define DRV_ABI_M[AI][JN]OR \([0-9]*\)u.*/\1/p' $(DRIVER_ABI) | paste -sd.)/" \
		DriverKitStubs/chorus-driver.pc > $(TREE)/lib/pkgconfig/chorus-driver.pc
	@touch $@

# What `chorus new` makes folders of; the driver in Swift is the shipped one, under its author's name.
$(STAMPS)/templates: $(wildcard Tools/Templates/driver/*/*) DriverKitStubs/Drivers/edu-swift/edu-swift.swift | $(STAMPS)
	@rm -rf $(TREE)/templates
	@mkdir -p $(TREE)/templates
	@cp -r Tools/Templates/driver $(TREE)/templates/
	@sed -e 's/edu-swift/@NAME@/g' -e 's|/dev/edu|/dev/@NAME@|g' -e 's/"edu", memory/"@NAME@", memory/' -e 's/ edu.c does$$//' -e '/^\/\/\/ the same in C\./s/ the same in C\.//' \
		DriverKitStubs/Drivers/edu-swift/edu-swift.swift > $(TREE)/templates/driver/swift/driver.swift
	@touch $@

# Copies of the Swift runtime's objects that ours need.
$(STAMPS)/runtime: $(PACKAGES:%=$(STAMPS)/%)
	@Tools/bundle $(TREE)
	@touch $@

$(STAMPS) $(TREE)/bin $(TREE)/lib:
	@mkdir -p $@

.PHONY: build-drivers build-driver-kit build-nucleus build-zygote build-file-manager build-device-manager build-socket-manager build-process-manager build-tools build-bench
build-nucleus: $(STAMPS)/Nucleus
build-zygote: $(TREE)/lib/chorus-zygote
build-file-manager: $(STAMPS)/MiXFileManager
build-device-manager: $(STAMPS)/MiXDeviceManager
build-socket-manager: $(STAMPS)/MiXSocketManager
build-process-manager: $(STAMPS)/MiXProcessManager
build-tools: $(STAMPS)/Tools $(STAMPS)/data $(STAMPS)/templates
build-bench: $(TREE)/lib/chorus-bench $(TREE)/lib/chorus-bench-app $(BENCH_ACTORS) $(BENCH_DRIVER)
build-driver-kit: $(STAMPS)/DriverKitStubs
build-drivers: $(ALL_DRIVERS)

# --- using ----------------------------------------------------------------------------------------------------------

.PHONY: run
run: setup build ## a shell on MiX (ARGS="program …", MANIFEST=mix|mix-user|mix-mixed)
	@$(TREE)/bin/chorus run --manifest $(MANIFEST) -- $(ARGS)

.PHONY: bench
bench: build ## figures against the host in the same run
	@$(TREE)/bin/chorus bench trap
	@$(TREE)/bin/chorus bench process
	@$(TREE)/bin/chorus bench ipc
	@$(TREE)/bin/chorus bench driver
	@$(TREE)/bin/chorus bench app

# --- testing --------------------------------------------------------------------------------------------------------

HEADERS := -INucleus/Sources/CChorus/include $(patsubst %,-I%,$(wildcard MiX*/Sources/C*/include)) \
	-IDriverKitStubs/Sources/CDriver/include -IDriverKitStubs/Sources/CMiXDriver/include
C11 := $(CC) -std=c11 -Wall -Wextra -Werror -fsyntax-only $(HEADERS) -x c

.PHONY: test-headers
test-headers: ## the public headers are plain C11, each by itself; structures and numbers are where ABI 1.0 put them
	@for header in $$(find Nucleus/Sources/CChorus/include MiX*/Sources/C*/include/mix DriverKitStubs/Sources/CDriver/include \
			DriverKitStubs/Sources/CMiXDriver/include -name '*.h' | sort); do \
		$(C11) $$header; \
	done
	@echo "headers: all compile alone"
	@for proof in Tests/Abi/*.c; do $(C11) $$proof; done
	@for file in Tests/Abi/driver.c Tests/Abi/driver-1.0/kept.c; do \
		$(CC) -std=c11 -Wall -Wextra -Werror -fsyntax-only -ITests/Abi/driver-1.0 $$file; \
	done
	@echo "headers: the layouts are those of ABI 1.0"
	@Tests/Abi/linux-abi check

.PHONY: docs
docs: ## docs/linux-abi.md from the table of system calls
	@Tests/Abi/linux-abi write

.PHONY: unit
unit: build test-headers ## unit tests of every package
	@passed=0; failed=; for package in $(PACKAGES); do \
		[ -d $$package/Tests ] || continue; \
		begin=$$SECONDS; \
		echo "== unit tests of $$package"; \
		if swift test --package-path $$package $(TEST_FLAGS); then passed=$$((passed + 1)); else failed+=" $$package"; fi; \
		echo "== unit tests of $$package: $$((SECONDS - begin)) s"; \
	done; \
	if [ -n "$$failed" ]; then echo "unit tests failed:$$failed"; exit 1; fi; \
	echo "unit tests: $$passed packages passed"

# Tests/run prints the last line of a run: `N passed, N failed`.
.PHONY: test
test: setup unit ## unit tests, smoke scenarios, a seeded sample of manifests x scenarios
	@Tests/run sample --seed $(SEED)

.PHONY: test-all
test-all: setup unit ## everything: all scenarios under all manifests
	@Tests/run all

# --- housekeeping ---------------------------------------------------------------------------------------------------

.PHONY: setup
setup: ## install what is missing from Debian's packages
	@Tools/setup

.PHONY: install
install: build ## into PREFIX (default /usr/local): PREFIX/lib/chorus and PREFIX/bin/chorus
	@mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib
	@rm -rf $(DESTDIR)$(PREFIX)/lib/chorus.new
	@mkdir $(DESTDIR)$(PREFIX)/lib/chorus.new
	@cp -a $(addprefix $(TREE)/,bin lib drivers manifests include templates) $(DESTDIR)$(PREFIX)/lib/chorus.new/
	@rm -rf $(DESTDIR)$(PREFIX)/lib/chorus && mv $(DESTDIR)$(PREFIX)/lib/chorus.new $(DESTDIR)$(PREFIX)/lib/chorus
	@ln -sf ../lib/chorus/bin/chorus $(DESTDIR)$(PREFIX)/bin/chorus
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	@sed 's|^prefix=.*|prefix=$${pcfiledir}/../chorus|' $(TREE)/lib/pkgconfig/chorus-driver.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/chorus-driver.pc
	@echo "installed: $(DESTDIR)$(PREFIX)/bin/chorus"

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf $(TREE) $(SCRATCH) $(CURDIR)/.build-test $(PACKAGES:%=%/.build)
