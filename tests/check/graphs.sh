# Graph text reads back to the same graph: emitted again it is the same text, and gives the same
# C, but for comments and for the names of arguments, which come from layers.
. "$ROOT/tests/lib.sh"
mkdir a b
# C without comments, and with the names of variables replaced by their order of appearance in a function.
shape_of() {
	gcc -w -fpreprocessed -dD -E -P "$1" | awk '
		/^[a-z]/ { split("", place); n = 0 }
		{
			line = ""
			while (match($0, /[A-Za-z_][A-Za-z_0-9]*\(?|"([^"\\]|\\.)*"/)) {
				word = substr($0, RSTART, RLENGTH)
				if (word !~ /[("]/) {
					if (!(word in place)) place[word] = ++n
					word = "$" place[word]
				}
				line = line substr($0, 1, RSTART - 1) word
				$0 = substr($0, RSTART + RLENGTH)
			}
			print line $0
		}' | tr -s '\t\n' ' ' | tr -s ' ' | sed 's/[;{}]/&\n/g' # lines break elsewhere
}
# Random models, too: SEED=N draws others.
seed=${SEED:-1}
gcc -O1 -o random "$ROOT/tests/check/random.c"
mkdir random_models
./random "$seed" "${COUNT:-25}" random_models
count=0
for model in $(models) random_models/*.nn; do
	name=$(basename "$model")
	text=$(sed -n '1s/^# nnc: //p' "$model")
	# shellcheck disable=SC2086
	{
		"$NNC" $text --emit=graph "$model" -o "a/$name"
		"$NNC" $text --emit=graph "a/$name" -o "b/$name"
	} || fail "$model: graph text"
	diff -u "a/$name" "b/$name" >difference || { head -n 20 difference; fail "$model: graph text differs when read back"; }
	count=$((count + 1))
	# shellcheck disable=SC2086
	{
		"$NNC" $text --prefix=m "$model" -o a/m.c
		"$NNC" $text --prefix=m "a/$name" -o b/m.c
	} || fail "$model: C"
	shape_of a/m.c >a/shape
	shape_of b/m.c >b/shape
	cmp -s a/shape b/shape || {
		diff a/shape b/shape | head -n 20
		fail "$model: other C from its graph text"
	}
done
echo "$count graphs read back the same"
