# nnc summary prints the sizes that the C compiler gives the structs, and work is hardly more than lives at once.
. "$ROOT/tests/lib.sh"
count=0
: >sizes.inc
for model in $(models) "$ROOT"/tests/bench/W*.nn; do
	for option in '' --real=double --inference-only --target=scalar; do
		name=m$((count += 1)) text=$(sed -n '1s/^# nnc: //p' "$model" | sed 's/--real=[a-z]*//')
		# shellcheck disable=SC2086
		"$NNC" $text $option --prefix=$name "$model" -o $name.c && "$NNC" summary $text $option "$model" >summary
		awk -v file="$model $option" '
			$2 ~ /^[0-9]+$/ && /^  / { size[$1] = $2 }
			$1 == "work" { alive = $NF }
			END {
				# 64: one call may need the most reals, another one the most integers
				if (size["work"] > 1.05 * alive + 64) print file ": work " size["work"] ", alive " alive >"loose"
				for (k in size) print k, size[k]
			}' summary | sort >$name.said
		echo "#include \"$name.h\"" >>headers.h
		while read -r kind size; do
			echo "{\"$model $option: $kind\", $size, sizeof(${name}_$kind)}," >>sizes.inc
		done <$name.said
	done
done
[ ! -s loose ] || fail "$(cat loose)"
cat >sizes.c <<'END'
#include <stdio.h>
#include "headers.h"
static const struct { const char *what; unsigned long said, is; } sizes[] = {
#include "sizes.inc"
};
int main(void)
{
	int wrong = 0;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (sizes[i].said != sizes[i].is && ++wrong)
			printf("%s: summary says %lu, sizeof %lu\n", sizes[i].what, sizes[i].said, sizes[i].is);
	return wrong > 0;
}
END
gcc -w sizes.c -o sizes && ./sizes || fail "sizes differ"

# training W3 at batch 128: params, gradients and what is alive of the rest
"$NNC" summary --batch=128 "$ROOT/tests/bench/W3.nn" | awk '
	/^  params/ { params = $2 }
	/^  work / { alive = $NF }
	/^RAM to train/ { all = $4 }
	END { if (!(all < 1.3 * (params + alive))) { print all " bytes, params " params ", alive " alive; exit 1 } }' || fail "W3"
echo "$count models: the sizes are those of the structs"
