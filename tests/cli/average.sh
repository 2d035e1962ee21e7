# Averaged weights: what evaluation, prediction, embedded and written weights are.
. "$ROOT/tests/lib.sh"
moons tanh 'epochs=3 batch=30' && mv net.nn plain.nn
moons tanh 'epochs=3 batch=30 average=0.95'
"$NNC" train net.nn --data "$data" --test "$test" -o w.safetensors >trained 2>log || fail "$(cat log)"
"$NNC" train plain.nn --data "$data" --test "$test" -o plain.safetensors >plain 2>log || fail "$(cat log)"
"$NNC" eval net.nn --data "$test" --weights w.safetensors >evaluated || fail "eval"
cmp trained evaluated || fail "train and eval use other weights"
cmp -s trained plain && fail "the averages are not used"
# the trained weights themselves are in the file as well, and are those of the run without averages
"$NNC" predict plain.nn --data "$test" --weights plain.safetensors >predicted.plain
"$NNC" predict plain.nn --data "$test" --weights w.safetensors >predicted.raw 2>warnings
cmp predicted.plain predicted.raw || fail "averages changed the training"
grep -q 'not used by the model' warnings || fail "no warning about the averages that plain.nn has no use for"
# written in place of the params: any model of this shape has them
"$NNC" train net.nn --data "$data" --average -o average.safetensors >again 2>&1 || fail "train --average"
"$NNC" predict net.nn --data "$test" --weights w.safetensors >predicted
"$NNC" predict plain.nn --data "$test" --weights average.safetensors >predicted.average 2>/dev/null
cmp predicted predicted.average || fail "--average writes other weights"
cmp -s predicted predicted.raw && fail "predict does not use the averages"
says 'keeps no averages' "$NNC" train plain.nn --data "$data" --average --steps 1 -o x.safetensors
# embedded
"$NNC" net.nn --inference-only --weights=embed --load w.safetensors -o net.c || fail "embed"
"$NNC" plain.nn --prefix=net --inference-only --weights=embed --load average.safetensors -o other.c 2>/dev/null || fail "embed the averages"
diff <(sed -n '/net_weights = /,/}};/p' net.c) <(sed -n '/net_weights = /,/}};/p' other.c) || fail "other weights are embedded"
# a file without averages: the params as they are
"$NNC" predict net.nn --data "$test" --weights plain.safetensors 2>/dev/null | cmp - predicted.plain || fail "without averages"
