# examples.awk - make models from the examples of the standard library (the lines "#> left = right"): a loss of the left
# side, its tensors as params. `nnc test` runs the examples themselves; this is for their derivatives.
#
#   awk -v folder=DIR -f examples.awk STD.nn...      writes DIR/example.N.nn, the first line is the example
#
# Left out: examples without a tensor of numbers, and batch(..), which takes constants only.

# The place of a mark outside of all brackets in s, or 0.
function top_level(s, mark,    i, c, depth) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c ~ /[(\[]/) depth++
		if (c ~ /[)\]]/) depth--
		if (depth == 0 && substr(s, i, length(mark)) == mark) return i
	}
	return 0
}
# Where the bracket that opens at i closes.
function closing(s, i,    c, depth) {
	for (; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c ~ /[(\[]/) depth++
		if (c ~ /[)\]]/ && --depth == 0) return i
	}
	return 0
}
# The shape of an array literal: "2, 3".
function shape_of(a,    inner, n, i, c, depth, first) {
	inner = substr(a, 2, length(a) - 2)
	n = 1
	for (i = 1; i <= length(inner); i++) {
		c = substr(inner, i, 1)
		if (c == "[") depth++
		if (c == "]") depth--
		if (c == "," && depth == 0) n++
	}
	first = substr(inner, 1, 1) == "[" ? substr(inner, 1, closing(inner, 1)) : ""
	return first == "" ? n : n ", " shape_of(first)
}
# s with its arrays of numbers replaced by params, whose declarations go to `params`.
function with_params(s,    i, c, before, end, a, out) {
	params = ""
	n_params = 0
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		before = substr(s, i - 1, 1)
		if (c == "[" && before !~ /[A-Za-z0-9_)\]]/) {
			end = closing(s, i)
			a = substr(s, i, end - i + 1)
			if (a !~ /[A-Za-z(]/) {
				params = params "param tensor" n_params "[" shape_of(a) "] = " a "\n"
				out = out "tensor" n_params++
				i = end
				continue
			}
		}
		out = out c
	}
	return out
}
/^#> / && (at = top_level($0, " = ")) {
	left = with_params(substr($0, 4, at - 4))
	if (n_params && left !~ /batch\(/)
		pending[++n_pending] = "# " substr($0, 4) "\n" params "left = " left "\nloss sum(left^2 + left)"
}
/^(def|init) / {
	for (k = 1; k <= n_pending; k++)
		print pending[k] >(folder "/example." ++count ".nn")
}
/^(def|optimizer|init) / { n_pending = 0 }
