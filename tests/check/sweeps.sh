# A training step, in which updates follow their gradients block by block, leaves what backward and then update do: for
# every rule of the library, and for what needs whole gradients.
. "$ROOT/tests/lib.sh"
rules=$(sed -n 's/^optimizer \([a-z_0-9]*\)(.*/\1(lr=0.01)/p' "$ROOT"/grammar/std/*.nn)
[ -n "$rules" ] || fail "no rules in the library"
count=0
while read -r rule; do
	printf 'input x[71]\ntarget t[5]\nh = x -> a: dense(90) -> relu -> b: dense(203) -> tanh\ny = h -> c: dense(5)
loss mse(y, t)\ntrain %s batch=7\n' "$rule" >net.nn
	"$NNC" net.nn --prefix=m --real=double --fp=strict -o m.c || fail "$rule: not compiled"
	gcc -O1 -march=native -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/sweeps.c" m.c -o sweeps -lm
	./sweeps >out || fail "$rule: $(cat out)"
	count=$((count + 1))
done <<END
$rules
sgd(lr=0.01) clip=0.1
sgd(lr=0.01) clip_value=0.1
adam(lr=0.01) accumulate=2
sgd(lr=0.01, momentum=0.9, decay=0.01) average=0.9
END
echo "$count rules: a step is backward and update, to the bit"
