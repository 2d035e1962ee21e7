# Every example's C: no warning from gcc, clang and tcc, its header as C++, nothing undefined but libm and mem*, nothing
# writable, clean under the sanitizers. (strict.sh and the runner have gcc's code: its symbols, and its warnings that need
# optimisation. What is built with sanitizers stands for what clang makes without.)
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
		gcc='-fsyntax-only'
		[ -z "${SLOW-}" ] || gcc="-O1 -c -o gcc/$name.o"
		# shellcheck disable=SC2086
		gcc $gcc $warnings $name.c || fail "$what: gcc"
		# shellcheck disable=SC2086
		[ -n "$options" ] || clang -fsyntax-only $warnings -DNN_PLAIN_LOOPS $name.c ||
			fail "$what: clang, plain loops"
		tcc -std=c99 -Wall -Werror -c $name.c -o tcc/$name.o || fail "$what: tcc"
		echo "#include \"$name.h\"" >>headers.cc
		case $options in
		'' | ${SLOW:+--unroll=none*})
			# shellcheck disable=SC2086
			clang -O0 $warnings $sanitizers -c $name.c -o sanitized/$name.o || fail "$what: clang"
			names+=("$name")
			;;
		*)
			# shellcheck disable=SC2086
			clang -O0 $warnings -c $name.c -o clang/$name.o || fail "$what: clang"
			;;
		esac
	done
done
for cc in g++ clang++; do
	$cc -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only headers.cc || fail "headers in $cc"
done

symbols names clang/*.o sanitized/*.o tcc/*.o ${SLOW:+gcc/*.o} || exit 1

link_steps steps "clang -O0 -no-pie $sanitizers" "$(echo sanitized/*.o)" "${names[@]}"
for name in "${names[@]}"; do # an illegal instruction is what -fno-sanitize-trap has words for
	./steps 2 $name >steps.out 2>&1 || {
		echo "sanitizers: exit code $?" && cat steps.out
		fail "$(grep "^$name " names)"
	}
done
echo "$count files portable, without globals, clean under sanitizers"
