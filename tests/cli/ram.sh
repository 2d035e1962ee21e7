# --ram: the sizes keep to the budget, training gives the same bits, and the nearest that an error tells is met.
. "$ROOT/tests/lib.sh"
cat >deep.nn <<'END'
# what lives in a chain goes down to about twice the root of its length
input  x[24]
target y[1]
h = x
repeat 36 { h = h -> d: dense(24) -> tanh }
p = h -> last: dense(1)
output p
loss   mse(p, y)
train  sgd(lr=0.01, momentum=0.9) batch=16 seed=1
END
cat >tied.nn <<'END'
# a gradient that no equation gives, one from two uses, norms of all of them, a state and a draw
input  x[30]
target y[30]
param  lost[70] = 1
state  seen[20] = 0
z = x -> a: dense(20) -> dropout(0.3) -> tanh
seen'[i] = mean[batch] z[i]
w = z -> b: dense(20) -> layernorm -> c: dense(20, weight=b.weight)
p = w + seen -> d: dense(30)
output p
loss   mse(p, y)
train  adam(lr=0.01) batch=8 seed=1 clip=1
END

cat >summed.nn <<'END'
# a sum that may be over one factor first, if there is memory for that
input  x[9, 64]
target y[50]
param  w[50, 2, 64] ~ normal(0.05)
p[j < 2, l < 50] = sum[k < 64, i < 8] x[i + j, k] * w[l, j, k]
q[l < 50] = 0.3 * p[0, l] * tanh(p[1, l])
output q
loss   mse(q, y)
train  sgd(lr=0.05) batch=17 seed=1
END

field() { awk -v name="$1" 'index($0, name) == 1 { sub(name, ""); print $1; exit }' "$2"; }

train() { # OUTPUT COMPILER MODEL OPTION...
	local output=$1 cc=$2
	shift 2
	"$NNC" --verify --fp=strict -Wno-unreached --prefix=m "$@" -o m.c || fail "nnc refuses $*"
	$cc -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
	./steps 3 >"$output"
	printf '#include "m.h"\nint ram[] = {sizeof(m_params) + sizeof(m_state) + sizeof(m_work)};\n' >size.c
	"$NNC" summary --fp=strict "$@" >summary
	printf '#include <stdio.h>\nextern int ram[];\nint main(void) { printf("%%d\\n", *ram); return 0; }\n' >main.c
	gcc size.c main.c -o size
	[ "$(./size)" = "$(field 'RAM to train' summary)" ] || fail "$*: sizeof $(./size), $(grep RAM summary)"
}

share() { # MODEL MOST: the nearest is at most that share of what it needs without a budget
	awk -v least="$nearest" -v all="$all" -v most="$2" 'BEGIN { exit !(least <= most * all) }' || fail "$1: $nearest of $all bytes"
}

for model in deep.nn tied.nn summed.nn "$ROOT"/examples/{digits/digits,gpt/gpt,resnet/resnet,chars/chars}.nn; do
	cc='tcc'
	case $model in deep.nn | *digits.nn) cc='gcc -O0' ;; esac
	train plain "$cc" "$model"
	all=$(field 'RAM to train' summary)
	code 1 "$NNC" summary --fp=strict --ram=1 "$model"
	nearest=$(sed -n 's/.*the nearest is \([0-9]*\) bytes.*/\1/p' code.out)
	for ram in "$nearest" $(((nearest + 2 * all) / 3)); do
		train tight "$cc" "$model" --ram="$ram"
		[ "$(./size)" -le "$ram" ] || fail "$model: $(./size) bytes, $ram given"
		cmp plain tight || fail "$model --ram=$ram: other numbers"
	done
	code 1 "$NNC" summary --fp=strict --ram=$((nearest - 1)) "$model"
	case $model in deep.nn) share "$model" 0.62 ;; *gpt.nn) share "$model" 0.6 ;; *resnet.nn) share "$model" 0.6 ;; esac
	echo "$(basename "$model"): $nearest of $all bytes"
done

# with K and M; params may be constants where nothing is trained; what is not a size
"$NNC" summary --ram=1M "$ROOT/examples/digits/digits.nn" | grep -q 'within 1048576' || fail "1M"
"$NNC" --inference-only --ram=40K "$ROOT/examples/digits/digits.nn" -o - | grep -q . || fail "40K for inference"
for size in 0 -4 K 4G 1.5M 99999999999999999999; do
	code 2 "$NNC" summary --ram=$size "$ROOT/examples/digits/digits.nn"
done
