# Code written out in full and code in loops give the same numbers. (By tcc, which is quick; strict.sh has its bits equal
# to those of other compilers.)
. "$ROOT/tests/lib.sh"
count=0 exact=0
tcc -c -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" -o steps.o
for model in $(models); do
	# written out, a model of more than some thousand products takes a C compiler minutes
	products=$("$NNC" summary "$model" | awk '/^total / { print $3; exit }' | tr -d ,)
	[ "$products" -lt 3000 ] || continue
	for unroll in none all; do
		generate "$model" --fp=strict --batch=3 --unroll=$unroll
		tcc -c m.c -o m.o
		tcc steps.o m.o -o steps -lm
		./steps 20 >$unroll
	done
	same "$model" none all 1e-5
	! cmp -s none all || exact=$((exact + 1))
	count=$((count + 1))
done
[ $count -gt 5 ] || fail "$count models are small enough"
echo "$count models unrolled: the numbers of the loops, $exact of them to the bit"
