# Same input, same bytes out: run again, in another locale, from another folder.
. "$ROOT/tests/lib.sh"
other=$(locale -a | grep -i -m 1 -e '^de_.*utf' -e '^fr_.*utf' -e '^tr_.*utf' || echo C.UTF-8)
mkdir -p a 'another folder/b'
all() {
	"$NNC" --prefix=m "$1" -o m.c && "$NNC" --emit=graph --prefix=m "$1" -o m.graph &&
		"$NNC" --emit=dot --prefix=m "$1" -o m.dot && "$NNC" summary "$1" >m.summary
}
count=0
for model in $(models); do
	name=$(basename "$model")
	cp "$model" a/
	cp "$model" 'another folder/b/'
	(cd a && all "$name") || fail "$model"
	(cd 'another folder/b' && LC_ALL=$other LANG=$other all "$name") || fail "$model in $other"
	for file in m.c m.h m.graph m.dot m.summary; do
		cmp "a/$file" "another folder/b/$file" || fail "$model: $file"
	done
	# the folder's own name must not be in it either
	all "$model"
	cmp m.c a/m.c || fail "$model: path in the output"
	count=$((count + 1))
done
echo "$count models: the same bytes from another folder, in $other"
