# -o writes a pair of files or, to standard output, one; after an error there is no file, and an older one is untouched.
. "$ROOT/tests/lib.sh"
cat >good.nn <<'END'
input  x[3]
target t[2]
y = dense(x, 2)
loss   mse(y, t)
output y
train  sgd(lr=0.1)
END
echo 'loss nothing' >bad.nn

"$NNC" good.nn -o net.c
[ -s net.c ] && [ -s net.h ] || fail "net.c and net.h are not there"
grep -q '#include "net.h"' net.c || fail "net.c does not include net.h"
grep -q 'good_forward' net.h || fail "the names are not the model's"
gcc -std=c99 -c net.c

"$NNC" good.nn -o - >one.c
gcc -std=c99 -c one.c || fail "standard output is not one whole C file"
[ "$(ls | grep -c '^good\.[ch]$')" = 0 ] || fail "-o - wrote files"

"$NNC" good.nn && [ -s good.c ] && [ -s good.h ] || fail "without -o: good.c and good.h are expected"

echo old >kept.c
echo old >kept.h
code 1 "$NNC" bad.nn -o kept.c
[ "$(cat kept.c kept.h)" = "$(printf 'old\nold')" ] || fail "an older output was changed"
code 1 "$NNC" bad.nn -o absent.c
[ ! -e absent.c ] && [ ! -e absent.h ] || fail "an output was left behind"
[ -z "$(ls -A | grep -v '^[a-z]*\.\(nn\|c\|h\|o\|out\)$')" ] || fail "temporary files were left: $(ls -A)"

# no command writes over what it reads
cat >line.nn <<'END'
input  x[2]
target t[1]
y = dense(x, 1)
loss   mse(y, t)
train  sgd(lr=0.1)
END
echo '1,2,3' >data.csv
cp line.nn line.copy
cp data.csv data.copy
"$NNC" train line.nn --data data.csv --quiet -o w >/dev/null
code 2 "$NNC" line.nn -o ./line.nn
code 2 "$NNC" train line.nn --data data.csv -o line.nn
code 2 "$NNC" train line.nn --data data.csv -o data.csv
code 2 "$NNC" train line.nn --data data.csv --test data.copy -o data.copy
code 2 "$NNC" predict line.nn --data data.csv --load w -o data.csv
cmp line.nn line.copy && cmp data.csv data.copy
"$NNC" train line.nn --data data.csv --load w --epochs 3 --quiet -o w >/dev/null
