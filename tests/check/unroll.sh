# Code written out in full and code in loops give the same numbers.
. "$ROOT/tests/lib.sh"
count=0 exact=0
for model in $(models); do
	generate "$model" --fp=strict --batch=5 --unroll=none
	gcc -O1 -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
	./steps 20 >loops
	# past the limit `all` is refused, and says so
	(generate "$model" --fp=strict --batch=5 --unroll=all) >messages 2>&1 || {
		grep -q unroll messages || { cat messages; fail "$model"; }
		continue
	}
	gcc -O1 -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
	./steps 20 >unrolled
	same "$model" loops unrolled 1e-5
	! cmp -s loops unrolled || exact=$((exact + 1))
	count=$((count + 1))
done
[ $count -gt 0 ] || fail "no model is small enough for --unroll=all"
echo "$count models unrolled: the numbers of the loops, $exact of them to the bit"
