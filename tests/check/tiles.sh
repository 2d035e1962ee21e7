# Tiles give the numbers of the plain loops, for every instruction set that this machine runs, in float and in double, and
# with fewer rows than the batch has; in files for any machine and for one. Sizes are drawn, so that few are a multiple of
# anything; SEED=N draws others.
. "$ROOT/tests/lib.sh"
start_drawing
count=0 turn=0 tiles=0 panels=0 asked=0 added=0 whole=0 copied=0 within=0 adding=0 across=0 strips=0 stripped=0 followed=0 dotted=0 borders=0

write_model() { # NUMBER
	local n batch
	n=$(draw 1 3) batch=$(draw 1 9)
	case $(($1 % 10)) in
	0) input="$(draw 20 70)" net="a: dense($(draw 17 60)) -> tanh -> b: dense($(draw 5 40))" ;;
	1) input="$(draw 1 3), $(draw 9 24), $(draw 9 24)"
		net="a: conv2d($(draw 3 9), $(draw 2 3), stride=$(draw 1 2), pad=$(draw 0 1)) -> relu -> b: conv2d($(draw 2 6), 3, pad=1)" ;;
	2) input="$(draw 5 19), $((n * $(draw 4 9)))" net="a: attention($n, causal=yes)" ;;
	3) input="$(draw 3 6), $(draw 5 20)" net="a: gru($(draw 17 40)) -> b: started($(draw 40 60))" ;;
	4) input="$(draw 513 540)" batch="$(draw 97 110)" # operands are copied into panels, turned and not, weights are far
		net="a: dense(256) -> tanh -> b: dense($(draw 60 130))" ;;
	5) input="3, 18, $(draw 17 19)" batch=$(draw 11 13) # channels come last, sums run around tiles, samples go in strips
		net="a: conv2d(32, 3, pad=1) -> relu -> maxpool2d(2) -> b: conv2d($(draw 17 32), 3, pad=1)" ;;
	6) input="$(draw 20 40)" batch=$(draw 30 50) # maps stand behind tiles, and may store over no more than these do
		net="a: dense($(draw 200 300)) -> tanh -> b: added($(draw 17 40))" ;;
	7) input="$((12 * $(draw 2 5))), $(draw 17 60)" # of tiles that add, a side has two indices, and one overlaps
		net="a: joined($(draw 17 70))" ;;
	8) input="1, 28, 28" batch=$(draw 5 9) # few channels: dot products are added up sample by sample; and wide borders
		net="a: conv2d(6, 5, pad=2) -> relu -> maxpool2d(2) -> b: conv2d(16, 5) -> c: conv2d(16, 5, stride=$(draw 1 2), pad=4)" ;;
	9) input="$(draw 60 70), $((104 + 16 * $(draw 0 1)))" batch=$(draw 3 4) # what is copied into a panel is another one for each sample
		net="a: placed(512)" ;;
	esac
	write_net "$input" "$net" 'sgd(lr=0.01)' "$batch" <<-END
		def added(x[n], units) {
		  return x + (x -> dense(units) -> tanh -> dense(n))
		}
		def placed(x[m, n], units) {
		  return x + (x -> up: dense(units) -> gelu -> down: dense(n))
		}
		def joined(x[m, n], units) {
		  param w[m, units, n] ~ normal(0.1)
		  y[k < units] = sum[i, j] x[i, j] * w[i, k, j]
		  return y
		}
		def started(x[T, n], units) {
		  param w[units, units] ~ glorot
		  first = x[0] -> dense(units)
		  scan t < T, h[units] = first {
		    h'[i] = tanh(sum[j] w[i, j] * h[j] + x[t, i % n])
		    y = h'
		  }
		  return y
		}
	END
}

gcc -O1 -I"$ROOT/compiler" -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" "$B/libnnrun.a" "$B/libnnc.a" -o in_process \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
declare -A target=([-march=x86-64]=sse2 [-march=x86-64-v3]=avx2 [-march=x86-64-v4]=avx512)
machines=('-march=x86-64')
[ "$(uname -m)" = x86_64 ] || machines=('-O2')
! grep -q ' fma .* avx2 ' /proc/cpuinfo || machines+=('-march=x86-64-v3')
! grep -q ' avx512vl' /proc/cpuinfo || machines+=('-march=x86-64-v4')
gcc -O1 -DMODEL=m_model -I"$ROOT/runtime" -c "$ROOT/tests/check/steps.c"
for i in $(seq 1 $((10 + 0${SLOW:+60}))); do
	write_model "$i"
	reals=(float double)
	[ -n "${SLOW-}" ] || reals=("${reals[(i + seed) % 2]}")
	for real in "${reals[@]}"; do
		"$NNC" --prefix=m --real=$real model.nn -o m.c || fail "seed $seed, model $i does not compile: $(cat model.nn)"
		panels=$((panels + $(grep -c '^	*fill_' m.c || true)))
		adding=$((adding + $(grep -c '\.adds = 1' m.c || true)))
		borders=$((borders + $(grep -c '^	*const int [a-z0-9]*_from = ' m.c || true)))
		dotted=$((dotted + $(tr -d '\n' <m.c | grep -c '\.tail = [^;]*\.adds = 1' || true)))
		tiles=$((tiles + $(grep -c '^#ifdef TILE_PICK' m.c || true)))
		asked=$((asked + $(grep -c '\.ask = ' m.c || true)))
		added=$((added + $(grep -c "^	*add_" m.c || true)))
		whole=$((whole + $(grep -c '^	if (copied)' m.c || true)))
		copied=$((copied + $(grep -c '^		if (copied)' m.c || true)))
		within=$((within + $(grep -c '^			if (copied)' m.c || true)))
		across=$((across + $(grep -c "^	*across_" m.c || true)))
		followed=$((followed + $(grep -c '^	*for (int [a-z0-9]* = [a-z0-9]*_at; ' m.c || true)))
		strips=$((strips + $(grep -c '^static .*_in_strips[0-9]*(' m.c || true)))
		stripped=$((stripped + $(grep -c '^	[a-z].*_in_strips[0-9]*(' m.c || true)))
		tcc -DNN_PLAIN_LOOPS -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
		./steps 8 >plain
		for machine in "${machines[@]}"; do
			# -O1 takes half as long
			case $(((turn++ + seed) % 5)) in
			0) cc='clang -O1' ;;
			2) cc='gcc -O2' ;;
			*) cc='gcc -O1' ;;
			esac
			[ -z "${SLOW-}" ] || cc=${cc/-O1/-O2}
			file=m.c
			if [ $((RANDOM % 2)) != 0 ] && [ -n "${target[$machine]-}" ]; then
				file=one.c
				"$NNC" --prefix=m --real=$real "--target=${target[$machine]}" model.nn -o one.c
			fi
			$cc "$machine" -c $file -o m.o
			gcc steps.o m.o -o steps -lm
			./steps 8 >tiled
			[ $real = double ] && bound=1e-11 || bound=1e-4
			same "seed $seed, model $i, $real, $cc $machine $file: $(cat model.nn)" plain tiled $bound
		done
		# In process as well; and to the bit with --fp=strict, vector by vector (strict.sh optimises).
		./in_process 8 model.nn 0 fast $real >tiled
		same "seed $seed, model $i, $real, in process: $(cat model.nn)" plain tiled $bound
		"$NNC" --prefix=m --real=$real --fp=strict model.nn -o m.c
		gcc -O0 "$machine" -c m.c -o m.o
		gcc steps.o m.o -o steps -lm
		./steps 8 >tiled
		./in_process 8 model.nn 0 strict $real | cmp - tiled || fail "seed $seed, model $i, strict: $(cat model.nn)"
	done
	count=$((count + 1))
done
if [ "$seed" = 1 ]; then # which draws what needs each of these; of others only the numbers count
	[ $panels -gt 2 ] || fail "only $panels operands were copied into panels"
	[ $adding -gt 0 ] || fail "no sums run around their tiles"
	[ $borders -gt 1 ] || fail "tiles take sums over borders"
	[ $dotted -gt 0 ] || fail "no sums run around dot products"
	[ $tiles -gt 2 ] || fail "only $tiles sums were tiled"
	[ $added -gt 0 ] || fail "only $added sums were added to params"
	[ $whole -gt 0 ] || fail "no machine copies both operands"
	[ $copied -gt 0 ] || fail "no machine copies what others read in place"
	[ $within -gt 0 ] || fail "no copy is made within two loops"
	[ $across -gt 0 ] || fail "no vectors lie along the samples"
	[ $asked -gt 0 ] || fail "no tile asks for what the next ones read"
	[ $followed -gt 2 ] || fail "only $followed blocks of tiles have maps behind them"
	[ $strips -gt 0 ] || fail "no samples go in strips"
	[ $stripped -gt $strips ] || fail "a step and its gradients share no strips"
fi
echo "$count models (seed $seed): tiles give the numbers of plain loops on: ${machines[*]}"

# To the bit also where values lie in another order in process: sums go as they are written.
printf 'input x[67]\nparam w[33, 2, 66] ~ normal(1)\np[k < 33, i < 66] = sum[j < 2] w[k, j, i] * x[i + j - 1 else 0]\ny = relu(p)\nloss mean(y^2) - mean(y)\ntrain sgd(lr=0.1) batch=16\n' >lies.nn
"$NNC" --prefix=m --fp=strict lies.nn -o m.c
tcc -DMODEL=m_model -I"$ROOT/runtime" "$ROOT/tests/check/steps.c" m.c -o steps -lm
./steps 8 >tiled
./in_process 8 lies.nn 0 strict | cmp - tiled || fail "sums in another order than they are written"

# The weights of a recurrence are turned once, before its steps, so that vectors of results can read them.
printf 'input x[9, 24]\ntarget y[40]\ns, h = x -> gru(40)\nloss mse(h, y)\ntrain sgd(lr=0.1) batch=8\n' >turned.nn
"$NNC" turned.nn -o turned.c
sed -n '/^float turned_step(/,/^\tfor (int t/p' turned.c | grep -q 'compute_.*_operand(.*weight_hh' ||
	fail "no copy of the weights stands before the steps"
# Its inner loops have no tests: gates are separate loops, and only the ends of the scan ask what is beyond them.
grep -q 'if (t >= 1 && t < 8) {' turned.c || fail "no function asks once whether its step is at an end"
! grep -q ' == [0-2] ?' turned.c || fail "a loop tests the number of the gate: $(grep ' == [0-2] ?' turned.c)"
# What moves one factor only is summed over before the product.
printf 'input x[12, 40]\ntarget q[24, 40]\nparam w[3, 12, 24] ~ normal(1)\ny[i, j] = sum[h, t] w[h, t, i] * x[t, j]\nloss mse(y, q)\ntrain sgd(lr=0.1) batch=2\n' >summed.nn
"$NNC" summed.nn -o summed.c
grep -q 'w.operand\[.*\] = sum\[[^,]*\] w\[' summed.c || fail "two sums are not one after the other"
# Of few channels the gradient is made by dot products along the many that it sums over, with weights turned for them.
"$NNC" "$ROOT/tests/bench/W4.nn" -o few.c
grep -q 'conv2_weight_operand /\* \[5\]\[5\]\[6\]\[16\]' few.c || fail "weights are not turned for dot products"
# What is done element by element runs in vectors, even by gcc -O2, a choice between two tensors among it.
printf 'input x[37]\ntarget q[5]\ny = x -> a: dense(29) -> relu -> b: dense(5) -> gelu\nloss mse(y, q)\noutput y\ntrain sgd(lr=0.1) batch=8\n' >flat.nn
"$NNC" flat.nn -o flat.c
gcc -O2 -fno-trapping-math -c flat.c -fopt-info-vec 2>&1 | sed -n 's/^flat.c:\([0-9]*\):.*/\1/p' | sort -u >vectors
grep -n 'lane < 64' flat.c | cut -d: -f1 | sort | comm -13 vectors - >plain
[ ! -s plain ] && grep -q 'lane < 64' flat.c || fail "no vectors at these lines: $(cat plain)"
# No loop that a tile does not run worries gcc, which follows it all the way.
printf 'input x[512]\ntarget q[10]\ny = x -> dense(10)\nloss mse(y, q)\noutput y\ntrain sgd(lr=0.1) batch=1\n' >deep.nn
"$NNC" --target=avx2 deep.nn -o deep.c
[ "$(uname -m)" != x86_64 ] || gcc -O3 -march=haswell -Werror -c deep.c || fail "gcc -O3 warns of a tile"
# clang makes no scatters of a flat loop, as it does where it can unroll what runs in a round.
[ "$(uname -m)" != x86_64 ] || clang -O3 -mavx512f -S flat.c -o flat.s
! grep -s vscatter flat.s || fail "clang scatters the elements of a flat loop"
