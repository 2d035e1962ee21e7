# networks.awk - COUNT random networks from the library, one a line as quad.c reads them: awk -v seed=N -v count=N
# A network is a chain of layers that fit the shape at hand, an image, a sequence or a vector, down to a vector and a loss.
function pick(n) { return int(rand() * n) }
function one_of(list,    n, part) { n = split(list, part, " "); return part[1 + pick(n)] }
function add(layer) { text = text " -> " layer }
function bend() { if (rand() < 0.6) add(one_of("tanh sigmoid silu gelu softplus softsign mish elu selu")) }
function image(    k, s, o) {
	k = 1 + pick(h < w ? (h < 3 ? h : 3) : (w < 3 ? w : 3)); s = 1 + pick(2); o = 1 + pick(3)
	r = pick(8)
	if (r < 3) {
		add("conv2d(" o ", " k ", stride=" s ")"); c = o
		h = int((h - k) / s) + 1; w = int((w - k) / s) + 1
		bend()
	} else if (r == 3) { add("avgpool2d(" k ", stride=" s ")"); h = int((h - k) / s) + 1; w = int((w - k) / s) + 1 }
	else if (r == 4) add(one_of("batchnorm(eps=0.1) groupnorm(1,eps=0.1) instancenorm(eps=0.1,affine=yes) softmax2d"))
	else if (r == 5) { add("depthwise_conv2d(3, pad=1)") }
	else if (r == 6 && h * w < 10) { add("upsample_bilinear(2)"); h *= 2; w *= 2 }
	else { add("conv_transpose2d(" o ", " k ")"); c = o; h += k - 1; w += k - 1; bend() }
}
function sequence(    o) {
	o = 1 + pick(4); r = pick(7)
	if (r == 0) { add("rnn(" o ")"); w = o }
	else if (r == 1) { add("gru(" o ")"); w = o }
	else if (r == 2) { add("lstm(" o ")"); w = o }
	else if (r == 3) { add("attention(" w ")") }
	else if (r == 4) add("layernorm(eps=0.1)")
	else if (r == 5) { add("gru(" o ",bidirectional=yes)"); w = 2 * o }
	else { add("dense(" o ")"); w = o; bend() }
}
function vector(    o) {
	o = 1 + pick(6); r = pick(4)
	if (r < 2) { add("dense(" o ")"); w = o; bend() }
	else if (r == 2) add("layernorm(eps=0.1)")
	else add("softmax")
}
BEGIN {
	srand(seed)
	count = count ? count : 120
	for (i = 1; i <= count; i++) {
		kind = pick(3); c = 1 + pick(3); h = 3 + pick(4); w = 2 + pick(4)
		shape = kind == 0 ? c ", " h ", " w : kind == 1 ? h ", " w : w
		text = "input x[" shape "]; "
		loss = pick(3)
		text = text (loss == 0 ? "target t[3]; " : loss == 1 ? "target t: class[3]; " : "target t[3]; ") "y = x"
		for (k = 1 + pick(3); k > 0; k--)
			kind == 0 ? image() : kind == 1 ? sequence() : vector()
		if (kind < 2) add("flatten")
		text = text " -> dense(3); output y; "
		text = text "loss " (loss == 0 ? "mse(y, t)" : loss == 1 ? "cross_entropy(y, t)" : "bce_with_logits(y, t)")
		print "n" i ": " text "; train " one_of("sgd(lr=0.05) adam(lr=0.01,eps=0.01)") " batch=3"
	}
}
