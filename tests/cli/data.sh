# nnc train, eval and predict on small data, and what bad data and weights get.
. "$ROOT/tests/lib.sh"
moons tanh 'epochs=8 batch=30'
"$NNC" train net.nn --data "$data" -o w.safetensors >log 2>&1 || fail "$(cat log)"
"$NNC" eval net.nn --data "$test" --weights w.safetensors >result 2>&1 || fail "$(cat result)"
grep -Eq 'accuracy *(0\.[89]|1)' result || fail "eval: $(cat result)"
"$NNC" predict net.nn --data "$test" --weights w.safetensors >predictions || fail "predict"
[ "$(grep -c '^[-0-9]' predictions)" = 100 ] || fail "predict: $(wc -l <predictions) lines"
gzip -c "$test" >test.csv.gz
"$NNC" eval net.nn --data test.csv.gz --weights w.safetensors >result.gz 2>&1
cmp result result.gz || fail "a .gz file gives another result"

# the same run again gives the same file
"$NNC" train net.nn --data "$data" -o again.safetensors >log 2>&1
cmp w.safetensors again.safetensors || fail "training is not reproducible"

# a label outside its classes, with file, line and column
printf '0.1,0.2,1\n0.3,0.4,2\n' >label.csv
code 1 "$NNC" eval net.nn --data label.csv --weights w.safetensors
says 'label.csv:2:' "$NNC" eval net.nn --data label.csv --weights w.safetensors
printf '0.1,0.2,1\n0.3,1\n' >short.csv
code 1 "$NNC" eval net.nn --data short.csv --weights w.safetensors
says 'short.csv:2:' "$NNC" eval net.nn --data short.csv --weights w.safetensors
printf '0.1,0.2,1\n0.3,zero,1\n' >word.csv
says 'word.csv:2:5' "$NNC" eval net.nn --data word.csv --weights w.safetensors
: >empty.csv
code 1 "$NNC" eval net.nn --data empty.csv --weights w.safetensors
head -c 30 test.csv.gz >cut.csv.gz
code 1 "$NNC" eval net.nn --data cut.csv.gz --weights w.safetensors
code 3 "$NNC" eval net.nn --data nowhere.csv --weights w.safetensors

# columns by the names of a header, in any order; other names say nothing, but may not contradict
"$NNC" eval net.nn --data "$test" --weights w.safetensors >result
awk -F, 'BEGIN { print "x1; label; x[2]" } { print $1 "; " $3 "; " $2 }' "$test" >named.csv
"$NNC" eval net.nn --data named.csv --weights w.safetensors | cmp - result || fail "columns by name"
for names in left,right,class x,x,label x,y,z; do
	{ echo $names; cat "$test"; } >named.csv
	"$NNC" eval net.nn --data named.csv --weights w.safetensors | cmp - result || fail "header $names"
done
sed -i '1s/.*/class,label,x/' named.csv
says 'named.csv:1:7: error: this column would be read as input' "$NNC" eval net.nn --data named.csv --weights w.safetensors

# weights of another model: which tensor
sed 's/dense(8)/dense(9)/' net.nn >other.nn
code 1 "$NNC" eval other.nn --data "$test" --weights w.safetensors
says 'a.weight' "$NNC" eval other.nn --data "$test" --weights w.safetensors
head -c 100 w.safetensors >cut.safetensors
code 1 "$NNC" eval net.nn --data "$test" --weights cut.safetensors
echo 'no weights at all' >text.safetensors
code 1 "$NNC" eval net.nn --data "$test" --weights text.safetensors
code 3 "$NNC" eval net.nn --data "$test" --weights nowhere.safetensors

# a folder with a training set alone: trained on without a test, but nothing to evaluate
mkdir one && cp "$data" one/train.csv
"$NNC" train net.nn --data one --steps 3 -o one.safetensors >log 2>&1 || fail "$(cat log)"
grep -q 'test loss' log && fail "a test without a test set"
code 3 "$NNC" eval net.nn --data one --weights one.safetensors
