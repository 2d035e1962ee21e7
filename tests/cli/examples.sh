# The commands of the examples' pages, as they stand there (```sh, not ```sh slow): they print what expected.txt has, where
# there is one.
# With BLESS=1 that file is written instead.
. "$ROOT/tests/lib.sh"
export PATH=$B:$PATH
ln -s "$ROOT/examples" examples
for page in examples/*/README.md; do
	name=$(basename "$(dirname "$page")")
	case $name in driver | online) continue ;; esac # have their own
	sed -n '/^```sh$/,/^```$/p' "$page" | grep -v '^```' >commands
	sh -eu commands >printed 2>messages || fail "$page: $(cat messages printed)"
	expected=$ROOT/examples/$name/expected.txt
	[ -e "$expected" ] || continue
	[ -z "${BLESS-}" ] || cp printed "$expected"
	# numbers within 5 %, everything else exactly
	awk -v page="$page" '
		function is_number(s) { return s ~ /^[-+]?[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?$/ }
		{ gsub(/[,()]/, " & ") }
		NR == FNR { want[FNR] = $0; lines = FNR; next }
		{
			n = split($0, a); m = split(want[FNR], b); bad = n != m
			for (i = 1; i <= n && !bad; i++) {
				d = a[i] - b[i]; if (d < 0) d = -d
				s = b[i] < 0 ? -b[i] : b[i]
				bad = is_number(a[i]) && is_number(b[i]) ? d > 0.05 * s + 0.02 : a[i] != b[i]
			}
			if (bad) { print page ": " $0 "   expected: " want[FNR]; failed = 1 }
		}
		END { if (FNR != lines) { print page ": " FNR " lines, not " lines; failed = 1 }; exit failed }
	' "$expected" printed || exit 1
done
