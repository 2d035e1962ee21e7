# --fp=strict: the same bits in every weight after 100 steps from every compiler and in process; no warnings, those of the
# flow of values among them; symbols as portable.sh has them. Every example goes through all of these compilers, and
# through more of them with SLOW=1; the other models go through tcc and one of them in turn.
# Three things keep this quick. Large models have one row a batch. gpt has one layer: a second one calls the same functions
# for the most part. And what a step does not call is declared cold, so that compilers spend their time on what runs here.
. "$ROOT/tests/lib.sh"
compilers=(tcc 'gcc -O0' 'gcc -O3 -march=native' 'clang -O1 -march=native')
folders=(tcc gcc gcc3 clang gcc2 clang3 clang1)
[ -z "${SLOW-}" ] || compilers+=('gcc -std=gnu11 -O2 -march=native' 'clang -O3 -march=native' 'clang -O1')
gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
# draws of a row, of whole tensors, and of so few elements that each is drawn alone
cat >draws.nn <<'END'
input x[8]
target y: class[3]
param bump[300] ~ normal(0.5)
h = x -> dense(30) -> relu -> dropout(0.3)
noise[i] = bump[i] + 0.1 * uniform()
logits = h -> dense(3) -> dropout(0.1)
loss cross_entropy(logits + sum(noise), y)
output logits
train adam(lr=0.01) batch=3
END
# NAME.c with all of its public functions but for init and step declared cold: write_hot NAME
write_hot() {
	echo "#include \"$1.h\""
	sed -n "s/^[a-z].*[ *]\($1_[a-z0-9_]*\)(.*/\1/p" "$1.h" | grep -v -e '_init$' -e '_step$' |
		sed 's/.*/extern __typeof__(&) & __attribute__((cold));/'
	echo "#include \"$1.c\""
}
count=0
mkdir "${folders[@]}"
for model in $(models) draws.nn; do
	# without optimisation large models take their time
	products=$("$NNC" summary "$model" | awk '/^total / { print $3; exit }' | tr -d ,)
	rows=3 settings=()
	[ "$products" -lt 50000 ] || rows=1
	[[ $model != */gpt.nn ]] || settings=(-D LAYERS=1)
	name=m$count
	generate_as $name "$model" "${settings[@]}" --fp=strict --batch=$rows
	./in_process 100 "$model" "$rows" strict float "${settings[@]:1}" >$name.expected || fail "$model: in process"
	write_hot $name >$name.hot.c
	for k in "${!compilers[@]}"; do
		[[ $k = 0 || $model = */examples/* || $((count % 3 + 1)) = "$k" || -n ${SLOW-} ]] || continue
		cc="${compilers[k]} -fno-pic -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
		# twice the work: of every second model, and not of large ones
		[ $((count % 2)) = 0 ] || [ "$rows" = 1 ] || cc=${cc/#clang -O1 -m/clang -O2 -m}
		file=$name.hot.c
		[ "$k" -gt 1 ] || file=$name.c
		# shellcheck disable=SC2086
		${cc/#tcc */tcc -Wall -Werror} -c $file -o ${folders[k]}/$name.o || fail "$model: $cc"
		echo "$name $model" >>compiled.$k
	done
	count=$((count + 1))
done
for k in "${!compilers[@]}"; do
	# shellcheck disable=SC2046
	link_steps steps 'gcc -O1 -no-pie' "$(echo "${folders[k]}"/*.o)" $(cut -d' ' -f1 compiled."$k")
	while read -r name model; do
		./steps 100 $name >actual || fail "$model: ${compilers[k]}"
		cmp -s $name.expected actual || {
			diff $name.expected actual | head -n 6
			fail "$model: ${compilers[k]} and in process differ"
		}
	done <compiled."$k"
	[ "$k" = 0 ] || symbols compiled."$k" "${folders[k]}"/*.o || exit 1
done
echo "$count models: the same bits after 100 steps from gcc, clang, tcc and in process"
