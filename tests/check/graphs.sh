# Graph text reads back to the same graph: emitted again it is the same text, and gives the same C but for comments.
. "$ROOT/tests/lib.sh"
gcc -O1 -o random "$ROOT/tests/check/random.c"
mkdir random_models a b
./random 1 60 random_models
plain() { gcc -fpreprocessed -dD -E -P "$1"; }
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
	# shellcheck disable=SC2086
	{
		"$NNC" $text --prefix=m "$model" -o a/m.c
		"$NNC" $text --prefix=m "a/$name" -o b/m.c
	} || fail "$model: C"
	for file in m.c m.h; do
		plain a/$file >1
		plain b/$file >2
		diff -u 1 2 >difference || { head -n 20 difference; fail "$model: other C from its graph text ($file)"; }
	done
	count=$((count + 1))
done
echo "$count graphs read back the same"
