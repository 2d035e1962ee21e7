# Random networks from the library: gradients against differences in __float128, the simplified graph and the C in process
# against that, and in process against gcc. SEED=N draws others; COUNT=N makes it larger.
. "$ROOT/tests/lib.sh"
seed=${SEED:-1}
echo "seed $seed"
awk -v seed="$seed" -v count="${COUNT:-${SLOW:+1000}}" -f "$ROOT/tests/check/networks.awk" >networks
build_quad
./quad -c networks "$seed" >result || { cat result; fail "seed $seed"; }
gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
gcc -O0 -DMODEL=m_model -I"$ROOT/runtime" -c "$ROOT/tests/check/steps.c"
count=0
while read -r line; do
	sed 's/^[^:]*: //; s/; */\n/g' <<<"$line" >net.nn
	generate net.nn --fp=strict --batch=3
	# the first ones with tiles, which take gcc longer
	# shellcheck disable=SC2046
	gcc -O0 $([ $count -lt 20 ] || echo -DNN_PLAIN_LOOPS) steps.o m.c -o steps -lm
	./steps 5 >compiled
	./in_process 5 net.nn 3 >direct || fail "$line"
	cmp -s compiled direct || fail "seed $seed: in process and gcc differ: $line"
	count=$((count + 1))
done <networks
echo "seed $seed: $(tail -n 1 result); $count to the bit as gcc's"
