# Damaged models never crash the compiler: it reports an error or gives a model. SEED=N repeats a run.
. "$ROOT/tests/lib.sh"
seed=${SEED:-1}
echo "seed $seed"
gcc -g -O1 -Wall -Wextra -I"$ROOT/compiler" "$ROOT/tests/check/mutate.c" "$B/libnnc.a" ${SANITIZE-} -o mutate -lm
timeout 100 ./mutate "$seed" "${COUNT:-1500}" $(models) "$ROOT"/tests/{graph,pass,error}/*.nn >result 2>&1 || {
	code=$?
	cat result
	head -c 3000 mutant
	fail "exit code $code with seed $seed (the model above)"
}
echo "seed $seed: $(tail -n 1 result)"
