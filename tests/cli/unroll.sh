# --unroll=all is honoured up to a limit; beyond it the count is said, soon, and nothing is written.
. "$ROOT/tests/lib.sh"
cat >small.nn <<'END'
input  x[3]
target t[2]
y = dense(x, 2)
loss   mse(y, t)
train  sgd(lr=0.1)
END
"$NNC" --unroll=all small.nn -o small.c
! grep -q 'for (int [^b]' <(sed -n '/^static void.*y_sum\|^static void.*compute_y(/,/^}/p' small.c) || fail "a loop is left: $(cat small.c)"
sed 's/x\[3\]/x[784]/; s/dense(x, 2)/x -> dense(500) -> relu -> dense(2)/' small.nn >large.nn
code 1 timeout 10 "$NNC" --unroll=all large.nn -o large.c
[ ! -e large.c ] || fail "large.c was written"
grep -q '[0-9][0-9,]*' code.out || fail "no count: $(cat code.out)"
# the steps of a scan, too: each a call with its number
cat >steps.nn <<'END'
input  x[7, 2]
target t
param  w[3, 3] ~ normal(0.5), v[3, 2] ~ normal(0.5)
scan s < 7, h[3] = 0.1 {
  h'[i] = tanh(sum[j] w[i, j] * h[j] + sum[k] v[i, k] * x[s, k])
  scan r < 4, q[3] = h { q' = tanh(q) }
  e = sum(q)
}
loss   mse(sum(h) + sum(e), t)
output y = sum(e)
train  sgd(lr=0.1)
END
for i in 1 2 3 4 5; do echo "$i,1,-2,0.5,$i,0.25,0,1,-1,2,1,0.5,$i,1,$i"; done >steps.csv
"$NNC" --unroll=all steps.nn -o steps.c
! grep -q 'for (int [^b]' <(sed -n '/^void\|^float/,/^}/p' steps.c) || fail "steps are left"
for unroll in all none; do "$NNC" train steps.nn --data steps.csv --epochs 3 --unroll=$unroll -o w.safetensors >$unroll; done
cmp all none || fail "other losses with steps written out"
for cc in gcc clang tcc; do $cc -std=c99 -c steps.c; done
sed 's/7/70000/; s/< 7/< 70000/' steps.nn >long.nn
code 1 timeout 10 "$NNC" --unroll=all long.nn -o long.c
