# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Everything that Hutch can be asked to do starts here; `make help` lists it.
#
# A room is a folder, and a room's objects are all its .c files: adding a file to a
# room needs no change here. What may include what is checked by `make check-rooms`.

SHELL := /bin/bash
BUILD ?= build
CC ?= gcc
CLANG ?= clang
V ?= 0

WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
	    -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wold-style-definition
COMMON := -std=gnu11 -g -I. -Iinclude -I$(BUILD)/generated -D_GNU_SOURCE -fno-strict-aliasing \
	  -fno-common $(WARNINGS) -MMD -MP
# At -Os gcc guesses about values it can't follow; the sanitizers and clang-tidy know.
RELEASE := -Os -Wno-maybe-uninitialized -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
	   -fstack-protector-strong -fno-pie
LIBRARY := -O2 -fPIC -ffunction-sections -fdata-sections
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	    -DHUTCH_FAULT_INJECTION
# The KVM ABI's variable-length tables stand at the head of a struct with their entries.
FUZZ := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-Wno-gnu-variable-sized-type-not-at-end
# The compiler may not assume a C library in the freestanding rooms.
FREESTANDING := -ffreestanding

FREE_ROOMS := x86 dev core core/svm core/vmx
HOSTED_ROOMS := lib vmm vmm/boot
ROOMS := $(FREE_ROOMS) $(HOSTED_ROOMS)
LIBS := -ljansson -llzma
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

room_sources = $(foreach room,$(1),$(wildcard $(room)/*.c))
SOURCES := $(call room_sources,$(ROOMS))
CLI_SOURCES := $(wildcard cli/*.c)
PUBLIC_SOURCES := $(call room_sources,lib x86)

.PHONY: all help deps abi module run test unit fuzz oracles fuzz-run system guests check check-rooms format tidy clean install bench examples
all: $(BUILD)/hutch $(BUILD)/libhutch.a

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- objects: one rule for each way to compile --------------------------------

ifeq ($(V),0)
quiet = @printf '  %-7s %s\n' $(1) $(2);
endif

define variant # name, compiler, flags
$(BUILD)/$(1)/%.o: %.c | $(BUILD)/generated/dsdt.h
	@mkdir -p $$(@D)
	$$(call quiet,CC,$$<) $(2) $$(COMMON) $(3) $$(if $$(filter $$(FREE_ROOMS),$$(firstword $$(subst /, ,$$<))),$$(FREESTANDING)) -DHUTCH_VERSION='"$$(VERSION)"' -c -o $$@ $$<
$(BUILD)/$(1)/rooms.a: $$(SOURCES:%.c=$(BUILD)/$(1)/%.o)
	$$(call quiet,AR,$$@) rm -f $$@; ar rcs $$@ $$^
endef
$(eval $(call variant,release,$(CC),$(RELEASE)))
$(eval $(call variant,library,$(CC),$(LIBRARY)))
$(eval $(call variant,sanitize,$(CC),$(SANITIZE)))
$(eval $(call variant,fuzz,$(CLANG),$(FUZZ)))

# The ACPI machine description, from its source language to bytes in a header.
$(BUILD)/generated/dsdt.h: $(wildcard vmm/dsdt.asl)
	@mkdir -p $(@D)
	$(call quiet,IASL,$<) if [ -n "$<" ]; then iasl -p $(BUILD)/generated/dsdt -tc $< >$(BUILD)/generated/iasl.log 2>&1 \
		|| { cat $(BUILD)/generated/iasl.log; exit 1; }; mv $(BUILD)/generated/dsdt.hex $@; else : >$@; fi

# ---- what is built --------------------------------------------------------------

$(BUILD)/hutch: $(CLI_SOURCES:%.c=$(BUILD)/release/%.o) $(BUILD)/release/rooms.a cli/hutch.ld
	$(call quiet,LD,$@) $(CC) -static -no-pie -Wl,--gc-sections -Wl,-z,norelro -Wl,-z,noseparate-code -Wl,--build-id=none -Wl,-T,cli/hutch.ld -o $@.debug $(filter-out %.ld,$^) $(LIBS) && strip -o $@ $@.debug

$(BUILD)/hutch-sanitize: $(CLI_SOURCES:%.c=$(BUILD)/sanitize/%.o) $(BUILD)/sanitize/rooms.a
	$(call quiet,LD,$@) $(CC) $(SANITIZE) -o $@ $^ $(LIBS)

# One object, so that of all names only those of <hutch/hutch.h> are seen outside.
$(BUILD)/libhutch.a: $(PUBLIC_SOURCES:%.c=$(BUILD)/library/%.o)
	$(call quiet,AR,$@) rm -f $@; ld -r -o $(BUILD)/libhutch.o $^ && \
		objcopy -w --keep-global-symbol='hutch_*' $(BUILD)/libhutch.o && ar rcs $@ $(BUILD)/libhutch.o

EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
examples: $(EXAMPLES)
$(BUILD)/examples/%: examples/%.c $(BUILD)/libhutch.a
	@mkdir -p $(@D)
	$(call quiet,CC,$<) $(CC) $(COMMON) -Wno-unused-parameter -O2 -o $@ $< $(BUILD)/libhutch.a

# ---- tests ------------------------------------------------------------------------

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
unit: $(UNIT_TESTS)
$(BUILD)/unit/%: $(BUILD)/sanitize/tests/unit/%.o $(BUILD)/sanitize/rooms.a
	@mkdir -p $(@D)
	$(call quiet,LD,$@) $(CC) $(SANITIZE) -o $@ $^ -lcmocka $(LIBS)

FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzzers/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(FUZZERS)
$(BUILD)/fuzzers/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/rooms.a
	@mkdir -p $(@D)
	$(call quiet,LD,$@) $(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

# Other people's programs that know what is right, asked about millions of cases.
ORACLES := $(patsubst tests/oracles/%.c,$(BUILD)/oracles/%,$(wildcard tests/oracles/*_oracle.c))
oracles: $(ORACLES)
$(BUILD)/oracles/%: $(BUILD)/library/tests/oracles/%.o $(BUILD)/library/rooms.a
	@mkdir -p $(@D)
	$(call quiet,LD,$@) $(CC) -o $@ $^ -lZydis -lcapstone $(LIBS)
$(BUILD)/oracles/emulate_native_oracle: $(patsubst %,$(BUILD)/library/tests/oracles/%.o,\
	emulate_undefined native_case native_run)

# Clients of the KVM ABI, static, so that a bed has all that they need.
ABI := $(patsubst tests/abi/%.c,$(BUILD)/abi/%,$(wildcard tests/abi/*.c))
abi: $(ABI)
$(BUILD)/abi/%: tests/abi/%.c host/linux/abi.def
	@mkdir -p $(@D)
	$(call quiet,CC,$<) $(CC) $(COMMON) -O2 -static -pthread -MF $@.d -o $@ $<

guests: ## our own guest payloads
	@$(MAKE) --no-print-directory -s -f tests/guests/Makefile BUILD=$(BUILD)
	@$(MAKE) --no-print-directory -s -f tests/guests/boot/Makefile BUILD=$(BUILD)

run: deps ## Debian's kernel under Hutch, to a shell
	@$(MAKE) --no-print-directory $(BUILD)/hutch
	@HUTCH_BUILD=$(BUILD) bed/run

bench: deps ## every figure of docs/performance.md
	@$(MAKE) --no-print-directory $(BUILD)/hutch
	@bench/run --build $(BUILD)

module: ## our own hypervisor as a Linux module; KERNEL=... is where its headers lie
	@$(MAKE) --no-print-directory -C host/linux BUILD=$(abspath $(BUILD))

PREFIX ?= /usr/local
install: $(BUILD)/hutch $(BUILD)/libhutch.a ## the command, the library, its header, the manual
	install -D -m 755 $(BUILD)/hutch $(DESTDIR)$(PREFIX)/bin/hutch
	install -D -m 644 $(BUILD)/libhutch.a $(DESTDIR)$(PREFIX)/lib/libhutch.a
	install -D -m 644 include/hutch/hutch.h $(DESTDIR)$(PREFIX)/include/hutch/hutch.h
	install -D -m 644 docs/hutch.1 $(DESTDIR)$(PREFIX)/share/man/man1/hutch.1
	install -D -m 644 scripts/completion/hutch.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/hutch
	install -D -m 644 scripts/completion/_hutch $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_hutch

test: deps ## check everything
	@tests/run --build $(BUILD)

system: deps ## the real command, on this machine's KVM
	@tests/run --build $(BUILD) --only system

check: ## rules of the rooms, format, static analysis
	@tests/run --build $(BUILD) --only rooms --only format --only tidy --only scripts

check-rooms: ## what may include what
	@tests/check_rooms.py

tidy: ## static analysis
	@tests/run --build $(BUILD) --only tidy

fuzz-run: ## every fuzzer for a few seconds
	@tests/run --build $(BUILD) --only fuzz

FORMATTED = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
format: ## put every C file into the house's style
	clang-format -i $(FORMATTED)

deps: ## install what building and testing want
	@scripts/install-deps

.PRECIOUS: $(BUILD)/release/%.o $(BUILD)/library/%.o $(BUILD)/sanitize/%.o $(BUILD)/fuzz/%.o

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
