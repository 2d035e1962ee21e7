# examples/chars and examples/gpt: networks that read a text learn to count, and write on where a prompt ends.
. "$ROOT/tests/lib.sh"
count=$(seq -s ' ' 10 99)
for _ in {1..100}; do printf '%s ' "$count"; done >count.txt

learn() { # MODEL LOSS SHARE OPTION...: the loss to reach, and the share of numbers that must follow the one before
	local model=$1 loss=$2 share=$3 path=$ROOT/examples/$1/$1.nn
	shift 3
	generate "$path" "$@"
	(ulimit -t 60 && gcc -O2 -march=native -std=c99 -DMODEL=m_model -I"$ROOT/compiler" -I"$ROOT/runtime" \
		"$ROOT/examples/native/main.c" m.c "$B/libnnrun.a" "$B/libnnc.a" ${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm \
		-o trainer) || fail "$model: compiling"
	./trainer count.txt "$model.safetensors" >log || fail "$model: $(cat log)"
	awk -v want="$loss" '{ loss = $NF } END { exit !(NR > 0 && loss <= want) }' log || fail "$model: $(cat log)"
	"$NNC" --prefix=text --inference-only --weights=embed --load "$model.safetensors" "$@" "$path" -o text.c ||
		fail "$model: embedding weights"
	for cc in 'gcc -O1 -Wconversion' clang tcc; do
		# shellcheck disable=SC2086
		$cc -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Werror -I. "$ROOT/examples/chars/sample.c" text.c -lm -o sample ||
			fail "$model: $cc sample.c"
		./sample 300 0.3 1 '10 11 ' >"$model.out" || fail "$model: sample"
		tr ' ' '\n' <"$model.out" | awk -v want="$share" '
			NF && before { n++; hits += $1 == before + 1 || ($1 == 10 && before == 99) }
			NF { before = $1 }
			END { exit !(n > 50 && hits >= want * n) }' || fail "$model, by $cc: $(cat "$model.out")"
	done
}
# Untrained networks have a loss of 4.9, the share of each character 2.16, of what follows one 1.94, and two 1.50. No network
# gets below .18: what the first characters of a window stand in is a guess. Measured: .33 and .19.
learn chars 0.6 0.5
learn gpt 0.25 0 -D EPOCHS=4
grep -q "^10 11 12 13 14 1" gpt.out || fail "gpt: $(cat gpt.out)" # further on its windows start where none did in training
code 2 ./sample 300 0 1 10

# what no window can hold
printf 'ab\ncd\303\244f' | cat - count.txt >bytes.txt
says 'bytes.txt:2:3: error: label 195 is outside class[128]' "$NNC" train "$ROOT/examples/chars/chars.nn" --data bytes.txt
printf 'too short' >short.txt
says '9 bytes of text' "$NNC" train "$ROOT/examples/chars/chars.nn" --data short.txt
mkdir folder && cp count.txt folder/train.txt
code 3 "$NNC" eval "$ROOT/examples/chars/chars.nn" --data folder --load chars.safetensors
cp count.txt folder/test.txt
"$NNC" eval "$ROOT/examples/chars/chars.nn" --data folder --load chars.safetensors | grep -q '^loss 0\.' || fail "eval of a folder"
"$NNC" predict "$ROOT/examples/chars/chars.nn" --data count.txt --load chars.safetensors | awk -F, 'NF != 16 * 128 { exit 1 }
	END { exit NR != 1687 }' || fail "predict: a line for each window"
