# --threads: in strict mode the same weights for any number of them; a note where a batch cannot be split; no races. A step is
# shared, or where weights are used again and again its batch is split; each has enough to do for three threads.
. "$ROOT/tests/lib.sh"
moons 'tanh -> wide: dense(1400) -> back: dense(64) -> dropout(0.1)' 'epochs=2 batch=64'
mv net.nn shared.nn
moons 'tanh -> dropout(0.1)' 'epochs=2 batch=64'
sed 's/ -> dropout/ -> into: dense(48) -> turns -> dropout/' net.nn >split.nn
cat >>split.nn <<-'END'
	def turns(z[n]) {
	  param u[n, n] ~ normal(0.1)
	  scan t < 20, h[n] = 0 { h'[i] = tanh(z[i] + sum[j] u[i, j] * h[j]) }
	  return h
	}
END
for net in shared split; do
	for n in 1 2 3; do
		"$NNC" train $net.nn --data "$data" --fp=strict --quiet --threads=$n -o "$n.w" >result.$n 2>messages || fail "$(cat messages)"
		[ ! -s messages ] || fail "$net --threads=$n: $(cat messages)"
		cmp 1.w "$n.w" || fail "$net, $n threads, other bits"
		cmp result.1 "result.$n"
	done
	"$NNC" train $net.nn --data "$data" --fp=strict --quiet --threads=2 --jit=cc --cache=none -o cc.w >result.cc
	cmp 1.w cc.w || fail "$net, threads and another compiler, other bits"
done
"$NNC" shared.nn --fp=strict --threads=3 -o - | grep -q 'meet(team)' || fail "the step is not shared"
# threads meet between what is made of samples and what is made of all of them, and at the end
for net in "$ROOT/tests/bench/W3.nn" "$ROOT/tests/run/team.nn"; do
	met=$("$NNC" "$net" --threads=3 -o - | grep -c 'meet(team)')
	[ "$met" = 2 ] || fail "threads meet $met times in a step of $net"
done
"$NNC" split.nn --fp=strict --threads=3 -o - | grep -q 'meet(team)' && fail "the batch is not split"
"$NNC" train shared.nn --data "$data" --fp=strict --quiet -o alone.w >result
"$NNC" train shared.nn --data "$data" --fp=strict --quiet --threads=3 -o 3.w >result
cmp alone.w 3.w || fail "a shared step, other bits than alone"
# rows meet: a step can be shared, a batch not be split
sed 's/tanh/batchnorm/' shared.nn >normed.nn
for n in '' --threads=1 --threads=3; do
	"$NNC" train normed.nn --data "$data" --fp=strict --quiet $n -o "normed$n.w" >result 2>messages || fail "$(cat messages)"
	[ ! -s messages ] || fail "normed.nn $n: $(cat messages)"
	cmp normed.w "normed$n.w" || fail "$n and batch normalisation, other bits"
done
sed '/ a: /s/tanh/batchnorm/' split.nn >norm.nn
"$NNC" train norm.nn --data "$data" --quiet --threads=2 -o norm.w >result 2>messages || fail "$(cat messages)"
grep -q "norm.nn: note: trained by one thread: rows of a batch meet in 'batchnorm" messages || fail "$(cat messages)"
"$NNC" train norm.nn --data "$data" --quiet -o plain.w >result
cmp norm.w plain.w || fail "one thread, but not as usual"
code 2 "$NNC" train net.nn --data "$data" --threads=0
code 2 "$NNC" eval net.nn --data "$data" --load 1.w --threads=2
[ -z "${SANITIZE-}" ] || exit 0
# what threads of generated code touch between two meetings
"$NNC" "$ROOT/tests/run/team.nn" --threads=3 -o team.c
if gcc -std=c99 -O1 -fsanitize=thread -I. "$ROOT/tests/run/team.c" team.c -o team -lm 2>errors; then
	./team 1 3 >races 2>&1 || fail "$(head -40 races)"
fi
command -v valgrind >/dev/null || exit 0
for net in shared split; do
	valgrind -q --tool=helgrind --error-exitcode=9 "$NNC" train $net.nn --data "$data" --quiet --threads=3 --steps=2 -o h.w >out 2>races ||
		fail "$(head -40 races)"
done
