# examples/online: a program that embeds the generated C and learns while it runs.
. "$ROOT/tests/lib.sh"
"$NNC" "$ROOT/examples/online/online.nn" -o online.c
for cc in 'gcc -O2' 'clang -O3' tcc; do
	# shellcheck disable=SC2086
	$cc -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Werror -I. "$ROOT/examples/online/main.c" online.c -lm -o online
	./online | sed 1d | diff <(sed 1d "$ROOT/examples/online/expected.txt") - || fail "built by $cc"
done
