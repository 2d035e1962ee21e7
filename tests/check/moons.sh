# Worked example 8: two moons, 10,000 steps of full-batch gradient descent in generated C.
. "$ROOT/tests/lib.sh"
generate "$ROOT/tests/check/moons.nn"
gcc -O3 -march=native -I. -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/moons.c" m.c "$B/libnnrun.a" "$B/libnnc.a" \
	-o moons ${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
./moons "$ROOT/tests/data/moons_train.csv" "$ROOT/tests/data/moons_test.csv" 1
