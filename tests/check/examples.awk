# examples.awk - make models from the examples of the standard library (the lines "#> left = right").
#
#   awk -v folder=DIR -f examples.awk STD.nn...
#
# DIR/value.N.nn    outputs left and right, which must agree
# DIR/known.N.nn    the same as an assertion, for what is known while compiling; the first line of either is the example
# DIR/step.N.nn     a param w that a step of the optimiser takes to right
# DIR/error.N.nn    must be refused with the words in DIR/error.N.text
# DIR/derive.N.nn   a loss of left with its tensors as params, for the derivative check; only where there are some

# The place of " = " or " error " outside of all brackets, in s.
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
# The value of an option of a call, and the call without it.
function option(call, name,    at, i, c, depth) {
	at = match(call, "[(, ]" name "=")
	if (!at) return ""
	at += length(name) + 2
	for (i = at; i <= length(call); i++) {
		c = substr(call, i, 1)
		if (c ~ /[(\[]/) depth++
		if (c ~ /[)\]]/ && depth-- == 0) break
		if (c == "," && depth == 0) break
	}
	return substr(call, at, i - at)
}
function example(text, kind,    at, left, right, file, w, g) {
	count++
	if (at = top_level(text, " error ")) {
		file = folder "/error." count
		print "# " text "\nresult = " substr(text, 1, at - 1) "\noutput result" >(file ".nn")
		print substr(text, at + 8, length(text) - at - 8) >(file ".text")
		return
	}
	at = top_level(text, " = ")
	left = substr(text, 1, at - 1)
	right = substr(text, at + 3)
	if (kind == "optimizer") {
		w = option(left, "w")
		g = option(left, "g")
		sub(/w=[^=]*, g=/, "g=", left)
		sub(/g=(\[[^\]]*\]|[^,)]*)(, )?/, "", left)
		print "# " text "\nparam w" (w ~ /^\[/ ? "[" shape_of(w) "]" : "") " = " w "\nloss sum(" g " * w)\n" \
			"output right = " right "\ntrain " left >(folder "/step." count ".nn")
		return
	}
	print "# " text "\noutput left = " left "\noutput right = " right >(folder "/value." count ".nn")
	print "# " text "\nassert (" left ") == (" right "), \"" count "\"\noutput none_needed = 1.0" \
		>(folder "/known." count ".nn")
	left = with_params(left)
	if (n_params && left !~ /batch\(/)
		print "# " text "\n" params "left = " left "\nloss sum(sin(left) * left)" >(folder "/derive." count ".nn")
}
/^#> / { pending[++n_pending] = substr($0, 4) }
/^(def|optimizer|init) / {
	for (k = 1; k <= n_pending; k++)
		example(pending[k], $1)
	n_pending = 0
}
