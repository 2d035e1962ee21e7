# --jit and --cache: the same results by libtcc, by a C compiler and by one after the other; what is kept is used again.
. "$ROOT/tests/lib.sh"
moons 'tanh -> dropout(0.2) -> batchnorm' 'epochs=3 batch=30'
# a C compiler that notes how it was called; it optimises what is compiled first, which is quicker for the others
cat >counted <<'END_CC'
#!/bin/sh
effort=-O0
[ -s calls ] || effort=
echo "$*" >>calls
exec gcc "$@" $effort
END_CC
chmod +x counted
export CC=$PWD/counted XDG_CACHE_HOME=$PWD/home
run() { # WEIGHTS OPTION...
	local weights=$1
	shift
	"$NNC" train net.nn --data "$data" --fp=strict --quiet "$@" -o "$weights" >out 2>messages || fail "$*: $(cat messages)"
}
compiled() { grep -c -e '-shared' calls || true; }
: >calls

run tcc.w
[ "$(wc -l <calls)" = 0 ] || fail "libtcc alone is not alone: $(cat calls)"
run cc.w --jit=cc -v
grep -q 'by the C compiler since step 0' messages || fail "cc: $(cat messages)"
cmp tcc.w cc.w || fail "another compiler, other bits"
run auto.w --jit=auto
cmp tcc.w auto.w || fail "another compiler on the way, other bits"
grep -q -e '-ffp-contract=off' calls || fail "strict mode lets the compiler contract"
! grep -q 'fast-math' calls || fail "fast-math"

# it was kept, for this user alone, and is used again
[ "$(stat -c %a home/nnc)" = 700 ] && [ "$(ls home/nnc | wc -l)" = 1 ] || fail "cache: $(ls -la home/nnc)"
[ "$(compiled)" = 1 ] || fail "compiled $(compiled) times"
"$NNC" eval net.nn --data "$data" --fp=strict --load cc.w --jit=cc >eval.cc
"$NNC" eval net.nn --data "$data" --fp=strict --load cc.w >eval.tcc
cmp eval.cc eval.tcc
"$NNC" predict net.nn --data "$data" --fp=strict --load cc.w --jit=cc >predict.cc
"$NNC" predict net.nn --data "$data" --fp=strict --load cc.w >predict.tcc
cmp predict.cc predict.tcc
[ "$(compiled)" = 1 ] || fail "compiled $(compiled) times for one model"
# other flags, another model: another object
"$NNC" eval net.nn --data "$data" --load cc.w --jit=cc >eval.fast
[ "$(compiled)" = 2 ] || fail "compiled $(compiled) times for two modes"
grep -q -e '-ffp-contract=fast' calls || fail "no contraction in fast mode"
run folder.w --jit=cc --cache=a/b/c/
[ "$(ls a/b/c | wc -l)" = 1 ] && [ "$(stat -c %a a/b/c)" = 700 ] || fail "--cache=a/b/c"
[ "$(compiled)" = 3 ] || fail "another folder had the object"

# nothing is kept
run none.w --jit=cc --cache=none
cmp tcc.w none.w
[ "$(compiled)" = 4 ] || fail "--cache=none"
[ "$(ls home/nnc | wc -l)" = 2 ] || fail "--cache=none left something"

# what somebody else may have written is not run
chmod 777 a/b/c
run open.w --jit=cc --cache=a/b/c
grep -q 'warning: compiled code is not kept in this folder' messages || fail "an open folder: $(cat messages)"
[ "$(compiled)" = 5 ] || fail "an object from an open folder was run"
chmod 700 a/b/c
chmod 722 a/b/c/*
run open.w --jit=cc --cache=a/b/c
[ "$(compiled)" = 6 ] || fail "an object that others can write to was run"
# nor what is damaged: most of it gone, its end gone, a bit changed, another model's under its name
object=$(echo a/b/c/*.so)
cp "$object" whole
size=$(stat -c %s whole)
for damage in 100 $((size / 2)) $((size - 1)) bit other; do
	case $damage in
	bit) { head -c $((size / 2)) whole && printf '\125' && tail -c +$((size / 2 + 2)) whole; } ;;
	other) cat "$(echo home/nnc/*.so | cut -d' ' -f1)" ;;
	*) head -c "$damage" whole ;;
	esac >damaged
	! cmp -s whole damaged || printf '\252' | dd of=damaged bs=1 seek=$((size / 2)) conv=notrunc 2>dd
	cat damaged >"$object"
	before=$(compiled)
	run cut.w --jit=cc --cache=a/b/c
	cmp tcc.w cut.w
	[ "$(compiled)" = $((before + 1)) ] || fail "a damaged object was run: $damage"
	run cut.w --jit=cc --cache=a/b/c
	[ "$(compiled)" = $((before + 1)) ] || fail "the object in place of a damaged one is not used: $damage"
done
# a folder that cannot be made
: >file
run file.w --jit=cc --cache=file/cache
cmp tcc.w file.w
grep -q 'warning: compiled code is not kept' messages || fail "no folder: $(cat messages)"
XDG_CACHE_HOME=$PWD/file run quiet.w --jit=cc
[ ! -s messages ] || fail "nobody asked for a cache: $(cat messages)"

# a full one, where a small file system can be had: at some size there is room for the text, but none for the object
mkdir small
if unshare -m mount -t tmpfs -o size=20k tmpfs small 2>/dev/null; then
	export NNC data
	for ((size = 24; size < 200; size += 12)); do
		! unshare -m sh -c 'mount -t tmpfs -o size="$1"k,mode=700 tmpfs small &&
			exec "$NNC" train net.nn --data "$data" --jit=cc --cache=small -o full.w' - $size >out 2>>messages.full || break
		[ ! -e full.w ] || fail "weights without training"
	done
	grep -q 'no space is left in small/' messages.full || fail "up to $size KB: $(cat messages.full)"
fi

# no C compiler
export CC=$PWD/nowhere
code 1 "$NNC" train net.nn --data "$data" --jit=cc -o no.w
says "error: there is no C compiler '$PWD/nowhere'" "$NNC" train net.nn --data "$data" --jit=cc -o no.w
[ ! -e no.w ] || fail "weights without training"
run no.w --jit=auto --epochs=40
[ ! -s messages ] || fail "no C compiler, --jit=auto: $(cat messages)"
# one that fails: a message, once
printf '#!/bin/sh\necho "cc: error: out of ideas" >&2\nexit 1\n' >broken
chmod +x broken
export CC=$PWD/broken
says 'out of ideas' "$NNC" train net.nn --data "$data" --jit=cc -o no.w
code 1 "$NNC" train net.nn --data "$data" --jit=cc -o no.w
run broken.w --jit=auto --epochs=3000
[ "$(grep -c 'warning: .*out of ideas; goes on without' messages)" = 1 ] || fail "a broken compiler: $(cat messages)"
run plain.w --epochs=3000
cmp plain.w broken.w
# one that knows few flags
printf '#!/bin/sh\ncase "$*" in *-march*) exit 1;; esac\nexec gcc "$@" -O0\n' >old
chmod +x old
CC="$PWD/old -DUNUSED" run old.w --jit=cc
cmp tcc.w old.w
code 2 "$NNC" train net.nn --data "$data" --jit=gcc
