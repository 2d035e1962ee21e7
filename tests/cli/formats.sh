# Data of several kinds, weights to and fro, training that is taken up again: the same numbers whichever way.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[2]
target label: class[2]
h = x -> a: dense(4) -> tanh
y = h -> b: dense(2)
loss   cross_entropy(y, label)
metric accuracy(y, label)
output probability = softmax(y), best = argmax[k] y[k]
train  adam(lr=0.02) epochs=4 batch=32 seed=3
END
train=$ROOT/tests/data/moons_train.csv test=$ROOT/tests/data/moons_test.csv

# a folder has both sets; a list of files has the columns of one
mkdir set
cp "$train" set/train.csv
gzip -c "$test" >set/test.csv.gz
cut -d, -f1,2 "$train" >x.csv
cut -d, -f3 "$train" >label.csv
"$NNC" train net.nn --data set --quiet -o folder.safetensors >folder
"$NNC" train net.nn --data x.csv,label.csv --test "$test" --quiet -o list.safetensors >list
cmp folder list && cmp folder.safetensors list.safetensors || fail "a folder and a list of files differ"
"$NNC" eval net.nn --data set --load folder.safetensors | cmp - folder || fail "eval differs from the end of train"

# interrupted after 50 of 116 steps and taken up again: the same bits
"$NNC" train net.nn --data "$train" --steps 50 --quiet -o half.safetensors >/dev/null
"$NNC" train net.nn --data "$train" --test "$test" --load half.safetensors --quiet -o whole.safetensors >/dev/null
cmp whole.safetensors list.safetensors || fail "a run that was taken up again is another one"

# predictions: all outputs in order, targets or not
"$NNC" predict net.nn --data "$test" --load list.safetensors >with
cut -d, -f1,2 "$test" | "$NNC" predict net.nn --data /dev/stdin --load list.safetensors >without
cmp with without || fail "predictions depend on the targets"
"$NNC" predict net.nn --data "$test" --load list.safetensors -o file.csv && cmp with file.csv || fail "predict -o"
awk -F, 'NF != 3 || ($2 > $1) != $3 { exit 1 }' with || fail "predictions: $(head -n 3 with)"

# the same weights as constants of the C
"$NNC" net.nn --weights=embed --load list.safetensors --inference-only -o net.c
cat >main.c <<'END'
#include "net.h"
#include <stdio.h>
int main(void)
{
	float x[2], p[2];
	int32_t best;
	net_work1 work;
	while (scanf("%f,%f,%*d", &x[0], &x[1]) == 2) {
		net_forward1(&net_weights, x, p, &best, &work);
		printf("%d\n", (int)best);
	}
	return 0;
}
END
gcc -std=c99 -O1 -Wall -Werror main.c net.c -lm -o main
./main <"$test" >embedded
cut -d, -f3 with | cmp - embedded || fail "embedded weights predict something else"
code 2 "$NNC" net.nn --weights=embed -o net.c
code 3 "$NNC" net.nn --weights=embed --load nowhere.safetensors -o net2.c
[ ! -e net2.c ] || fail "an output without weights"

# in double, from float weights
"$NNC" eval net.nn --data "$test" --load list.safetensors --real=double >double
cut -c 1-10 double | cmp - <(cut -c 1-10 folder) || fail "double: $(cat double folder)"

# bytes as pixels: IDX, scaled or not
printf '\0\0\010\002\0\0\0\002\0\0\0\002\0\377\377\0' >x.idx
printf '\0\0\010\001\0\0\0\002\0\001' >label.idx
"$NNC" predict net.nn --data x.idx,label.idx --scale 1/255 --load list.safetensors >scaled
printf '0,1\n1,0\n' >unit.csv
"$NNC" predict net.nn --data unit.csv --load list.safetensors | cmp - scaled || fail "--scale"
says 'row 1 (byte 9): label 7 is outside class[2]' \
	"$NNC" eval net.nn --data x.idx,<(printf '\0\0\010\001\0\0\0\002\0\007') --load list.safetensors
code 2 "$NNC" predict net.nn --data unit.csv --scale many --load list.safetensors

# a loss that is not finite ends training, and nothing is written
sed 's/adam(lr=0.02)/sgd(lr=1e30)/; s/ -> tanh//' net.nn >wild.nn
code 1 "$NNC" train wild.nn --data "$train" -o wild.safetensors
says 'a smaller rate may help' "$NNC" train wild.nn --data "$train" -o wild.safetensors
[ ! -e wild.safetensors ] && [ -z "$(ls -A | grep '^\.nnc')" ] || fail "files were left: $(ls -A)"

# an interrupt ends training after the step at hand, and the weights are written
timeout --foreground --preserve-status -s INT 1 "$NNC" train net.nn --data "$train" --epochs 1000000 --quiet -o stopped.safetensors \
	>stopped || fail "interrupted: exit code $?"
[ -s stopped.safetensors ] && grep -q accuracy stopped || fail "an interrupted run leaves no weights"

# standard words of shells and misspelt commands
says "did you mean 'train'" "$NNC" trian net.nn --data "$train"
says 'did you mean --data' "$NNC" train net.nn --dtaa "$train"
code 2 "$NNC" train net.nn
code 2 "$NNC" eval net.nn --data "$test"
code 2 "$NNC" net.nn --epochs 3
code 2 "$NNC" net.nn -o net.h
code 2 "$NNC" net.nn -o net.nn
