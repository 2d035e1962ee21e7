# --weights=embed --load: the weights are constants of the C file, and forward takes them as they are.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[3], word: class[4]
target kind: class[2]
layer  table = embedding(4, 2)
frozen param gain[2] = 2.5
logits = (concat(x, table(word)) -> dense(5) -> batchnorm -> relu -> dense(2)) * round(gain)
output p = softmax(logits)
loss   cross_entropy(logits, kind)
train  adam(lr=0.01) batch=4 seed=2
END
printf '%s\n' 0.5,-1,2,0,1 1,1,0,3,0 -2,0.25,1,1,1 0,0,0,2,0 3,2,1,0,1 >data.csv
cat >main.c <<'END'
#include "net.h"
#include <stdio.h>
int main(void)
{
	static const float x[5][3] = {{.5f, -1, 2}, {1, 1, 0}, {-2, .25f, 1}, {0, 0, 0}, {3, 2, 1}};
	static const int32_t word[5] = {0, 3, 1, 2, 0};
	float p[2];
	for (int row = 0; row < 5; row++) {
		net_work1 work;
		net_forward1(&net_weights, KEPT x[row], &word[row], p, &work);
		printf("%.9g,%.9g\n", p[0], p[1]);
	}
	return 0;
}
END
close() { paste -d, "$1" "$2" | awk -F, '{ for (i = 1; i <= 2; i++) if (($i - $(i + 2))^2 > 1e-10) { print; bad = 1 } } END { exit bad || NR != 5 }'; }
try() {
	"$NNC" train net.nn --data data.csv --epochs 20 --quiet -o w.safetensors >/dev/null
	"$NNC" predict net.nn --data data.csv --load w.safetensors >expected
	for options in '' '--inference-only' '--inference-only --real=double' '--inference-only --fp=strict --unroll=none'; do
		# shellcheck disable=SC2086
		"$NNC" net.nn --weights=embed --load w.safetensors $options -o net.c
		real=float
		[[ $options != *double* ]] || real=double
		kept=$(grep -q net_kept net.h && echo '\&net_kept,' || true)
		sed "s/float/$real/g; s/KEPT/$kept/; s/\([0-9]\)f/\1/g" main.c >run.c
		for cc in gcc clang tcc; do
			$cc -std=c99 run.c net.c -o run -lm
			./run >actual
			close expected actual || fail "$options $cc: other outputs: $(paste expected actual)"
		done
	done
}
try
# what batchnorm keeps goes with the weights
grep -q 'const net_params net_weights = ' net.c && grep -q 'const net_state net_kept = ' net.c || fail "no weights in net.c"
gcc -std=c99 -Wall -Wextra -Wconversion -Werror -c net.c
nm net.o | grep -q ' R net_weights' && nm net.o | grep -q ' R net_kept' || fail "the weights are not constant"
# or into them, where nothing is trained: before an activation, but not behind one
"$NNC" net.nn --weights=embed --load w.safetensors --inference-only -o net.c
! grep -q 'running\|net_kept' net.c net.h || fail "the normalisation is still there"
grep -q 'net_init(net_params \*params' net.c && grep -q '\*params = net_weights' net.c || fail "init without the weights"
cat >image.nn <<'END'
input  x[2, 5, 5]
target label: class[2]
def scaled(x[c, ..]) {
  param gamma[c] = 0.5
  y[i, ..] = x[i, ..] * gamma[i]
  return y
}
y = x -> conv2d(4, 3, pad=1, bias=no) -> batchnorm -> relu -> depthwise_conv2d(2, multiplier=2) -> batchnorm -> silu
y = y -> conv2d(4, 2, groups=2) -> batchnorm -> conv_transpose2d(3, 2) -> batchnorm -> scaled -> relu -> batchnorm
logits = flatten(y) -> dense(4) -> batchnorm -> gelu -> dense(2)
output p = softmax(logits)
loss   cross_entropy(logits, label)
train  adam(lr=0.01) batch=5 seed=3
END
awk 'BEGIN { for (i = 0; i < 10; i++) { for (k = 0; k < 50; k++) printf "%.3f,", sin(i * 7 + k * k) + i / 5; print i % 2 } }' >data.csv
"$NNC" train image.nn --data data.csv --epochs 20 --quiet -o i.safetensors >/dev/null
"$NNC" predict image.nn --data data.csv --load i.safetensors --fp=strict | head -n 5 >expected # as it is written
"$NNC" predict image.nn --data data.csv --load i.safetensors | head -n 5 >actual
close expected actual || fail "fast: $(paste expected actual)"
"$NNC" image.nn --weights=embed --load i.safetensors --inference-only --prefix=net -o net.c
[ "$(grep -c 'float .*running_' net.h)" = 1 ] || fail "of the normalisations one is behind a relu: $(grep running net.h)"
sed "s/KEPT/\&net_kept,/; s/x\[5\]\[3\] = .*/x[5][50] = {/; s/, &word\[row\]//; /int32_t/d; /x\[5\]/r /dev/stdin" main.c >run.c < <(
	head -n 5 data.csv | sed 's/\([^,]*\),[^,]*$/\1},/; s/^/{/'
	echo '};'
)
gcc -std=c99 run.c net.c -o run -lm
./run >actual
close expected actual || fail "image: other outputs: $(paste expected actual)"
sed -i 's/ -> batchnorm//' net.nn
printf '%s\n' 0.5,-1,2,0,1 1,1,0,3,0 -2,0.25,1,1,1 0,0,0,2,0 3,2,1,0,1 >data.csv
try
! grep -q net_kept net.c net.h || fail "a state of nothing"
# both words are needed, and the file must be the model's
code 2 "$NNC" net.nn --weights=embed -o other.c
code 2 "$NNC" net.nn --load w.safetensors -o other.c
code 3 "$NNC" net.nn --weights=embed --load absent -o other.c
sed 's/dense(5)/dense(6)/' net.nn >wider.nn
code 1 "$NNC" wider.nn --weights=embed --load w.safetensors -o other.c
says 'dense.weight' "$NNC" wider.nn --weights=embed --load w.safetensors -o other.c
[ ! -e other.c ] && [ ! -e other.h ] || fail "a file was left"
