# --fp=strict: the same bits in every weight after 100 steps, whatever compiles the C, and in process. One optimising
# compiler a model, in turn; SLOW=1: all of them.
. "$ROOT/tests/lib.sh"
count=0
optimising=('gcc -O3 -march=native' 'clang -O2 -march=native')
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
for model in $(models) draws.nn; do
	# without optimisation large models take their time
	products=$("$NNC" summary "$model" | awk '/^total / { print $3; exit }' | tr -d ,)
	rows=3
	[ "$products" -lt 50000 ] || rows=1
	generate "$model" --fp=strict --batch=$rows
	./in_process 100 "$model" "$rows" >expected || fail "$model: in process"
	compilers=('gcc -O0' tcc)
	if [ -n "${SLOW-}" ]; then
		compilers+=("${optimising[@]}" 'gcc -std=gnu11 -O2 -march=native' 'clang -O3 -march=native' 'clang -O1')
	else
		compilers+=("${optimising[count % 2]}")
	fi
	for cc in "${compilers[@]}"; do
		# shellcheck disable=SC2086
		$cc -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
		./steps 100 >actual || fail "$model: $cc"
		cmp -s expected actual || { diff expected actual | head -n 6; fail "$model: $cc and in process differ"; }
	done
	count=$((count + 1))
done
echo "$count models: the same bits after 100 steps from gcc, clang, tcc and in process"
