# Every definition of the library that PyTorch has: outputs, losses, gradients, training runs, and saved networks, against
# the numbers in tests/torch (see golden.py there).
. "$ROOT/tests/lib.sh"
gcc -std=c11 -O1 -iquote "$ROOT/compiler" -iquote "$ROOT/runtime" "$ROOT/tests/check/torch.c" "$B/internal.a" -o torch \
	${SANITIZE-} -ltcc -ldl -lpthread -ljansson -lz -lm
./torch "$ROOT/tests/torch" $(cd "$ROOT/tests/torch" && ls -- *.safetensors | grep -v '^net_') >result || { cat result; exit 1; }
tail -n 1 result
