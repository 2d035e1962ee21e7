# Every example's C: no warning from gcc, clang and tcc, its header as C++, nothing undefined but libm and mem*, nothing
# writable, clean under the sanitizers. (strict.sh and the runner have gcc's warnings that need optimisation.)
. "$ROOT/tests/lib.sh"
warnings='-std=c99 -fno-pic -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
# the inline checks of sanitizers take clang longest: calls, and traps, which need no message each
sanitizers='-fsanitize=address,undefined -fsanitize-trap=undefined -mllvm -asan-instrumentation-with-call-threshold=0'
mkdir clang gcc tcc sanitized

count=0 names=()
for model in $(models) "$ROOT/tests/graph/second_derivative.nn"; do
	others=('--fp=strict --real=double' '--unroll=none --inference-only') # in turn; SLOW=1: both
	[ -n "${SLOW-}" ] || others=("${others[count / 2 % 2]}")
	for options in '' "${others[@]}"; do
		count=$((count + 1))
		name=m$count
		# shellcheck disable=SC2086
		generate_as $name "$model" $options
		what="$model $options"
		echo "$name $what" >>names
		# shellcheck disable=SC2086
		gcc -O$((0${SLOW:+1})) $warnings -c $name.c -o gcc/$name.o || fail "$what: gcc"
		# shellcheck disable=SC2086
		[ -n "$options" ] || clang -fsyntax-only $warnings -DNN_PLAIN_LOOPS $name.c ||
			fail "$what: clang, plain loops"
		# shellcheck disable=SC2086
		clang -O0 $warnings -c $name.c -o clang/$name.o || fail "$what: clang"
		tcc -std=c99 -Wall -Werror -c $name.c -o tcc/$name.o || fail "$what: tcc"
		echo "#include \"$name.h\"" >>headers.cc
		case $options in
		'' | ${SLOW:+--unroll=none*})
			# shellcheck disable=SC2086
			clang -O0 -std=c99 $sanitizers -c $name.c -o sanitized/$name.o
			names+=("$name")
			;;
		esac
	done
done
for cc in g++ clang++; do
	$cc -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only headers.cc || fail "headers in $cc"
done

# Symbols: tcc keeps constants in .data, which are what clang has found read-only.
{
	nm -D --defined-only "$(gcc -print-file-name=libm.so.6)" | sed 's/.* //; s/@.*//'
	printf '%s\n' memcpy memset memmove memcmp _GLOBAL_OFFSET_TABLE_
} >allowed
nm -A clang/*.o gcc/*.o tcc/*.o >symbols
awk '
	FILENAME == "allowed" { allowed[$1]; next }
	FILENAME == "names" { what[$1] = substr($0, length($1) + 2); next }
	{
		split($1, at, "[/.]"); cc = at[1]; model = at[2]; kind = $(NF - 1); symbol = $NF; objects += !(cc model in seen)
		seen[cc model]
		wrong = ""
		if (kind ~ /[Uvw]/ && !(symbol in allowed)) wrong = "undefined"
		if (kind ~ /[Rr]/ && cc == "clang") constant[model symbol]
		if (kind ~ /[BbCDdGgSs]/ && !(cc == "tcc" && (symbol ~ /^L[.]/ || model symbol in constant))) wrong = "writable"
		if (wrong != "") { print what[model] " (" cc "): " wrong ": " symbol; bad = 1 }
	}
	END { exit bad || !objects }' allowed names symbols || exit 1

link_steps steps "clang -O0 $sanitizers" "$(echo sanitized/*.o)" "${names[@]}"
for name in "${names[@]}"; do # an illegal instruction is what -fno-sanitize-trap has words for
	./steps 2 $name >steps.out 2>&1 || {
		echo "sanitizers: exit code $?" && cat steps.out
		fail "$(grep "^$name " names)"
	}
done
echo "$count files portable, without globals, clean under sanitizers"
