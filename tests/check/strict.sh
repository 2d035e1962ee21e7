# --fp=strict: the same bits in every weight after 100 steps, whatever compiles the C, and in process; no warnings, those of
# the flow of values among them. One optimising compiler a model, in turn; SLOW=1: all of them.
. "$ROOT/tests/lib.sh"
compilers=('gcc -O0' tcc 'gcc -O3 -march=native' 'clang -O2 -march=native')
[ -z "${SLOW-}" ] || compilers+=('gcc -std=gnu11 -O2 -march=native' 'clang -O3 -march=native' 'clang -O1')
gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
# draws of a row, of whole tensors, and of so few elements that each is drawn alone
cat >draws.nn <<'END'
input x[8]
target y: class[3]
param bump[300] ~ normal(0.5)
h = x -> dense(30) -> relu -> dropout(0.3)
noise[i] = bump[i] + 0.1 * uniform()
logits = h -> dense(3) -> dropout(0.1)
loss cross_entropy(logits + sum(noise), y)
output logits
train adam(lr=0.01) batch=3
END
count=0
for model in $(models) draws.nn; do
	# without optimisation large models take their time
	products=$("$NNC" summary "$model" | awk '/^total / { print $3; exit }' | tr -d ,)
	rows=3
	[ "$products" -lt 50000 ] || rows=1
	name=m$count
	generate_as $name "$model" --fp=strict --batch=$rows
	./in_process 100 "$model" "$rows" >$name.expected || fail "$model: in process"
	for k in "${!compilers[@]}"; do
		[ "$k" -lt 2 ] || [ -n "${SLOW-}" ] || [ "$k" = $((2 + count % 2)) ] || continue
		cc="${compilers[k]} -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
		# shellcheck disable=SC2086
		${cc/#tcc */tcc -Wall -Werror} -c $name.c -o $name.$k.o || fail "$model: $cc"
		echo "$name $model" >>compiled.$k
	done
	count=$((count + 1))
done
for k in "${!compilers[@]}"; do
	# shellcheck disable=SC2046
	link_steps steps "gcc -O1" "$(echo ./*."$k".o)" $(cut -d' ' -f1 compiled."$k")
	while read -r name model; do
		./steps 100 $name >actual || fail "$model: ${compilers[k]}"
		cmp -s $name.expected actual || {
			diff $name.expected actual | head -n 6
			fail "$model: ${compilers[k]} and in process differ"
		}
	done <compiled."$k"
done
echo "$count models: the same bits after 100 steps from gcc, clang, tcc and in process"
