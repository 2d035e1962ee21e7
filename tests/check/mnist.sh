# MNIST, where it is present: 784-128-10 reaches .97 on the test set.
. "$ROOT/tests/lib.sh"
data=${MNIST:-$ROOT/../shared/data/mnist}
[ -d "$data" ] || skip "no MNIST in \$MNIST"
cat >mnist.nn <<'END'
input  image[28, 28]
target digit: class[10]
logits = image -> flatten -> dense(128) -> relu -> dense(10)
loss   cross_entropy(logits, digit)
metric accuracy(logits, digit)
output logits
train  adam(lr=2e-3) epochs=4 batch=64
END
generate mnist.nn
gcc -O3 -march=native -I. -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/mnist.c" m.c "$B/libnnrun.a" "$B/libnnc.a" \
	-o mnist ${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
./mnist "$data"
