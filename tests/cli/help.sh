# --help names every option; --help=std every definition of the library, with its text and examples.
. "$ROOT/tests/lib.sh"
"$NNC" --help >help
for option in -o -D -I -MD -W --emit --dump --prefix --batch --real --unroll --inference-only --weights --fp; do
	grep -q -e "$option" help || fail "--help does not name $option"
done
for command in train eval predict summary check; do
	grep -q -e "$command" help || fail "--help does not name $command"
done
"$NNC" --version | grep -q '^nnc [0-9]*\.[0-9]*\.[0-9]' || fail "$("$NNC" --version)"
"$NNC" --help=std >std
for name in $(sed -n 's/^\(def\|optimizer\|init\) *\([A-Za-z_0-9]*\)(.*/\2/p' "$ROOT"/grammar/std/*.nn); do
	grep -qw "$name" std || fail "--help=std does not name $name"
done
grep -q 'dense(\[1, 2\], 1' std || fail "--help=std shows no examples"
"$NNC" --help=softmax | grep -q softmax || fail "--help=softmax"
"$NNC" --help=softmx 2>err && fail "--help=softmx succeeds"
grep -q "did you mean 'softmax'" err || fail "--help=softmx: $(cat err)"
"$NNC" --help=nothing_like_it 2>err && fail "--help of what there is not succeeds"
grep -q -e '--help=std' err || fail "--help of what there is not: $(cat err)"
