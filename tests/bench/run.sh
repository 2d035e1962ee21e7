# bench/run.sh BUILD - how long the compiler takes, and how long until a model in process has done its first step.
# Medians of whole processes, from exec to exit, over 21 runs each. Run it on an idle machine.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
work=$build/bench
mkdir -p "$work"
cd "$work"
gcc -O2 -o median "$root/tests/bench/median.c"
gcc -O2 -I"$root/compiler" -I"$root/runtime" "$root/tests/bench/first_step.c" "$build/libnnrun.a" "$build/libnnc.a" \
	-o first_step -ltcc -ldl -lpthread -ljansson -lz -lm

digits=$(ls "$root"/examples/digits/*.nn | head -n 1)
printf '%-44s' 'digits.nn to C'
./median "$build/nnc" "$digits" -o digits.c
printf '%-44s' 'digits.nn in process, to the first step done'
./median ./first_step "$digits"

# A chain of equal layers: the time per layer must not grow with their number.
for layers in 10 100 1000; do
	cat >layers.nn <<-END
		input  x[16]
		target t[16]
		h = x
		repeat $layers { h = h -> dense(16) -> tanh }
		loss   mse(h, t)
		output h
		train  sgd(lr=0.1)
	END
	printf '%-44s' "$layers layers to C"
	./median "$build/nnc" layers.nn -o layers.c
done
