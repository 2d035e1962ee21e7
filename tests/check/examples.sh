# Every example of the standard library: its value or its error, and the derivative of its left side.
. "$ROOT/tests/lib.sh"
"$NNC" test >result 2>&1 || { cat result; exit 1; }
examples=$(tail -n 1 result)
mkdir m
awk -v folder=m -f "$ROOT/tests/check/examples.awk" "$ROOT"/grammar/std/*.nn
bad=0 derive=()
for model in m/*.nn; do
	if "$NNC" "$model" -o - >/dev/null 2>messages; then
		derive+=("$model")
	elif ! grep -qE 'no derivative|expected (classes|integers)|does not depend on any' messages; then
		head -n 1 "$model" && cat messages
		bad=$((bad + 1))
	fi
done
(gradients -n 1 "${derive[@]}") >result || { cat result; exit 1; }
[ $bad = 0 ] || fail "$bad derivatives could not be checked"
echo "examples: $examples; their derivatives: $(tail -n 1 result)"
