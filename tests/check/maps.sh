# In process, maps of vectors give the numbers of loops: --fp=fast those of --fp=strict, which has no maps, in float and in
# double, for batches of any size and calls with fewer rows. Sizes are drawn, so that few are a multiple of anything.
. "$ROOT/tests/lib.sh"
start_drawing
count=0 maps=0

write_model() { # NUMBER
	local n rule='sgd(lr=0.01)'
	n=$(draw 2 4)
	case $1 in
	1) input="$(draw 20 70)" net="dense($(draw 17 60)) -> tanh -> dense($(draw 5 40)) -> relu" ;;
	2) input="$(draw 1 3), $(draw 9 24), $(draw 9 24)"
		net="conv2d($(draw 3 9), 3, pad=1) -> relu -> maxpool2d(2) -> conv2d($(draw 2 6), 3, stride=2, pad=1)" ;;
	3) input="$(draw 5 19), $((n * $(draw 4 9)))" net="attention($n, causal=yes) -> layernorm" ;;
	4) input="$(draw 3 6), $(draw 5 20)" net="gru($(draw 17 40)) -> first -> lstm($(draw 17 70)) -> first" ;;
	5) input="$(draw 2 5), $((2 * $(draw 4 9))), $(draw 8 30)"
		net="batchnorm -> sigmoid -> avgpool2d(2) -> conv2d(3, 3) -> maxpool2d(3, stride=1, pad=1)" ;;
	6) input="$(draw 3 9), $(draw 60 90)" rule='adam(lr=0.01, eps=0.01)'
		net="layernorm -> gelu -> dropout(0.2) -> softmax -> dense($(draw 60 90)) -> silu" ;;
	7) input="$(draw 600 1100)" rule='rmsprop(lr=0.01, eps=0.1, momentum=0.5, centered=yes)'
		net="log_softmax -> elu -> dense($(draw 5 20)) -> mish -> table" ;;
	8) input="$(draw 2 9), $(draw 3 9), $(draw 20 50)" net='turn -> softmax -> extremes' rule='adamw(lr=0.01, eps=0.01)' ;;
	9) input="$(draw 300 700)" net='spread -> functions -> table' rule='sgd(lr=1e-5)' ;;
	10) input="$(draw 60 200)" net='places -> tanh' ;;
	11) input="2, $((2 * $(draw 3 5))), $(draw 7 9)" # channels come last, and pooled rows and columns lie within a border
		net="conv2d(16, 3, pad=1) -> relu -> conv2d(16, 3, pad=1) -> relu -> maxpool2d(2) -> conv2d(5, 3, pad=1)" ;;
	esac
	write_net "$input" "$net" "$rule" "$(draw 1 40)" <<-END
		def first(x[..], ..) = x
		def turn(x[a, b, c]) {
		  y[i, j, k] = x[j, k, i]^3 + (if x[j, k, i] > 0.2 then 2 else x[j, k, i])
		  return y
		}
		def extremes(x[a, b, c]) {
		  top[i, k] = max[j] x[i, j, k]
		  low[i] = min[j, k] x[i, j, k]^2
		  y[i, k] = top[i, k] * low[i] + (sum[j] x[i, j, k] * x[i, b - 1 - j, k]) + (prod[j] x[i, j, k])
		  return y
		}
		def spread(x[n]) {
		  y[i < n + 9] = x[i - 4 else 0.5] - x[2 * i - n else 1] + x[i - 20 else x[i else 2]]
		  return y
		}
		def functions(x[..]) = exp(-x) + log(1 + x^2) + sqrt(1 + x^2) + abs(x) * sin(x) + floor(3 * x) + erf(x) +
		    sign(x) * cos(x) + (x^2 + 1)^0.3 + 2^x + min(x, 0.1) + expm1(x) * log1p(x^2) + atan(x) + max(x, 1 / (2 + x))
		def places(x[n]) {
		  param w[5, n] = normal()
		  top[i < n] = argmax[j < 5] x[i + j else -1]
		  low[i < n] = argmin[j < 3] x[i - j else 1]^2
		  y[i] = w[top[i], i] * (if top[i] == i - low[i] then 2 else 0.5) + (top[i] * (i - 7) + low[i]) / 9 +
		    x[i // 3 - 4 else x[i // 7]] * ((i - 11) // 4 + (i - 30) % 3) +
		    (if top[i] <= 1 then x[i] else sum[k < 5] (if k != top[i] then w[k, n - 1 - i] else 0.1))
		  return y
		}
		def table(x[n]) {
		  param w[n] = 0.5
		  y[i, j < 3] = w[i] * x[i] + (if j == 1 then w[n - 1 - i] else x[i])
		  return y
		}
	END
}

gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
for round in $(seq 1 $((2 + 0${SLOW:+8}))); do
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		write_model "$i"
		for real in double float; do
			./in_process 4 model.nn 0 strict $real >plain || fail "seed $seed: $(cat model.nn)"
			./in_process 4 model.nn 0 fast $real >mapped || fail "seed $seed: $(cat model.nn)"
			[ $real = double ] && bound=1e-10 || bound=2e-4
			same "seed $seed, round $round, model $i, $real: $(cat model.nn)" plain mapped $bound
			cmp -s plain mapped || maps=$((maps + 1))
		done
		count=$((count + 1))
	done
done
[ $maps -gt $((count / 2)) ] || fail "only $maps models have other bits: are there maps?"
echo "$count models (seed $seed): maps give the numbers of loops"
