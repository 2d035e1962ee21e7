# The README's first example: it compiles, its equations and its C are those that the page shows, and the program on the page
# fits its header.
. "$ROOT/tests/lib.sh"
blocks() { # LANGUAGE: the fenced blocks of the README, with a line "---" behind each
	awk -v fence="\`\`\`$1" '/^```/ { if (inside == 2) print "---"; inside = inside ? 0 : $0 == fence ? 2 : 1; next }
		inside == 2' "$ROOT/README.md"
}
in_order() { # LINES FILE: all of LINES stand in FILE in this order, but for "..."
	awk 'BEGIN { k = 0 } NR == FNR { if ($0 !~ /^[ \t]*\.\.\.$/) want[n++] = $0; next } $0 == want[k] { k++ }
		END { if (k < n) { print "not in " FILENAME ": " want[k]; exit 1 } }' "$1" "$2"
}
nth() { awk -v k="$1" '/^---$/ { k--; next } k == 1'; }
blocks nn | nth 1 >digits.nn
"$NNC" digits.nn -o digits.c
"$NNC" --emit=graph digits.nn -o - | sed 's/^\t//' >graph
blocks '' | nth 1 >equations
blocks c | nth 1 >shown.c
blocks c | nth 2 >host.c
[ -s equations ] && [ -s shown.c ] && [ -s host.c ] || fail "a block is missing"
in_order equations graph
in_order shown.c digits.c
gcc -std=c99 -Wall -Wextra -Werror -c host.c
