# --threads: in strict mode the same weights for any number of them; a note where a batch cannot be split; no races.
. "$ROOT/tests/lib.sh"
moons 'tanh -> dropout(0.1)' 'epochs=2 batch=32'
for n in 1 2 3; do
	"$NNC" train net.nn --data "$data" --fp=strict --quiet --threads=$n -o "$n.w" >result.$n 2>messages || fail "$(cat messages)"
	[ ! -s messages ] || fail "--threads=$n: $(cat messages)"
	cmp 1.w "$n.w" || fail "$n threads, other bits"
	cmp result.1 "result.$n"
done
"$NNC" train net.nn --data "$data" --fp=strict --quiet --threads=2 --jit=cc --cache=none -o cc.w >result.cc
cmp 1.w cc.w || fail "threads and another compiler, other bits"
sed 's/tanh/batchnorm/' net.nn >norm.nn
"$NNC" train norm.nn --data "$data" --quiet --threads=2 -o norm.w >result 2>messages || fail "$(cat messages)"
grep -q "norm.nn: note: trained by one thread: rows of a batch meet in 'batchnorm" messages || fail "$(cat messages)"
"$NNC" train norm.nn --data "$data" --quiet -o plain.w >result
cmp norm.w plain.w || fail "one thread, but not as usual"
code 2 "$NNC" train net.nn --data "$data" --threads=0
code 2 "$NNC" eval net.nn --data "$data" --load 1.w --threads=2
command -v valgrind >/dev/null || exit 0
[ -z "${SANITIZE-}" ] || exit 0
valgrind -q --tool=helgrind --error-exitcode=9 "$NNC" train net.nn --data "$data" --quiet --threads=3 --steps=10 -o h.w >out 2>races ||
	fail "$(head -40 races)"
