# expand.awk - models from the lines of standard.models: $X stands for a list, and {a|b|c} has the k-th choice in the k-th
# model of its line.
function choice(list, k,    n, part) {
	n = split(list, part, "|")
	return part[k % n + 1]
}
function longest(text,    n, most, part) {
	most = 1
	while (match(text, /\{[^{}]*\}/)) {
		n = split(substr(text, RSTART, RLENGTH), part, "|")
		if (n > most) most = n
		text = substr(text, RSTART + RLENGTH)
	}
	return most
}
function model(text, k,    out) {
	while (match(text, /\{[^{}]*\}/)) {
		out = out substr(text, 1, RSTART - 1) choice(substr(text, RSTART + 1, RLENGTH - 2), k)
		text = substr(text, RSTART + RLENGTH)
	}
	return out text
}
/^\$/ { list[substr($1, 1, 2)] = $0; sub(/^[^ ]* /, "", list[substr($1, 1, 2)]); next }
/^#/ || $2 == "see" { next }
{
	for (name in list)
		while (i = index($0, name)) $0 = substr($0, 1, i - 1) list[name] substr($0, i + length(name))
	name = $1
	sub(/:$/, "", name)
	text = substr($0, length($1) + 2)
	for (k = 0; k < longest(text); k++)
		print name "." ++count[name] ": " model(text, k)
}
