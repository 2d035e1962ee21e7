# -W: groups of warnings off and on, as errors, in every command; the last word counts.
. "$ROOT/tests/lib.sh"
cat >net.nn <<'END'
input  x[4]
target t[1]
param  w[4] = 1, q[2] = 0
#> f(1) = 1
loss   (sum(w * x) - t[0])^2
train  sgd(lr=0.1)
END
shown() { # OPTION...: how many warnings and errors there are
	"$NNC" "$@" net.nn -o net.c 2>&1 | grep -c -e ': warning:' -e ': error:' || true
}
[ "$(shown)" = 2 ] || fail "two warnings are expected: $("$NNC" net.nn -o - 2>&1 >/dev/null)"
[ "$(shown -Wno-unreached)" = 1 ] || fail -Wno-unreached
[ "$(shown -Wno-all)" = 0 ] || fail -Wno-all
[ "$(shown -Wno-all -Wexample)" = 1 ] || fail "-Wno-all -Wexample"
[ "$(shown -Wno-example -Wall)" = 2 ] || fail "-Wno-example -Wall"
says "'q': its gradient is 0 [-Wunreached]" "$NNC" net.nn -o net.c
says '2 warnings' "$NNC" net.nn -o net.c
code 0 "$NNC" net.nn -o net.c

rm net.c net.h
code 1 "$NNC" -Werror net.nn -o net.c
[ ! -e net.c ] && [ ! -e net.h ] || fail "-Werror left a file"
says '[-Werror=unreached]' "$NNC" -Werror net.nn -o net.c
says '1 error, 1 warning' "$NNC" -Werror=unreached net.nn -o net.c
code 1 "$NNC" -Werror=unreached net.nn -o net.c
code 0 "$NNC" -Werror=unreached -Wno-unreached net.nn -o net.c
code 0 "$NNC" -Werror -Wno-error=example -Wno-unreached net.nn -o net.c
code 0 "$NNC" -Werror -Wno-error net.nn -o net.c
code 2 "$NNC" -Wunreachable net.nn -o net.c
code 2 "$NNC" -Werror=all-of-them net.nn -o net.c

echo '1,2,3,4,5' >data.csv
for command in check summary 'train --data data.csv --quiet'; do
	# shellcheck disable=SC2086
	{
		code 1 "$NNC" $command -Werror net.nn
		says 'unreached' "$NNC" $command net.nn -o out
		code 0 "$NNC" $command -Wno-all -Werror net.nn -o out
	}
done
