# The models of streams.models step by step, in process, against forward; and those that cannot be say why.
. "$ROOT/tests/lib.sh"
write_models "$ROOT/tests/check/streams.models"
gcc -O1 -g -Wall -Wextra -I"$ROOT/runtime" -I"$ROOT/compiler" "$ROOT/tests/check/streams.c" -o streams ${SANITIZE-} "$B/libnnrun.a" "$B/libnnc.a" \
	-ltcc -ldl -lpthread -ljansson -lz -lm
./streams models/*.nn >result || { cat result; exit 1; }

refused() { # WHY MODEL
	sed 's/; */\n/g' <<<"$2" >m.nn
	"$NNC" m.nn -o m.c
	tr '\n' ' ' <m.h | grep -qF "There is no m_stream_step: $1" || { grep stream m.h; fail "expected '$1' of: $2"; }
}
refused "'net.l0.a.sum' needs 'x' at other steps than its own" 'input x[5, 2]; h = reverse(x) -> net: gru(3); output h'
refused "'m.sum' needs 'gru.l0.next' at other steps than its own" 'input x[5, 2]; h = x -> gru(3); m[i] = mean[t] h[t, i]; output m'
tail -n 1 result
