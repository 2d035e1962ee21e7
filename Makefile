# nnc: `make` builds build/nnc and the two libraries. `make demo` and `make test` do all of their own set-up.
#
# Sources are found by wildcard: a new file in compiler/ or runtime/ needs nothing here.
# main.c and cli_*.c belong to the program only; the rest goes into the libraries.
#
#   make B=DIR      another build folder            make test CASE=PATTERN   only cases whose path has PATTERN
#   make test-san   with ASan and UBSan             make test BLESS=1        write expected texts (then read the diff)
#   make bench      tests/bench/README.md           make bench QUICK=1 W=W2,W3
#   make soak       random models with fresh seeds  SEED=N make test         other random models
#   make V=1        shows whole commands

B      := build
PREFIX  = /usr/local
CC      = gcc
CFLAGS  = -O2 -g1
WARN    = -Wall -Wextra -Wpedantic -Wshadow
FLEX    = flex
BISON   = bison

includes := -Icompiler -Iruntime -I$B/grammar
export CC CFLAGS
said      = $(if $V,,@echo '$1 $(if $2,$2,$<)' && )# what a command does, in place of the command
compile   = $(CC) -std=c11 $(WARN) $(includes) $(CPPFLAGS) $(CFLAGS) -MMD -MP
# Static ones where they are there: the program starts sooner, and needs them no more.
archive   = $(or $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l$(1))
libs      = -ltcc -ldl -lpthread $(call archive,jansson) $(call archive,z) -lm

kernels  := runtime/tile_kernels.c runtime/map_kernels.c runtime/random_kernels.c
program  := $(wildcard compiler/main.c compiler/cli_*.c runtime/main.c runtime/cli_*.c)
compiler := $(filter-out $(program),$(wildcard compiler/*.c))
runtime  := $(filter-out $(program) $(kernels),$(wildcard runtime/*.c))
std      := $(sort $(wildcard grammar/std/*.nn))

# What code compiled in process calls beside its own tiles: maps, panels and tiles without code, each one file that is
# compiled for each instruction set and type of reals (the base set of tiles serves strict mode too, so it contracts
# nothing), and random words for each instruction set.
tile_sets   := base $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),avx2 avx512)
tile_o      := $(foreach set,$(tile_sets),$(foreach real,float double,$B/runtime/tile_$(set)_$(real).o))
map_o       := $(tile_o:$B/runtime/tile_%=$B/runtime/map_%)
random_o    := $(foreach set,$(tile_sets),$B/runtime/random_$(set).o)
tile_base   := -ffp-contract=off -DTILE_BYTES=16 -DTILE_REGISTERS=16
tile_avx2   := -ffp-contract=fast -mavx2 -mfma -DTILE_BYTES=32 -DTILE_REGISTERS=16
tile_avx512 := -ffp-contract=fast -mavx512f -mavx512vl -mfma -mprefer-vector-width=512 -DTILE_BYTES=64 -DTILE_REGISTERS=32

program_o  := $(program:%.c=$B/%.o)
compiler_o := $(compiler:%.c=$B/%.o) $B/grammar/nn.tab.o $B/grammar/nn.lex.o $B/builtin.o
runtime_o  := $(runtime:%.c=$B/%.o) $(tile_o) $(map_o) $(random_o)
objects    := $(program_o) $(compiler_o) $(runtime_o)
support_o  := $(patsubst %.c,$B/%.o,$(wildcard tests/*.c))

.PHONY: all objects install uninstall clean demo test test-san test-slow soak bench format tidy FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

all: $B/nnc $B/libnnc.a $B/libnnrun.a
objects: $(objects)

$B/nnc: $(objects)
	$(call said,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)

# A library is one object in which only the public names are left global, so that a program that
# embeds it may use any other name itself.
define hide
@rm -f $@
@ld -r -o $@.o $^
@objcopy --wildcard --keep-global-symbol='$(1)*' $@.o
$(call said,AR,$@)ar rcs $@ $@.o
@rm -f $@.o
endef
$B/libnnc.a: $(compiler_o)
	$(call hide,nnc_)
$B/libnnrun.a: $(runtime_o)
	$(call hide,nnr_)

# For unit tests, which may call anything.
$B/internal.a: $(compiler_o) $(runtime_o) $(support_o)
	@rm -f $@
	$(call said,AR,$@)ar rcs $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call said,CC)$(compile) -c -o $@ $<

compile_set = $(compile) -fno-math-errno -fno-trapping-math $(tile_$(firstword $(subst _, ,$*))) \
	-DTILE_SET=$(firstword $(subst _, ,$*)) -DTILE_REAL=$(lastword $(subst _, ,$*))
# Most of the time that a build takes: nothing here for a debugger, and less effort for the base set where there are others.
effort = -O$(if $(and $(filter base%,$*),$(word 2,$(tile_sets))),1,2)
$(tile_o): $B/runtime/tile_%.o: runtime/tile_kernels.c
	@mkdir -p $(@D)
	$(call said,CC,$< ($*))$(compile_set) $(effort) -g0 -c -o $@ $<
$(map_o): $B/runtime/map_%.o: runtime/map_kernels.c
	@mkdir -p $(@D)
	$(call said,CC,$< ($*))$(compile_set) $(effort) -ftree-vectorize -g0 -c -o $@ $<

$(random_o): $B/runtime/random_%.o: runtime/random_kernels.c
	@mkdir -p $(@D)
	$(call said,CC,$< ($*))$(compile) -O2 $(tile_$*) -DTILE_SET=$* -c -o $@ $<

# Strict mode adds up gradients, and scales draws, with the same bits on every machine.
$B/runtime/shards.o $B/runtime/random.o: CFLAGS += -ffp-contract=off
# Gradients are averaged, and initial weights scaled, in vectors.
$B/runtime/shards.o $B/runtime/random.o: CFLAGS += -O3

# Sources that include the generated headers must wait for them.
$(patsubst %.c,$B/%.o,$(shell grep -l "nn\.\(tab\|lex\)\.h" compiler/*.c)): | $B/grammar/nn.tab.h $B/grammar/nn.lex.h

# Generated sources: the scanner's and parser's own warnings are not ours to mend.
$B/grammar/%.o: $B/grammar/%.c $B/grammar/nn.tab.h $B/grammar/nn.lex.h
	$(call said,CC)$(compile) -Wno-shadow -Wno-sign-compare -Wno-unused-parameter -Wno-unused-function -c -o $@ $<
$B/grammar/nn.tab.c $B/grammar/nn.tab.h &: grammar/nn.y
	@mkdir -p $(@D)
	$(call said,YACC)$(BISON) -Wall -Wno-yacc -Werror -Wcounterexamples --header=$B/grammar/nn.tab.h -o $B/grammar/nn.tab.c $<
$B/grammar/nn.lex.c $B/grammar/nn.lex.h &: grammar/nn.l
	@mkdir -p $(@D)
	$(call said,LEX)$(FLEX) --header-file=$B/grammar/nn.lex.h -o $B/grammar/nn.lex.c $<

# The standard library and the text of runtime/model.h, built into the compiler.
$B/builtin.c: compiler/embed.sh runtime/model.h compiler/tile_template.h compiler/add_template.h compiler/panel_template.h compiler/across_template.h compiler/math_template.h $(std) $B/std.list
	$(call said,GEN,$@)sh compiler/embed.sh runtime/model.h compiler/tile_template.h compiler/add_template.h compiler/panel_template.h compiler/across_template.h compiler/math_template.h $(std) >$@
$B/builtin.o: $B/builtin.c
	$(call said,CC)$(compile) -c -o $@ $<
$B/std.list: FORCE
	@mkdir -p $B; echo '$(std)' | cmp -s - $@ || echo '$(std)' >$@

-include $(objects:.o=.d) $(support_o:.o=.d)

demo:
	@sh tests/setup build
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@sh examples/digits/demo.sh $B

# The test runner prints failures and, last, "N passed, N failed".
test:
	@sh tests/setup test
	@$(MAKE) --no-print-directory -j$$(nproc) all $B/internal.a
	@bash tests/runner -b $B $(if $(BLESS),--bless) '$(CASE)'
san = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
test-san:
	@SANITIZE='-fsanitize=address,undefined' $(MAKE) --no-print-directory B=$B/san CFLAGS='$(san)' test
test-slow:
	@SLOW=1 $(MAKE) --no-print-directory test
# The checks that draw their models, with fresh seeds until one fails: a change is judged by the same models every time,
# new ones are looked for here.
soak: all $B/internal.a
	@seed=$$(date +%s); while echo "SEED=$$seed" && SEED=$$seed bash tests/runner -b $B \
		"$$(printf '%s\n' random check/networks check/mutate check/tiles check/graphs)"; do seed=$$((seed + 1)); done
bench: all
	@W='$(W)' QUICK='$(QUICK)' bash tests/bench/run.sh $B

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/nnc \
		$(DESTDIR)$(PREFIX)/share/man/man1
	install $B/nnc $(DESTDIR)$(PREFIX)/bin
	install -m 644 $B/libnnc.a $B/libnnrun.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 compiler/nnc.h runtime/runtime.h runtime/model.h $(DESTDIR)$(PREFIX)/include/nnc
	install -m 644 compiler/nnc.1 $(DESTDIR)$(PREFIX)/share/man/man1
	sed -n 's/^#define NNC_VERSION "\(.*\)"/Version: \1/p' compiler/nnc.h | cat - compiler/nnc.pc | \
		sed '1i prefix=$(PREFIX)' >$(DESTDIR)$(PREFIX)/lib/pkgconfig/nnc.pc
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/nnc $(addprefix $(DESTDIR)$(PREFIX)/lib/,libnnc.a libnnrun.a pkgconfig/nnc.pc)
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/nnc.1
	rm -rf $(DESTDIR)$(PREFIX)/include/nnc
clean:
	rm -rf $B

# Headers, whose tables are set by hand, and a list of words are left alone.
sources := $(filter-out compiler/emit_reserved.c,$(wildcard compiler/*.c runtime/*.c tests/*.c tests/*/*.c tests/bench/peers/*.c examples/*/*.c))
format:
	clang-format -i $(sources)
tidy: $B/grammar/nn.tab.h $B/grammar/nn.lex.h
	clang-tidy --quiet $(compiler) $(runtime) $(program) -- -std=c11 $(includes)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
		--error-exitcode=1 $(includes) $(compiler) $(runtime) $(program)
