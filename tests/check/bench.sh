# The bench runs without peers, finds nnc's answers right, and finds out a wrong one.
. "$ROOT/tests/lib.sh"
[ -z "${SANITIZE-}" ] || skip "the bench is built without sanitizers"
W=W1,W6 QUICK=1 SAMPLES=1 PEERS=0 bash "$ROOT/tests/bench/run.sh" "$B" "$PWD" >out 2>&1 || { cat out; fail "make bench"; }
for program in 'nnc by gcc -O2' 'nnc in process (tcc)' 'C by hand'; do
	grep -q "\"$program\", \"right\": true" result.json || { cat result.json; fail "$program"; }
done
grep -q 'W1 train 1 .* C by hand' out || { cat out; fail "no goals"; }
grep -q '</svg>' result.svg || fail "no picture"

# Answers that are off by a ten-thousandth are none.
awk '$1 == "W1" { for (k = 4; k <= NF; k++) $k = $k * 1.0001 } 1' "$ROOT/tests/bench/answers.txt" >answers
grep '^program' plan >plan1
./bench -q -n 1 -w W1 plan1 "$ROOT/tests/bench/rows.txt" answers data wrong >out && fail "a wrong answer passed"
grep -q WRONG out && ! grep -q 'right": true' wrong.json || { cat out; fail "wrong answers are not shown"; }
grep -c WRONG out
