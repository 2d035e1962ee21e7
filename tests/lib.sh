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

# C files that a compiler reads as one, which is quicker than each alone: what is static in them, and so may have one name
# in several, gets the file's. The headers come first and keep all names: together FILE.c...
together() {
	printf '#include "%s"\n' "${@/%.c/.h}"
	awk '
		function finish() { if (file) printf "#include \"%s\"\n%s", file, undo }
		FNR == 1 { finish(); file = FILENAME; undo = ""; split("", seen); own = file; gsub(/[^A-Za-z0-9]/, "_", own) }
		/^static / {
			gsub(/__attribute__ *\(\(([^()]|\([^()]*\))*\)\)/, "")
			if (match($0, /[A-Za-z_0-9]+[[(]/) && !((name = substr($0, RSTART, RLENGTH - 1)) in seen)) {
				seen[name]
				print "#define " name " " own "_" name
				undo = undo "#undef " name "\n"
			}
		}
		END { finish() }' "$@"
}

# Check the gradients of models in quad and in float: gradients [-c|-n] SEED MODEL.nn... (see check/gradient.c). A model
# may give options in its first line, as in the runner. Prints one line; fails if a model does not compile or is wrong.
gradients() {
	local option= seed model name text bad=0 good=() part names
	case $1 in -*) option=$1; shift ;; esac
	seed=$1
	shift
	for model; do
		name=$(identifier "$model")
		read -r text <"$model" || true
		[[ $text = '# nnc: '* ]] && text=${text#'# nnc: '} || text=
		# shellcheck disable=SC2086
		if "$NNC" -Wno-unreached $text --batch=3 --real=quad --prefix="q_$name" "$model" -o "q_$name.c" &&
			"$NNC" -Wno-unreached $text --batch=3 --prefix="f_$name" "$model" -o "f_$name.c"; then
			good+=("$name")
		else
			bad=$((bad + 1))
			echo "$model:" && cat "$model"
		fi >gradients.log 2>&1
		[ ! -s gradients.log ] || cat gradients.log
	done
	[ ${#good[@]} != 0 ] || fail "no model compiled"
	printf '#include "q_%s.h"\n' "${good[@]}" >headers.h
	printf '#include "f_%s.h"\n' "${good[@]}" >>headers.h
	for name in "${good[@]}"; do
		echo "	{&q_${name}_model, &f_${name}_model},"
	done >pairs.inc
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
	# clang takes half of gcc's time for quads; their header is gcc's. Of quads init and backward are called: the others
	# become static, so that nothing is made of them.
	sed -i -E -e '/^[a-z].*_(forward1?|loss|metrics|update|step|stream[a-z_]*)\(/ { /^static/! s/^/static / }' \
		-e '/^	any_init, / s/any_(forward1?|loss|metrics|update|step|stream[a-z_]*)\>/NULL/g' $(printf "q_%s.[ch] " "${good[@]}")
	rm -f quads*.o floats*.o
	for ((part = 0; part < ${#good[@]}; part += 40)); do
		names=("${good[@]:part:40}")
		names=("${names[@]/%/.c}")
		together "${names[@]/#/q_}" >quads.c
		together "${names[@]/#/f_}" >floats.c
		clang -O0 -idirafter "$(gcc -print-file-name=include)" -c quads.c -o "quads$part.o" || fail "quads do not compile"
		tcc -c floats.c -o "floats$part.o" || fail "floats do not compile"
	done
	gcc -O1 -I. -I"$ROOT/runtime" -o gradient "$ROOT/tests/check/gradient.c" pairs.c quads*.o floats*.o \
		-Wl,-z,noexecstack -lquadmath -lm
	./gradient $option "$seed" || bad=$((bad + 1))
	[ $bad = 0 ] || fail "$bad wrong"
}

# The models that the checks of generated C go over: every example, and the worked examples.
models() { ls "$ROOT"/examples/*/*.nn "$ROOT"/tests/worked/*.nn "$ROOT"/tests/run/*.nn 2>/dev/null; }

# Generate C for a model as NAME.c and NAME.h here, prefix NAME: generate_as NAME MODEL [OPTION...]. Options in its first
# line are kept, but for those of --real, so that all drivers may assume float.
generate_as() {
	local name=$1 model=$2 text
	shift 2
	text=$(sed -n '1s/^# nnc: //p' "$model" | sed 's/--real=[a-z]*//')
	# shellcheck disable=SC2086
	"$NNC" $text "$@" --prefix="$name" "$model" -o "$name.c" || fail "nnc refuses $model"
}
generate() { generate_as m "$@"; }

# Objects as FOLDER/MODEL.o want nothing but libm and mem*, and have nothing writable; FILE has a line "MODEL WORDS" for
# each model: symbols FILE OBJECT... tcc, in folder tcc, keeps constants in .data: they are what others have found
# read-only. What sanitizers add does not count.
symbols() {
	{
		nm -D --defined-only "$(gcc -print-file-name=libm.so.6)" | sed 's/.* //; s/@.*//'
		printf '%s\n' memcpy memset memmove memcmp _GLOBAL_OFFSET_TABLE_
	} >allowed
	nm -A "${@:2}" >symbols
	awk -v names="$1" '
		FILENAME == "allowed" { allowed[$1]; next }
		FILENAME == names { what[$1] = substr($0, length($1) + 2); next }
		$NF ~ /^__(asan|ubsan)_|^__unnamed_/ { next }
		{
			split($1, at, "[/.]"); cc = at[1]; model = at[2]; kind = $(NF - 1); symbol = $NF
			objects += !(cc " " model in seen)
			seen[cc " " model]
			wrong = ""
			if (kind ~ /[Uvw]/ && !(symbol in allowed)) wrong = "undefined"
			if (kind ~ /[Rr]/) constant[model " " symbol]
			if (kind ~ /[BbCDdGgSs]/ && !(cc == "tcc" && (symbol ~ /^L[.]/ || model " " symbol in constant))) wrong = "writable"
			if (wrong != "") { print what[model] " (" cc "): " wrong ": " symbol; bad = 1 }
		}
		END { exit bad || objects != '"$(($# - 1))"' }' allowed "$1" symbols
}

# A program that trains any of the models NAME, whose headers are here: link_steps PROGRAM "COMPILER" "OBJECT..." NAME...
link_steps() {
	local program=$1 cc=$2 objects=$3
	shift 3
	printf '#include "%s.h"\n' "$@" >models.h
	for name; do echo "{\"$name\", &${name}_model},"; done >models.inc
	# shellcheck disable=SC2086
	$cc -DMODELS -I. -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" $objects -o "$program" -Wl,-z,noexecstack -lm
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

# Two outputs of check/steps.c agree: same WHAT FILE FILE TOLERANCE
same() {
	[ -x compare ] || gcc -O1 "$ROOT/tests/check/compare.c" -o compare
	./compare "$2" "$3" "$4" >compared || fail "$1: $(cat compared)"
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
