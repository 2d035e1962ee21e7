# 0 done, 1 errors in the input, 2 usage, 3 files that cannot be read or written. Messages go to standard error.
. "$ROOT/tests/lib.sh"
printf 'input x[2]\nparam w[2] ~ normal\nloss sum(w * x)\n' >good.nn
printf 'loss y\n' >bad.nn
code 0 "$NNC" good.nn -o good.c
code 1 "$NNC" bad.nn -o bad.c
code 2 "$NNC"
code 2 "$NNC" --no-such-option good.nn
code 2 "$NNC" --real=half good.nn -o good.c
code 2 "$NNC" --batch=0 good.nn -o good.c
code 2 "$NNC" --batch=many good.nn -o good.c
code 2 "$NNC" --emit=prose good.nn -o good.c
code 2 "$NNC" --unroll=some good.nn -o good.c
code 2 "$NNC" --dump=lunch good.nn
code 2 "$NNC" -o
code 2 "$NNC" good.nn -o
code 2 "$NNC" good.nn -D
code 2 "$NNC" good.nn --verify=3
code 2 "$NNC" good.nn another.nn -o good.c
code 2 "$NNC" --prefix=3x good.nn -o good.c
code 2 "$NNC" --prefix=while good.nn -o good.c
code 2 "$NNC" train
code 2 "$NNC" train good.nn # it has an input
code 3 "$NNC" absent.nn -o good.c
code 3 "$NNC" good.nn -o absent/good.c
code 3 "$NNC" . -o good.c
code 0 "$NNC" --help
code 0 "$NNC" --version
# enough errors are enough
for i in $(seq 1200); do echo "y$i = $i $i"; done >many.nn
code 1 "$NNC" many.nn -o many.c
"$NNC" many.nn -o many.c 2>&1 | grep -q 'note: 980 more errors are not shown, and the rest of the text is not looked at' ||
	fail "1200 errors"
"$NNC" bad.nn -o bad.c >stdout 2>stderr || true
[ ! -s stdout ] && [ -s stderr ] || fail "messages belong on standard error"
if [ -w /dev/full ]; then
	"$NNC" good.nn -o - >/dev/full 2>/dev/null && fail "a full disk goes unnoticed"
	[ $? = 3 ] || fail "a full disk is not exit code 3"
	says 'No space left' "$NNC" good.nn -o /dev/full
fi
