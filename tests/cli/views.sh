# --emit=graph|dot, --dump, summary: views of one model.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[3]
target k: class[4]
y = x -> hidden: dense(8) -> relu -> dense(4)
loss   cross_entropy(y, k)
metric accuracy(y, k)
output y
train  sgd(lr=0.1)
END
"$NNC" --emit=graph net.nn -o - >graph
for part in 'part forward' 'part inference' 'part backward' 'part update' 'hidden.weight'; do
	grep -q "$part" graph || fail "--emit=graph lacks $part: $(cat graph)"
done
"$NNC" --emit=dot net.nn -o net.dot
head -n 1 net.dot | grep -q digraph || fail "--emit=dot"
for pass in elaborate differentiate simplify; do
	"$NNC" --dump=$pass net.nn >"$pass" 2>/dev/null
	grep -q 'part forward' $pass || fail "--dump=$pass: $(cat $pass)"
done
! grep -q 'part backward' elaborate || fail "there is a backward part before the chain rule"
grep -q 'part backward' differentiate || fail "there is no backward part after the chain rule"
"$NNC" summary net.nn >summary
grep -q '^hidden  *8  *32  *24 ' summary && grep -q '^dense  *4  *36  *32 ' summary &&
	grep -q '^total  *68 ' summary || fail "summary: $(cat summary)"
