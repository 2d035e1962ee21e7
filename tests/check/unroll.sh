# Code written out in full and code in loops give the same numbers.
. "$ROOT/tests/lib.sh"
count=0 exact=0
for model in $(models); do
	# written out, a model of more than some thousand products takes a C compiler minutes
	products=$("$NNC" summary "$model" | awk '/^total / { print $3; exit }' | tr -d ,)
	[ "$products" -lt 3000 ] || continue
	generate "$model" --fp=strict --batch=3 --unroll=none
	gcc -O0 -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
	./steps 20 >loops
	generate "$model" --fp=strict --batch=3 --unroll=all
	gcc -O0 -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
	./steps 20 >unrolled
	same "$model" loops unrolled 1e-5
	! cmp -s loops unrolled || exact=$((exact + 1))
	count=$((count + 1))
done
[ $count -gt 5 ] || fail "$count models are small enough"
echo "$count models unrolled: the numbers of the loops, $exact of them to the bit"
