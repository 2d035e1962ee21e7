# Every definition of the standard library, in at least ten shapes: its gradient against central differences in __float128,
# and the C for float against that (quad.c). Models are in standard.models; a definition of one tensor, or of two of a
# shape, and an optimiser need none.
. "$ROOT/tests/lib.sh"
table=$ROOT/tests/check/standard.models
cp "$table" models
for definition in $(sed -n 's/^\(def\|optimizer\) *\([a-z_0-9A-Z]*\)(\(.*\)/\1:\2:\3/p' "$ROOT"/grammar/std/*.nn | tr -d ' '); do
	IFS=: read -r kind name formals <<<"$definition"
	if grep -q "^$name:" "$table"; then
		continue
	elif [ "$kind" = optimizer ]; then
		echo "$name: input x[\$V]; target t[\$U]; loss mse(dense(x, \$U), t); train $name(lr=0.01)"
	elif [[ $formals =~ ^[a-z_]+\[\.\.\],[a-z_]+\[\.\.\][,\)] ]]; then
		echo "$name: input x[\$A]; target t[\$A]; param w[\$A] = normal(); loss $name(w * x, t)"
	elif [[ $formals =~ ^[a-z_]+\[\.\.(,[a-z])?\](\)|,[a-z_]+=) ]]; then
		echo "$name: input x[\$A]; param w[\$A] = normal(); y = $name(w * x); loss sum(sin(y))"
	else
		fail "no model of $name in standard.models" >&2
	fi >>models
done
awk -f "$ROOT/tests/check/expand.awk" models >expanded
build_quad
./quad expanded "${SEED:-1}" >result || { cat result; exit 1; }
tail -n 1 result
