# lib.sh - sourced by the shell cases. ROOT, B (build folder), NNC and T (an empty folder, the current one) are set.
# shellcheck shell=bash

fail() {
	echo "$*"
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

# The text of a command's messages must contain WORDS: says WORDS COMMAND...
says() {
	local words=$1
	shift
	"$@" >says.out 2>&1 || true
	grep -qF -e "$words" says.out || {
		echo "expected '$words' from: $*"
		cat says.out
		exit 1
	}
}

# The exit code of a command: code 2 COMMAND...
code() {
	local want=$1 got=0
	shift
	"$@" >code.out 2>&1 || got=$?
	[ "$got" = "$want" ] || {
		echo "exit code $got, not $want: $*"
		cat code.out
		exit 1
	}
}

# net.nn, a classifier of two moons, with LAYERS between its two dense ones and TRAIN behind its rule; its data as
# $data and $test: moons LAYERS TRAIN
# shellcheck disable=SC2034
moons() {
	cat >net.nn <<-END
		input  x[2]
		target label: class[2]
		y = x -> a: dense(8) -> $1 -> b: dense(2)
		loss   cross_entropy(y, label)
		metric accuracy(y, label)
		output y
		train  adam(lr=0.02) $2 seed=3
	END
	data=$ROOT/tests/data/moons_train.csv test=$ROOT/tests/data/moons_test.csv
}

# Every model of the examples, as paths.
examples() { ls "$ROOT"/examples/*/*.nn; }

# A name for a path that is an identifier.
identifier() { basename "$1" .nn | tr -c 'A-Za-z0-9\n' _; }

# Check the gradients of models in quad and in float: gradients [-c|-n] SEED MODEL.nn... (see check/gradient.c). A model
# may give options in its first line, as in the runner. Prints one line; fails if a model does not compile or is wrong.
gradients() {
	local option= seed model name bad=0 text
	case $1 in -*) option=$1; shift ;; esac
	seed=$1
	shift
	: >headers.h
	: >pairs.inc
	for model; do
		name=$(identifier "$model")
		text=$(sed -n '1s/^# nnc: //p' "$model")
		# shellcheck disable=SC2086
		if "$NNC" -Wno-unreached $text --batch=3 --real=quad --prefix="q_$name" "$model" -o "q_$name.c" &&
			"$NNC" -Wno-unreached $text --batch=3 --prefix="f_$name" "$model" -o "f_$name.c" &&
			tcc -c "f_$name.c" && gcc -O0 -c "q_$name.c"; then
			printf '#include "q_%s.h"\n#include "f_%s.h"\n' "$name" "$name" >>headers.h
			echo "	{&q_${name}_model, &f_${name}_model}," >>pairs.inc
		else
			bad=$((bad + 1))
			rm -f "q_$name.o" "f_$name.o"
			echo "$model:" && cat "$model"
		fi >gradients.log 2>&1 || true
		[ ! -s gradients.log ] || cat gradients.log
	done
	[ -s pairs.inc ] || fail "no model compiled"
	cat >pairs.c <<-'END'
		#include "headers.h"
		struct pair { const nn_model *quad, *single; };
		extern const struct pair pairs[];
		extern const int n_pairs;
		const struct pair pairs[] = {
		#include "pairs.inc"
		};
		const int n_pairs = sizeof pairs / sizeof *pairs;
	END
	gcc -O1 -I. -I"$ROOT/runtime" -o gradient "$ROOT/tests/check/gradient.c" pairs.c q_*.o f_*.o -Wl,-z,noexecstack -lquadmath -lm
	./gradient $option "$seed" || bad=$((bad + 1))
	[ $bad = 0 ] || fail "$bad wrong"
}

# The models that the checks of generated C go over: every example, and the worked examples.
models() { ls "$ROOT"/examples/*/*.nn "$ROOT"/tests/worked/*.nn "$ROOT"/tests/run/*.nn 2>/dev/null; }

# Generate C for a model as m.c and m.h here, prefix m: generate MODEL [OPTION...]. Options in its first line are kept,
# but for those of --real, so that all drivers may assume float.
generate() {
	local model=$1 text
	shift
	text=$(sed -n '1s/^# nnc: //p' "$model" | sed 's/--real=[a-z]*//')
	# shellcheck disable=SC2086
	"$NNC" $text "$@" --prefix=m "$model" -o m.c || fail "nnc refuses $model"
}

# Sizes from SEED, in $seed: draw LEAST MOST. Its state is a file, since RANDOM begins anew in every $(draw ..).
start_drawing() {
	seed=${SEED:-1}
	RANDOM=$((10#$seed % 32768))
	echo "$RANDOM" >drawn
}
draw() {
	local state=$((($(<drawn) * 1103515245 + 12345) % 2147483648))
	echo "$state" >drawn
	echo $(($1 + (state >> 8) % ($2 - $1 + 1)))
}

# A net as model.nn, behind definitions from standard input: write_net INPUT LAYERS RULE BATCH
write_net() {
	cat - /dev/fd/3 >model.nn 3<<-END
		input x[$1]
		target y[3]
		p = x -> $2 -> flatten -> last: dense(3)
		output p
		loss mse(p, y)
		train $3 epochs=1 batch=$4 seed=1
	END
}

# Two outputs of check/steps.c agree: same MODEL FILE FILE TOLERANCE
same() {
	paste -d ' ' "$2" "$3" | while read -r name a other b; do
		[ "$name" = "$other" ] || fail "$1: $name and $other"
		printf '%s %.17g %.17g\n' "$name" "$a" "$b"
	done | awk -v tolerance="$4" -v model="$1" '
		{ e = $2 - $3; if (e < 0) e = -e; m = $2 < 0 ? -$2 : $2; if (m < 1) m = 1
		  if (!(e <= tolerance * m)) { print model ": " $0; bad = 1; exit } }
		END { exit bad }' || exit 1
}

# The models of a file with a line "NAME: STATEMENT; STATEMENT ..." each, as models/NAME.nn: write_models FILE
write_models() {
	local line
	mkdir -p models
	while IFS= read -r line; do
		sed 's/^[a-z_0-9]*: //; s/; */\n/g' <<<"$line" >"models/${line%%:*}.nn"
	done < <(grep -v '^#' "$1")
}

# Build ./quad from check/quad.c and the interpreter in __float128.
build_quad() {
	local flags="-std=c11 -D_GNU_SOURCE -iquote $ROOT/compiler -iquote $ROOT/runtime -iquote $ROOT/tests ${SANITIZE-}"
	# shellcheck disable=SC2086
	gcc $flags -O2 -DINTERPRET_QUAD -c "$ROOT/tests/interpret.c" -o interpret_quad.o &&
		gcc $flags -O1 "$ROOT/tests/check/quad.c" interpret_quad.o "$B/internal.a" -o quad \
			-ltcc -ldl -lpthread -ljansson -lz -lquadmath -lm
}
