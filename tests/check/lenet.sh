# examples/lenet on MNIST, where it is present: the first 6,000 images twice, or with SLOW=1 all as the file says.
# Measured: .952 and .992; a single dense layer gets .88 to .91 in the short setting and .92 of all.
. "$ROOT/tests/lib.sh"
data=${MNIST:-$ROOT/../shared/data/mnist}
[ -d "$data" ] || skip "no MNIST in \$MNIST"
options='-D EPOCHS=2' want=0.93
mkdir part
{ printf '\0\0\010\003\0\0\027\160\0\0\0\034\0\0\0\034'; zcat -f "$data"/train-images*ubyte* | tail -c +17 | head -c 4704000; } \
	>part/train-images-idx3-ubyte
{ printf '\0\0\010\001\0\0\027\160'; zcat -f "$data"/train-labels*ubyte* | tail -c +9 | head -c 6000; } >part/train-labels-idx1-ubyte
cp "$data"/t10k-* part
[ -z "${SLOW-}" ] || { options='' want=0.985; rm part/train-*; cp "$data"/train-* part; }
# shellcheck disable=SC2086
generate "$ROOT/examples/lenet/lenet.nn" $options
gcc -O2 -march=native -std=c99 -DMODEL=m_model -I"$ROOT/compiler" -I"$ROOT/runtime" \
	"$ROOT/examples/native/main.c" m.c "$B/libnnrun.a" "$B/libnnc.a" ${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm -o trainer
./trainer part w.safetensors >log || fail "$(cat log)"
awk -v want=$want '{ accuracy = $NF } END { exit !(accuracy >= want) }' log || fail "$(tail -n 3 log)"
tail -n 1 log
