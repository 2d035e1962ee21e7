# Graph text reads back to the same graph: emitted again it is the same text, and gives the same
# C, but for comments and for the names of arguments, which come from layers: the same machine code.
. "$ROOT/tests/lib.sh"
mkdir a b
# The bytes of the code and of its constants. Without the comments first: gcc's order of operands may go by columns.
code_of() {
	gcc -E -P "$1/m.c" -o m.i
	gcc -O1 -c m.i -o m.o
	objcopy -O binary -j .text -j .rodata -j .rodata.cst4 m.o "$1/code"
}
# Random models, too, whose text must be the same; temporaries of their C may stand in another order. SEED=N repeats a run.
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
	[[ $model != random_models/* ]] || continue
	# shellcheck disable=SC2086
	{
		"$NNC" $text --prefix=m "$model" -o a/m.c
		"$NNC" $text --prefix=m "a/$name" -o b/m.c
	} || fail "$model: C"
	code_of a
	code_of b
	cmp -s a/code b/code || {
		diff a/m.c b/m.c | head -n 20
		fail "$model: other C from its graph text"
	}
done
echo "$count graphs read back the same"
