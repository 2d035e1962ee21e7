# Metrics over a whole set as nnc eval prints them: numbers, a vector, a matrix; against the predictions themselves.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[2]
target label: class[2]
z = x -> a: dense(8) -> tanh -> b: dense(2)
p = softmax(z)[1]
output z, p
loss   cross_entropy(z, label)
metric accuracy(z, label), auc(p, real(label), bins=10000), r2(p, real(label))
metric recall(z, label), confusion(z, label)
train  adam(lr=0.01) epochs=4 batch=32 seed=3
END
data=$ROOT/tests/data/moons_train.csv test=$ROOT/tests/data/moons_test.csv
"$NNC" train net.nn --data "$data" -o w.safetensors >log 2>&1 || fail "$(cat log)"
"$NNC" eval net.nn --data "$test" --weights w.safetensors >result || fail "eval"
"$NNC" predict net.nn --data "$test" --weights w.safetensors >predictions || fail "predict"
grep -v '^#' "$test" | grep '^[-0-9.]' | sed 's/.*,//' | paste -d, predictions - | awk -F, '
{ p[NR] = $3; y[NR] = $4; guess = $2 > $1; count[$4, guess]++; hit += guess == $4; mean += $4 }
END {
	mean /= NR
	for (i = 1; i <= NR; i++) {
		rest += (y[i] - p[i])^2; spread += (y[i] - mean)^2
		for (j = 1; j <= NR; j++)
			if (y[i] == 1 && y[j] == 0) { pairs++; won += p[i] > p[j] ? 1 : p[i] == p[j] ? 0.5 : 0 }
	}
	printf "accuracy %.4f\nauc %.4f\nr2 %.4f\n", hit / NR, won / pairs, 1 - rest / spread
	printf "recall %.4f %.4f\n", count[0, 0] / (count[0, 0] + count[0, 1]), count[1, 1] / (count[1, 0] + count[1, 1])
	printf "confusion\n %2d %2d\n %2d %2d\n", count[0, 0], count[0, 1], count[1, 0], count[1, 1]
}' >want
sed -n '2,$p' result | awk '/^(confusion| )/ { print; next } { printf "%s", $1; for (i = 2; i <= NF; i++) printf " %.4f", $i; print "" }' >got
diff want got || fail "metrics differ from what the predictions say"
# other sizes of a call, the same results
"$NNC" eval net.nn --data "$test" --weights w.safetensors --batch 7 >small || fail "eval --batch"
diff result small || fail "another batch gives other metrics"
