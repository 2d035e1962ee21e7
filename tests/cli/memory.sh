# Little memory: every command ends with its work done or with "out of memory" and exit code 3, and leaves nothing half done.
. "$ROOT/tests/lib.sh"
[ -z "${SANITIZE-}" ] || skip "sanitizers need all the address space"
cp "$ROOT/examples/xor/xor.nn" "$ROOT/examples/xor/"*.csv .
done_at=0 refused=0
for ((limit = 4000; limit < 20000; limit += 250)); do
	for command in 'train xor.nn --data train.csv --quiet -o w' 'check xor.nn' 'xor.nn -o xor.c'; do
		result=0
		# shellcheck disable=SC2086
		(ulimit -v $limit && exec "$NNC" $command) >out 2>&1 || result=$?
		case $result in
		0) done_at=$limit ;;
		3) grep -q 'out of memory' out && [ ! -e w ] && [ ! -e xor.c ] || fail "$limit KB, $command: $(cat out)" && refused=$((refused + 1)) ;;
		1) fail "$limit KB, $command: exit code 1: $(cat out)" ;;
		127) ;; # there is not even room to start
		*) grep -q 'error while loading shared libraries' out || fail "$limit KB, $command: exit code $result: $(cat out)" ;;
		esac
		rm -f w xor.c xor.h
	done
done
[ $done_at -gt 0 ] && [ $refused -gt 0 ] || fail "no limit between too little and enough was tried"
