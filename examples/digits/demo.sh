#!/bin/sh
# demo.sh BUILD - train digits.nn in process; then compile the same text to C, build that with cc, load the same weights,
# and compare the predictions of both for the whole test set. What it writes goes to BUILD/demo.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
mkdir -p "$build/demo"
cd "$build/demo"

echo "training a 64-64-10 network on 1,437 handwritten digits, in process:"
"$build/nnc" train "$here/digits.nn" --data "$here" -o digits.safetensors
"$build/nnc" predict "$here/digits.nn" --data "$here/test.csv" --load digits.safetensors |
	awk -F, '/^[-0-9]/ { best = 1; for (i = 2; i <= NF; i++) if ($i + 0 > $best + 0) best = i; print best - 1 }' >in_process

echo "compiling the same text: digits.nn -> digits.c, digits.h -> cc"
"$build/nnc" "$here/digits.nn" -o digits.c
${CC:-cc} -O2 -I. -I"$root/runtime" -I"$root/compiler" "$here/predict.c" digits.c \
	"$build/libnnrun.a" "$build/libnnc.a" -ltcc -ldl -lpthread -ljansson -lz -lm -o predict
./predict digits.safetensors "$here/test.csv" >ahead_of_time

rows=$(wc -l <ahead_of_time)
right=$(sed '/^#/d; s/.*,//' "$here/test.csv" | paste -d ' ' - ahead_of_time | awk '$1 == $2' | wc -l)
same=$(paste -d ' ' in_process ahead_of_time | awk '$1 == $2' | wc -l)
echo "test accuracy of the generated C: $(awk "BEGIN { printf \"%.3f\", $right / $rows }") ($right of $rows)"
echo "predictions that agree with those in process: $same of $rows"
echo "weights: $build/demo/digits.safetensors"
[ "$same" = "$rows" ]
