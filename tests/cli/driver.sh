# examples/driver: a program that trains in process, built as its first comment says.
. "$ROOT/tests/lib.sh"
# shellcheck disable=SC2086
gcc -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Werror ${SANITIZE-} -I"$ROOT/compiler" -I"$ROOT/runtime" \
	"$ROOT/examples/driver/main.c" "$B/libnnrun.a" "$B/libnnc.a" -ltcc -ldl -lpthread -ljansson -lz -lm -o driver
./driver "$ROOT/examples/digits/digits.nn" "$ROOT/examples/digits" w.safetensors >out || fail "$(cat out)"
[ "$(grep -c '^epoch' out)" = 4 ] || fail "$(cat out)"
grep -q '^epoch 20: .* accuracy 0\.9' out || fail "$(cat out)"
grep -q '^trained 900 steps' out || fail "$(cat out)"
grep -q 'are the same$' out || fail "$(cat out)"
code 1 ./driver "$ROOT/examples/digits/digits.nn" "$ROOT/examples/driver" w.safetensors
