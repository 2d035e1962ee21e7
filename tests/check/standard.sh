# Every definition of the standard library: its gradient against central differences in __float128. Models are in
# standard.models; a definition of one tensor, or of two of a shape, and an optimiser need none.
. "$ROOT/tests/lib.sh"
table=$ROOT/tests/check/standard.models
mkdir models
add() { # NAME TEXT
	local k=
	while [ -e "models/$1$k.nn" ]; do k=$((${k:-1} + 1)); done
	echo "$2" | sed 's/; */\n/g' >"models/$1$k.nn"
}
for definition in $(sed -n 's/^\(def\|optimizer\) *\([a-z_0-9A-Z]*\)(\(.*\)/\1:\2:\3/p' "$ROOT"/grammar/std/*.nn | tr -d ' '); do
	IFS=: read -r kind name formals <<<"$definition"
	if grep -q "^$name:" "$table"; then
		while read -r text; do add "$name" "$text"; done < <(sed -n "s/^$name: *//p" "$table")
	elif [ "$kind" = optimizer ]; then
		add "$name" "input x[3]; target t[2]; y = dense(x, 2); loss mse(y, t); train $name(lr=0.01)"
	elif [[ $formals =~ ^[a-z_]+\[\.\.\],[a-z_]+\[\.\.\][,\)] ]]; then
		add "$name" "input x[4]; target t[4]; param w[4] = normal(); loss $name(w * x, t)"
	elif [[ $formals =~ ^[a-z_]+\[\.\.(,[a-z])?\](\)|,[a-z_]+=) ]]; then
		add "$name" "input x[4]; param w[4] = normal(); y = $name(w * x); loss sum(sin(y))"
	else
		echo "no model of $name in standard.models" >>missing
	fi
done
(gradients 1 models/*.nn) >result || { cat result; [ ! -e missing ] || cat missing; exit 1; }
[ ! -e missing ] || { cat missing; exit 1; }
tail -n 1 result
