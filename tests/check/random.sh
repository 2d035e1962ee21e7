# Models of random small equations: their gradients against central differences in __float128.
# SEED=N repeats a run; COUNT=N makes it larger.
. "$ROOT/tests/lib.sh"
seed=${SEED:-1}
count=${COUNT:-${SLOW:+3000}}
echo "seed $seed"
gcc -O1 -o random "$ROOT/tests/check/random.c"
mkdir models
./random "$seed" "${count:-300}" models
(gradients -c "$seed" models/*.nn) >result || {
	cat result
	fail "seed $seed"
}
echo "seed $seed: $(tail -n 1 result)"
