# nnc check: the gradient of every parameter and input against differences; exit 1 if one is off.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[3]
target k: class[4]
y = x -> hidden: dense(8) -> tanh -> dense(4)
loss   cross_entropy(y, k)
train  sgd(lr=0.1)
END
"$NNC" check net.nn >table || fail "$(cat table)"
for name in hidden.weight hidden.bias dense.weight dense.bias x; do
	grep -q "^ *$name\>" table || fail "check does not name $name: $(cat table)"
done
# a gradient that is made wrong on purpose
sed 's/tanh$/tanh/; s/-> tanh/-> f/; 1i def f(x[..]) = stop(x) * x' net.nn >wrong.nn
code 1 "$NNC" check wrong.nn
# products wide enough for the runtime's own routines, which are there for each type
cat >wide.nn <<'END'
input  image[8, 8]
target k: class[10]
y = image / 16 -> flatten -> dense(64) -> tanh -> dense(10)
loss   cross_entropy(y, k)
END
"$NNC" check wide.nn >table || fail "$(cat table)"
# where the loss does not depend on a parameter an error of 0 says little, so the table says that
cat >flat.nn <<'END'
input x[3]
param dead[2, 3] ~ normal(1)
y = dense(x, 2)
h[i] = sum[j] dead[i, j] * x[j]
loss  sum(y^2) + sum(max(h - 100, 0))
END
"$NNC" check flat.nn >table || fail "$(cat table)"
grep -q '^dead .*every gradient is 0$' table || fail "zeros pass for a check: $(cat table)"
! grep '^dense' table | grep 'gradient is 0' || fail "$(cat table)"
