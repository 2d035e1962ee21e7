# nnc test: the examples of a file's own definitions.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
const N = 2
## Doubled.
#> twice([1, 2]) = [2, 4]
#> twice("text") error "string"
#> named("two") = (2, "two")
def twice(x[..]) = N * x
def named(word) { return if word == "two" then 2 else 3, word }
END
"$NNC" test net.nn >out || fail "$(cat out)"
grep -qx '3 passed, 0 failed' out || fail "$(cat out)"
sed -i 's/= \[2, 4\]/= [2, 5]/; s/error "string"/error "number of legs"/' net.nn
code 1 "$NNC" test net.nn
says 'net.nn:3:' "$NNC" test net.nn
says '1 passed, 2 failed' "$NNC" test net.nn
