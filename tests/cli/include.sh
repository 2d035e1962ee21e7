# include: found beside the file that includes, once whoever names it, with the way there in messages; -D on the line.
. "$ROOT/tests/lib.sh"
mkdir -p lib/deep
cat >lib/a.nn <<'END'
include "deep/b.nn"
include "../net.nn"
def twice(x[..]) = half(half(4 * x)) * 2
END
cat >lib/deep/b.nn <<'END'
include "../a.nn"
const K = 2
def half(x[..]) = 0.5 * x
END
cat >net.nn <<'END'
include "lib/a.nn"
include "./lib/deep/b.nn"
input  x[3]
target t[2]
y = twice(x) -> read: dense(K)
loss   mse(y, t)
END
"$NNC" -MD net.nn -o net.c
grep -q 'lib/a.nn' net.d && grep -q 'lib/deep/b.nn' net.d || fail "net.d: $(cat net.d)"
(cd lib && "$NNC" ../net.nn -o out.c)
cmp net.c lib/out.c 2>/dev/null || diff net.c lib/out.c | grep -v include | grep '^[<>]' && fail "another folder, other C"

# a block of statements that training and inference both run, once each
cat >body.nn <<'END'
h = x -> first: dense(4) -> relu
END
cat >two.nn <<'END'
input  x[3]
include "body.nn"
include "body.nn"
output h
END
"$NNC" two.nn -o two.c

# the message says where the text is and how it came in
echo 'def half(x[..]) = 0.5 * y' >lib/deep/b.nn
says 'lib/deep/b.nn:1:25: error' "$NNC" net.nn -o bad.c
says 'lib/a.nn:1:1: note: included here' "$NNC" net.nn -o bad.c
says 'net.nn:1:1: note: included here' "$NNC" net.nn -o bad.c
[ ! -e bad.c ] || fail "a file was left"
mkdir empty_folder
echo 'include "empty_folder"' >folder.nn
code 1 "$NNC" folder.nn -o bad.c
says 'cannot read' "$NNC" folder.nn -o bad.c
