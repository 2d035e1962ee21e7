# --weights=embed --load: the weights are constants of the C file, and forward takes them as they are.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[3], word: class[4]
target kind: class[2]
layer  table = embedding(4, 2)
logits = concat(x, table(word)) -> dense(5) -> batchnorm -> relu -> dense(2)
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
try() { # C before the arguments of a call
	"$NNC" train net.nn --data data.csv --epochs 20 --quiet -o w.safetensors >/dev/null
	"$NNC" predict net.nn --data data.csv --load w.safetensors >expected
	for options in '' '--inference-only' '--inference-only --real=double' '--inference-only --fp=strict --unroll=none'; do
		# shellcheck disable=SC2086
		"$NNC" net.nn --weights=embed --load w.safetensors $options -o net.c
		real=float
		[[ $options != *double* ]] || real=double
		sed "s/float/$real/g; s/KEPT/$1/; s/\([0-9]\)f/\1/g" main.c >run.c
		for cc in gcc clang tcc; do
			$cc -std=c99 run.c net.c -o run -lm
			./run >actual
			close expected actual || fail "$options $cc: other outputs: $(paste expected actual)"
		done
	done
}
# what batchnorm keeps goes with the weights
try '\&net_kept,'
grep -q 'const net_params net_weights = ' net.c && grep -q 'const net_state net_kept = ' net.c || fail "no weights in net.c"
gcc -std=c99 -Wall -Wextra -Wconversion -Werror -c net.c
nm net.o | grep -q ' R net_weights' && nm net.o | grep -q ' R net_kept' || fail "the weights are not constant"
sed -i 's/ -> batchnorm//' net.nn
try ''
! grep -q net_kept net.c net.h || fail "a state of nothing"
# both words are needed, and the file must be the model's
code 2 "$NNC" net.nn --weights=embed -o other.c
code 2 "$NNC" net.nn --load w.safetensors -o other.c
code 3 "$NNC" net.nn --weights=embed --load absent -o other.c
sed 's/dense(5)/dense(6)/' net.nn >wider.nn
code 1 "$NNC" wider.nn --weights=embed --load w.safetensors -o other.c
says 'dense.weight' "$NNC" wider.nn --weights=embed --load w.safetensors -o other.c
[ ! -e other.c ] && [ ! -e other.h ] || fail "a file was left"
