# Every example of the standard library: its value, or its error; and the derivative of its left side.
. "$ROOT/tests/lib.sh"
mkdir m
awk -v folder=m -f "$ROOT/tests/check/examples.awk" "$ROOT"/grammar/std/*.nn
bad=0 known=0 files=()
for model in m/error.*.nn; do
	if "$NNC" "$model" -o - >out 2>&1 || ! grep -qF "$(cat "${model%.nn}.text")" out; then
		echo "$(head -n 1 "$model"):" && cat out
		bad=$((bad + 1))
	fi
done
: >headers.inc
: >models.inc
: >texts.inc
for model in m/value.*.nn m/step.*.nn; do
	name=$(basename "$model" .nn | tr . _)
	if "$NNC" --real=double --prefix="$name" "$model" -o "$name.c" 2>messages; then
		echo "#include \"$name.h\"" >>headers.inc
		echo "&${name}_model," >>models.inc
		sed -n '1s/["\\]/\\&/g; 1s/.*/"&",/p' "$model" >>texts.inc
		files+=("$name.c")
	elif "$NNC" "${model/value/known}" -o - >/dev/null 2>&1; then
		known=$((known + 1))
	else
		head -n 1 "$model" && cat messages
		bad=$((bad + 1))
	fi
done
cat >models.c <<'END'
#include "headers.inc"
const nn_model *const models[] = {
#include "models.inc"
};
const char *const example[] = {
#include "texts.inc"
};
const int n_models = sizeof models / sizeof *models;
END
for file in "${files[@]}"; do tcc -c "$file"; done
gcc -I. -I"$ROOT/runtime" -o run "$ROOT/tests/check/examples.c" models.c value_*.o step_*.o -lm
./run || bad=$((bad + 1))

derive=()
for model in m/derive.*.nn; do
	if "$NNC" "$model" -o - >/dev/null 2>messages; then
		derive+=("$model")
	elif ! grep -qE 'no derivative|expected classes|does not depend on any' messages; then
		head -n 1 "$model" && cat messages
		bad=$((bad + 1))
	fi
done
mkdir g
cd g
(gradients 1 "${derive[@]/#/../}") >result || { cat result; bad=$((bad + 1)); }
[ $bad = 0 ] || fail "$bad wrong"
echo "$((${#files[@]} + known)) examples; their derivatives: $(tail -n 1 result)"
