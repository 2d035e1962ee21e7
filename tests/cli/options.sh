# -D, -I, -MD, --prefix, --batch, --real, --inference-only, -W: each does what it says.
. "$ROOT/tests/lib.sh"
mkdir parts
echo 'def twice(x[..]) = 2 * x' >parts/twice.nn
cat >net.nn <<'END'
include "twice.nn"
const N = 3
input  x[N]
target t[2]
y = twice(x) -> dense(2)
loss   mse(y, t)
output y
train  sgd(lr=0.1) batch=16
END
says 'twice.nn' "$NNC" net.nn -o net.c
code 1 "$NNC" net.nn -o net.c

"$NNC" -I parts -MD net.nn -o net.c
grep -q 'net.c.*:.*net.nn' net.d && grep -q 'parts/twice.nn' net.d || fail "net.d: $(cat net.d)"
grep -q '16' net.h || fail "the batch of the train line is not in the header"

"$NNC" -I parts -D N=5 net.nn -o five.c --prefix=five
grep -q 'five_init' five.h && grep -q '\[2\]\[5\]' five.h || fail "-D N=5 or --prefix: $(cat five.h)"
"$NNC" -Iparts -DN=6 net.nn -o - | grep -q '\[2\]\[6\]' || fail "-DN=6"

"$NNC" -I parts --batch=7 net.nn -o seven.c
grep -q '7' seven.h || fail "--batch=7"

"$NNC" -I parts --real=double net.nn -o d.c
grep -q 'double' d.h && ! grep -q 'float ' d.h || fail "--real=double"

"$NNC" -I parts --inference-only net.nn -o i.c
! grep -q 'backward' i.h || grep -q 'forward' i.h || fail "--inference-only"
gcc -std=c99 -c i.c
! nm i.o | grep -E '_(backward|step|update)$' || fail "--inference-only has training code"

# a file's name need not be an identifier
cp net.nn 2-layer.net.nn
"$NNC" -I parts 2-layer.net.nn -o odd.c
gcc -std=c99 -c odd.c || fail "a prefix from an odd file name"

# --target: one machine's plan, and a clear word to the compiler of another one
sed 's/N = 3/N = 64/; s/dense(2)/dense(64) -> dense(2)/' net.nn >wide.nn
"$NNC" -I parts wide.nn -o auto.c
warnings='-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
for machine in 'avx512 -mavx512f' 'avx2 -mavx2 -mfma' 'sse2 -msse2'; do
	"$NNC" -I parts --target="${machine%% *}" wide.nn -o one.c
	[ "$(wc -l <one.c)" -lt "$(wc -l <auto.c)" ] && ! grep -q 'TILE_PICK' one.c || fail "--target=$machine is not shorter"
	code 1 tcc -c one.c -o one.o
	grep -qF -- "--target=${machine%% *}" code.out || fail "tcc: $(cat code.out)"
	[ "$(uname -m)" = x86_64 ] || continue
	# shellcheck disable=SC2086
	gcc -O1 ${machine#* } $warnings -c one.c -o one.o && clang -O1 ${machine#* } $warnings -c one.c -o one.o || fail "--target=$machine"
	[ "$machine" != 'sse2 -msse2' ] || continue # every x86-64 has it
	code 1 gcc -c one.c -o one.o
	grep -qF -- "${machine#* }" code.out || fail "gcc: $(cat code.out)"
done
"$NNC" -I parts --target=scalar wide.nn -o plain.c
! grep -q 'tile' plain.c || fail "--target=scalar has tiles"
grep -q 'march=native' auto.h && ! grep -q 'march' one.h plain.h || fail "a header tells of wider vectors where there are none, or not"
tcc -Wall -Werror -c plain.c
code 2 "$NNC" -I parts --target=avx wide.nn -o plain.c
