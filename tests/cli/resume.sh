# A run that is saved in the middle and taken up again ends with the same bits: draws, running statistics, optimiser's
# states, averages, half-collected gradients, a schedule that looks at the last loss.
. "$ROOT/tests/lib.sh"
data=$ROOT/tests/data/moons_train.csv test=$ROOT/tests/data/moons_test.csv
cat >net.nn <<'END'
input  x[2]
target label: class[2]
def noisy(x[..]) {
  if not training { return x }
  y[..] = x[..] + 0.1 * normal() * uniform(0, 2)
  return y
}
y = x -> noisy -> a: dense(8) -> norm: batchnorm -> tanh -> dropout(0.2) -> b: dense(2)
output y
loss   cross_entropy(y, label)
train  adam(lr=reduce_on_plateau(0.02, patience=0, threshold=0.2)) epochs=4 batch=30 seed=3 accumulate=4 average=0.9 clip=1 shuffle=SHUFFLE
train  sgd(lr=cosine(0.1, total=30), momentum=0.9) only "b.*"
END
run() { # OUT TEST STEPS...
	local out=$1 test=$2 load=
	shift 2
	for steps; do
		# shellcheck disable=SC2086
		"$NNC" train model.nn --data "$data" $test --steps "$steps" $load -o "$out" >result 2>log || fail "$(cat log)"
		load="--load $out"
	done
}
for shuffle in yes no; do
	for tested in "" "--test $test"; do
		sed "s/SHUFFLE/$shuffle/" net.nn >model.nn
		run whole.safetensors "$tested" 120
		run parts.safetensors "$tested" 1 17 30 31 75 90 120
		cmp whole.safetensors parts.safetensors || fail "another end after interruptions (shuffle=$shuffle $tested)"
	done
done
# and the noise was there: without it the end is another, and inference has none
sed 's/-> noisy//; s/-> dropout(0.2)//' model.nn >quiet.nn
"$NNC" train quiet.nn --data "$data" --test "$test" --steps 120 -o quiet.safetensors >result 2>&1
cmp -s whole.safetensors quiet.safetensors && fail "no draws"
"$NNC" predict model.nn --data "$test" --weights whole.safetensors >a
"$NNC" predict quiet.nn --data "$test" --weights whole.safetensors >b
cmp a b || fail "draws in inference"
