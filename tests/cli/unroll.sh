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
