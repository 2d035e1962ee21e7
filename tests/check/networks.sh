# Random networks from the library: gradients against differences in __float128, the simplified graph and the C in process
# against that, and in process against C compilers. SEED=N draws others; COUNT=N makes it larger.
. "$ROOT/tests/lib.sh"
seed=${SEED:-1}
echo "seed $seed"
awk -v seed="$seed" -v count="${COUNT:-${SLOW:+1000}}" -f "$ROOT/tests/check/networks.awk" >networks
# Wide enough for tiles, and for channels to come last.
echo 'wide: input x[3, 8, 8]; target t[5]; h = x -> conv2d(16, 3, pad=1) -> relu -> maxpool2d(2) -> conv2d(16, 3, stride=2, pad=1) -> silu; y = h -> flatten -> dense(5); output y; loss mse(y, t); train sgd(lr=0.05) batch=3' >>networks
build_quad
./quad -c networks "$seed" >result || { cat result; fail "seed $seed"; }
gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
count=0 names=()
while read -r line; do
	name=n$count
	sed 's/^[^:]*: //; s/; */\n/g' <<<"$line" >$name.nn
	generate_as $name $name.nn --fp=strict --batch=3
	# the first ones by gcc, and so with tiles, which takes it longer
	cc='gcc -O0'
	[ $count -lt 20 ] || cc=tcc
	$cc -c $name.c -o $name.o
	names+=("$name")
	count=$((count + 1))
done <networks
link_steps steps 'gcc -O1' "${names[*]/%/.o}" "${names[@]}"
for name in "${names[@]}"; do
	./steps 5 $name >compiled
	./in_process 5 $name.nn 3 >direct || fail "seed $seed: $(cat $name.nn)"
	cmp -s compiled direct || fail "seed $seed: in process and compiled differ: $(cat $name.nn)"
done
grep -q 'x.turned' $name.c || fail "the channels of the wide network do not come last"
grep -q 'x.turned.operand\[.*= if' $name.c || fail "what a window of the wide network reads is not made within its border"
echo "seed $seed: $(tail -n 1 result); $count to the bit as compilers have them"
