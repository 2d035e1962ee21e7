# Out of memory: whichever allocation fails, the compiler returns NULL and has given everything back.
. "$ROOT/tests/lib.sh"
gcc -g -O1 -fsanitize=address -I"$ROOT/compiler" "$ROOT/tests/check/memory.c" "$B/libnnc.a" -o memory ${SANITIZE-} -lm
for model in "$ROOT"/tests/worked/*.nn "$ROOT"/tests/error/syntax_[a-e]*.nn; do
	./memory "$model" >out 2>&1 || { cat out; fail "$model"; }
	tail -n 1 out
done | awk '{ n += $1; m++ } END { print n " failing allocations in " m " compiles" } END { exit !n }'
