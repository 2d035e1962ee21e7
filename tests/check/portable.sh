# Every example's C: no warning from gcc, clang and tcc, its header as C++, nothing undefined but libm and mem*, nothing
# writable, clean under the sanitizers.
. "$ROOT/tests/lib.sh"
warnings='-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
nm -D --defined-only "$(gcc -print-file-name=libm.so.6)" | sed 's/.* //; s/@.*//' | sort -u >allowed
printf '%s\n' memcpy memset memmove memcmp >>allowed
sort -o allowed allowed

inspect() { # OBJECT BUILT-BY MODEL
	nm --undefined-only "$1" | awk '{ print $2 }' | grep -v '^_GLOBAL_OFFSET_TABLE_$' | sort >undefined
	[ -z "$(comm -23 undefined allowed)" ] || fail "$3 ($2): undefined: $(comm -23 undefined allowed)"
	if [ "$2" != tcc ]; then
		! nm "$1" | grep ' [BbCDdGgSs] ' >writable || fail "$3 ($2): writable: $(cat writable)"
		nm "$1" | awk '$2 ~ /[Rr]/ { print $3 }' | sort >constants
	else # it keeps constants in .data: they are what clang has just found read-only
		nm "$1" | awk '$2 ~ /[BbCDdGgSs]/ && $3 !~ /^L\./ { print $3 }' | sort >data
		[ -z "$(comm -23 data constants)" ] || fail "$3 (tcc): writable: $(comm -23 data constants)"
	fi
}

count=0
for model in $(models) "$ROOT/tests/graph/second_derivative.nn"; do
	level=-O1 # for warnings that need the flow of values
	others=('--fp=strict --real=double' '--unroll=none --inference-only') # in turn; SLOW=1: both
	[ -n "${SLOW-}" ] || others=("${others[count / 2 % 2]}")
	for options in '' "${others[@]}"; do
		# shellcheck disable=SC2086
		generate "$model" $options
		for cc in "gcc $level -fno-pic" 'clang -O0 -fno-pic'; do
			# shellcheck disable=SC2086
			$cc $warnings -c m.c -o m.o || fail "$model $options: $cc"
			inspect m.o "$cc" "$model"
		done
		tcc -std=c99 -Wall -Werror -c m.c -o m.o || fail "$model $options: tcc"
		inspect m.o tcc "$model"
		count=$((count + 1)) # names of its own for each header: all are compiled together
		sed "s/\<m_/m${count}_/g; s/\<M_/M${count}_/g; s/NNC_M_H/NNC_M${count}_H/" m.h >"m$count.h"
		echo "#include \"m$count.h\"" >>headers.cc
		[ -n "${SLOW-}" ] || level=-O0
	done
	for options in '' ${SLOW:+--unroll=none}; do
		# shellcheck disable=SC2086
		generate "$model" $options
		clang -O0 -std=c99 -fsanitize=address,undefined -fno-sanitize-recover=all -DMODEL=m_model -I"$ROOT/runtime" \
			"$ROOT/tests/check/steps.c" m.c -o steps -lm
		./steps 3 >steps.out 2>&1 || { cat steps.out; fail "$model $options: sanitizers"; }
	done
done
for cc in g++ clang++; do
	$cc -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only headers.cc || fail "headers in $cc"
done
echo "$count files portable, without globals, clean under sanitizers"
