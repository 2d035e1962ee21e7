# States that are carried from batch to batch, with rows in their order: training, evaluation and prediction.
. "$ROOT/tests/lib.sh"
# a running sum; nothing but the carried state can know it
cat >sum.nn <<'END'
input  x
target t
state  total[batch] = 0
param  gain = 0.5
y = gain * (total + x)
total' = total + x
output y
loss   mse(y, t)
metric largest = max[data] abs(y - t), r2(y, t)
train  sgd(lr=0.002) epochs=200 batch=1 shuffle=no
END
awk 'BEGIN { for (i = 1; i <= 10; i++) { x = i % 5 - 2; total += x; printf "%d,%d\n", x, total } }' >data.csv
"$NNC" train sum.nn --data data.csv -o w.safetensors >result 2>log || fail "$(cat log)"
# the ten rows sum to 0, so each epoch starts from 0: the gain is learnt only with the state carried
"$NNC" eval sum.nn --data data.csv --load w.safetensors --batch 1 >result
awk '$1 == "loss" && $2 < 1e-6 { found = 1 } END { exit !found }' result || fail "training does not carry the state on: $(cat result)"
awk 'BEGIN { for (i = 1; i <= 10; i++) { x = i % 5 - 2; total += x; print total } }' >want
cat >read.nn <<'END'
input  x
target t
state  total[batch] = 0
y = total + x
total' = total + x
output y
metric largest = max[data] abs(y - t), r2(y, t), middle = mean[data] y
train  none() batch=1
END
sed -i '/^train/d' read.nn
"$NNC" predict read.nn --data data.csv --batch 1 --load w.safetensors 2>warnings >got || fail predict
cmp got want || fail "prediction does not carry the state on"
"$NNC" eval read.nn --data data.csv --batch 1 --load w.safetensors 2>warnings >result || fail eval
grep -qx 'largest 0' result && grep -qx 'r2 1' result || fail "evaluation does not carry the state on: $(cat result)"
# and leaves it where it was
"$NNC" eval read.nn --data data.csv --batch 1 --load w.safetensors 2>warnings | cmp - result || fail "eval is not repeatable"
