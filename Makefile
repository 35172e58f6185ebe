# SPDX-License-Identifier: MIT
# Builds build/ipclua (the host), build/ipctl and build/ipc.so (the module for stock Lua 5.4), tests, installs.
# `make help` lists the targets. Settings first: each can be given on the command line.
# The objects are shared by all products: compiled -fPIC, everything hidden but luaopen_ipc*.

BUILD    ?= build
LUA      ?= lua5.4
BUSTED   ?= /usr/bin/busted
SPEC     ?= spec
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib/lua/5.4
DOCDIR   ?= $(PREFIX)/share/doc/ipclua
TYPESDIR ?= $(PREFIX)/share/ipclua/types
MANDIR   ?= $(PREFIX)/share/man/man1
SHELLDIR ?= $(PREFIX)/share
JOBS     ?= $(shell nproc)
CFLAGS   ?= -O2 -g
LUA_LIB  ?= -l:liblua5.4.a
LUA_CFLAGS := $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(or \
	$(shell pkg-config --cflags lua5.4 2>/dev/null),-I/usr/include/lua5.4))

hash     := \#

# empty: without shared data
LMDB     ?= $(lmdb)
lmdb     := $(shell echo '$(hash)include <lmdb.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo -llmdb)

# empty: without rediss://. The library is loaded when the first such connection is made
TLS      ?= $(tls)
tls      := $(shell echo '$(hash)include <openssl/ssl.h>' | $(CC) $(CPPFLAGS) -E - 2>/dev/null | \
	grep -q SSL_CTX_load_verify_file && echo openssl)

# SAN=address,undefined or SAN=thread; CI=1 or WERROR=1; V=1 shows commands
# TSan takes the clone() of os/spawn.c, which shares memory, for a fork, and sees no lock from then on
san    := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring thread,$(SAN)),-Dclone=__clone))
werror := $(if $(filter-out 0,$(CI) $(WERROR)),-Werror)
warn   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wundef -Wvla
flags  := -std=c11 -D_GNU_SOURCE $(warn) $(werror) $(san) -fPIC -fvisibility=hidden \
	-Iruntime -Ibindings -I$(BUILD) $(LUA_CFLAGS) $(if $(LMDB),-DIL_LMDB) \
	-DIL_PLAIN_MALLOC=$(if $(SAN),1,0)
# any Lua can load ipc.so, to be told what it lacks: all of Lua's API as weak references, by lua.h's door for Windows
weak   := -DLUA_BUILD_AS_DLL -D__declspec\(x\)=__attribute__\(\(weak\)\)
# the program exports Lua's API to the C modules it loads, and has Lua in front, so that our code does not shift the
# interpreter's: where that lies matters by 5 percent. ipc.so must outlive lua_close (threads, signals)
hostld := -Wl,-E $(if $(LUA_LIBDIR),-L$(LUA_LIBDIR)) -Wl,--whole-archive $(LUA_LIB) -Wl,--no-whole-archive
sold   := -shared -Wl,-z,nodelete
oomld  := $(foreach f,malloc calloc realloc strdup,-Wl,--wrap=$f)
pointld := $(foreach f,mmap munmap memcpy syscall fallocate fchmod chmod flock linkat unlink unlinkat \
	rename renameat2 rmdir luaL_openlibs,-Wl,--wrap=$f)
libs   := $(LMDB) -lm -ldl -lpthread

folder := runtime/base runtime/loop runtime/os runtime/stream runtime/engines runtime/engines/* runtime/engines/*/* \
	runtime/sched bindings bindings/codec
folder := $(filter-out $(if $(LMDB),,%/store %/disk),$(wildcard $(folder)))
core   := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(if $(TLS),,%/tls.c) $(if $(LMDB),,%/stored.c),\
	$(wildcard $(addsuffix /*.c,$(folder)))))
host   := $(patsubst %.c,$(BUILD)/%.o,$(filter-out runtime/ipctl.c,$(wildcard runtime/*.c)))
ctl    := $(addprefix $(BUILD)/runtime/,ipctl.o call.o lua_heap.o reaper.o)
lower  := $(filter-out $(addprefix $(BUILD)/,runtime/sched/% bindings/%),$(core))
ctests := $(patsubst spec/c/%_test.c,$(BUILD)/c-%,$(wildcard spec/c/*_test.c))
fuzz   := $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz-%,$(filter-out %/driver.c,$(wildcard spec/fuzz/*.c)))
embed  := scripts/tools/embed.lua scripts/ipc $(wildcard scripts/ipc/*.lua)
verbs  := scripts/tools/embed.lua scripts/ipctl $(wildcard scripts/ipctl/*.lua)
server := scripts/tools/embed_scripts.lua $(wildcard runtime/engines/redis/scripts/*.lua)
shells := bash-completion/completions/ipctl zsh/site-functions/_ipctl fish/vendor_completions.d/ipctl.fish
suite   = $(LUA) scripts/tools/suite.lua
Q      := $(if $(filter-out 0,$(V)),,@)
say     = $(if $(Q),@printf '  %-6s %s\n' $(1) $(2))

.PHONY: all packages demo check ctests test sanitize lint format floors bench guests growth sweep points model storm fuzz \
	fuzzers install install-doc uninstall clean help FORCE
.DELETE_ON_ERROR:

all: $(BUILD)/ipclua $(BUILD)/ipctl $(BUILD)/ipc.so ## build the host, ipctl and the module (the default)

$(BUILD)/ipclua: $(core) $(host)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(san) $(LDFLAGS) -o $@ $(hostld) $^ $(libs)

$(BUILD)/ipctl: $(core) $(ctl)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(san) $(LDFLAGS) -o $@ $(hostld) $^ $(libs)

$(BUILD)/ipc.so: $(core)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(san) $(LDFLAGS) $(sold) -o $@ $^ $(libs)

# an allocator that fails when it is told to (scripts/tools/oom.c)
$(BUILD)/ipclua-oom: $(core) $(host) $(BUILD)/scripts/tools/oom.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(san) $(LDFLAGS) $(oomld) -o $@ $(hostld) $^ $(libs)

# of what is compiled with SAN=thread: dies at any store (scripts/tools/points.c, instead of TSan's library)
$(BUILD)/ipclua-points: $(core) $(host) $(BUILD)/scripts/tools/points.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(pointld) -o $@ $(hostld) $^ $(libs)

# the floors below Lua by themselves, with a test in C
$(BUILD)/lower.a: $(lower)
	$(Q)rm -f $@ && ar rc $@ $^

$(BUILD)/c-%: spec/c/%_test.c spec/c/check.h $(BUILD)/lower.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/lower.a $(libs)

$(BUILD)/c-lua_heap: runtime/lua_heap.c

ctests: $(ctests)

fuzzers: $(fuzz)

$(BUILD)/fuzz-segment: wrap := -Wl,--wrap=mmap,--wrap=munmap

# SAN=address,undefined,fuzzer-no-link and clang: with libFuzzer, else with a driver of our own
$(BUILD)/fuzz-%: spec/fuzz/%.c spec/fuzz/driver.c spec/fuzz/fuzz.h $(core)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) $(if $(findstring fuzzer,$(SAN)),-fsanitize=fuzzer -DLIBFUZZER) \
		-Ispec/fuzz $(LDFLAGS) $(wrap) -o $@ $(filter-out %.h,$^) $(hostld) $(libs)

$(BUILD)/%.o: %.c $(BUILD)/.flags | $(BUILD)/embed.h $(BUILD)/ipctl_scripts.h $(BUILD)/redis_scripts.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) $(if $(filter $@,$(core)),$(weak)) -MMD -MP -c -o $@ $<

$(BUILD)/scripts/tools/points.o: flags += -fno-sanitize=thread

$(BUILD)/embed.h: $(embed)
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LUA) scripts/tools/embed.lua scripts/ipc > $@

$(BUILD)/ipctl_scripts.h: $(verbs)
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LUA) scripts/tools/embed.lua scripts/ipctl > $@

$(BUILD)/redis_scripts.h: $(server)
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LUA) scripts/tools/embed_scripts.lua runtime/engines/redis/scripts > $@

$(BUILD)/.flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) $(weak)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) $(weak)' > $@
	$(Q)echo '$(libs)' > $(BUILD)/.libs

packages: build/.packages ## install what is missing of scripts/tools/packages

build/.packages: scripts/tools/packages
	$(Q)scripts/tools/install-packages
	$(Q)mkdir -p $(@D) && touch $@

demo: packages ## count words over real files on every CPU (FILES="a b" for your own)
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)$(BUILD)/ipclua scripts/examples/wordcount.lua $(FILES)

check: all ## build, then the specs under ipclua: the fast loop (SPEC=file for one)
	$(Q)IPCLUA=$(CURDIR)/$(BUILD)/ipclua env --default-signal $(BUILD)/ipclua $(BUSTED) $(SPEC)

test: packages ## everything: packages, -Werror, lint, floors, specs, sanitizers, sweep, rock
	$(Q)$(suite) test

sanitize: packages ## the specs under ASan+UBSan and under TSan
	$(Q)$(suite) sanitize

lint: all ## luacheck, clang-format, floors; names have stubs and headings, paths in comments are there
	$(Q)$(suite) lint

format: ## the C code as .clang-format says
	$(Q)git ls-files '*.[ch]' | xargs clang-format -i --style=file

floors: all ## no include runs up or sideways between the floors; a header for each file, no large circle
	$(Q)$(LUA) scripts/tools/floors.lua . $(BUILD)

bench: packages ## side by side with cqueues, luv, boost, ZeroMQ and others (PLOT=1: doc/performance.svg)
	$(Q)scripts/tools/install-packages bench
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)$(BUILD)/ipclua scripts/bench/run.lua $(if $(filter-out 0,$(PLOT)),--plot doc/performance.svg)

guests: packages ## foreign programs do the same under ipclua as under lua5.4 (GUESTS="name path ...")
	$(Q)scripts/tools/install-packages guests
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)BUILD=$(BUILD) LUA=$(LUA) $(LUA) scripts/tools/guests.lua

growth: packages ## what things cost as there are more of them: tables, and doc/growth.svg
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)$(BUILD)/ipclua scripts/bench/growth.lua

sweep: packages ## out of memory at every single allocation (long)
	$(Q)$(suite) sweep

points: packages ## processes that die at every single store into shared memory, and into a folder on a disk
	$(Q)$(suite) points

model: all ## random programs beside books of what must hold (SEEDS=1000 START=1 ENGINE=shm|sysv|private)
	$(Q)$(LUA) spec/model/run.lua $(BUILD)/ipclua $(or $(ENGINE),all) $(or $(SEEDS),1000) $(or $(START),1)

storm: all ## processes killed and stopped at random, on every engine, one CPU and two (STORM_SECONDS=10)
	$(Q)$(LUA) spec/storm/run.lua $(BUILD)/ipclua

fuzz: packages ## foreign bytes for all that reads them, under ASan+UBSan (FUZZ_SECONDS=20 FUZZ_CONNECTIONS=3000)
	$(Q)$(suite) fuzz

install: all install-doc ## into PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(TYPESDIR)
	install -m 755 $(BUILD)/ipclua $(BUILD)/ipctl $(DESTDIR)$(BINDIR)
	install -m 755 $(BUILD)/ipc.so $(DESTDIR)$(LIBDIR)/ipc.so
	install -m 644 types/ipc.lua $(DESTDIR)$(TYPESDIR)/ipc.lua
	install -d $(DESTDIR)$(MANDIR) $(dir $(addprefix $(DESTDIR)$(SHELLDIR)/,$(shells)))
	$(BUILD)/ipctl completion man > $(DESTDIR)$(MANDIR)/ipctl.1
	$(BUILD)/ipctl completion bash > $(DESTDIR)$(SHELLDIR)/$(word 1,$(shells))
	$(BUILD)/ipctl completion zsh > $(DESTDIR)$(SHELLDIR)/$(word 2,$(shells))
	$(BUILD)/ipctl completion fish > $(DESTDIR)$(SHELLDIR)/$(word 3,$(shells))

# in folders as here, or their links would lead nowhere
install-doc:
	install -d $(addprefix $(DESTDIR)$(DOCDIR)/,doc scripts/examples types)
	install -m 644 README.md CONTRIBUTING.md CHANGELOG.md LICENSE $(DESTDIR)$(DOCDIR)
	install -m 644 $(wildcard doc/*.md doc/*.svg) $(DESTDIR)$(DOCDIR)/doc
	install -m 644 $(wildcard scripts/examples/*.lua) $(DESTDIR)$(DOCDIR)/scripts/examples
	install -m 644 types/ipc.lua $(DESTDIR)$(DOCDIR)/types

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/ipclua $(DESTDIR)$(BINDIR)/ipctl $(DESTDIR)$(LIBDIR)/ipc.so
	rm -f $(DESTDIR)$(MANDIR)/ipctl.1 $(addprefix $(DESTDIR)$(SHELLDIR)/,$(shells))
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(PREFIX)/share/ipclua

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

-include $(core:.o=.d) $(host:.o=.d) $(ctl:.o=.d) $(wildcard $(BUILD)/scripts/tools/*.d)
