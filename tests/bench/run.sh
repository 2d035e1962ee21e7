# run.sh BUILD [OUT] - `make bench`: build what is timed, find the peers that are on this machine, and time all of it in one
# run. README.md says how to read the result. From the environment:
#   W=W2,W3     only these works             QUICK=1    fewer rows, builds and samples
#   PYTHON=P    with the peers' modules      CORE=1     the core that is used
#   MNIST=DIR   the data set                 SAMPLES=5  of each figure (13)
#   KANN=DIR    with its kann.c, kautodiff.c and their headers
#   RECORD=1    write answers.txt: in double by PyTorch where it is found, else by nnc in process
#   PEERS=0     nnc alone
# Files are written to OUT, BUILD/bench; what is there already and not older than its sources is used again.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/bench
build=$(cd "$1" && pwd)
out=${2:-$build/bench}
mkdir -p "$out/data" "$out/new"
cd "$out"
tab=$(printf '\t')
runtime="-I$root/compiler -I$root/runtime"
libraries="$build/libnnrun.a $build/libnnc.a -ltcc -ldl -lpthread -ljansson -lz -lm"
quick=${QUICK:-}
[ "$quick" != 0 ] || quick=
works=${W:-}
: >plan
: >log
: >compiles

plan() { # FIELD.. : one line of the plan
	line=$1
	shift
	for field; do line=$line$tab$field; done
	printf '%s\n' "$line" >>plan
}
has() { command -v "$1" >/dev/null 2>&1; }
stale() { # TARGET SOURCE.. : must it be made?
	[ -e "$1" ] || return 0
	[ -n "$(find "$@" -newer "$1")" ]
}
peers() { # : are they wanted?
	[ "${PEERS:-1}" != 0 ]
}
lacks() { # PEER WHY
	! peers || plan missing "$1" "$2"
}
compile() { # PROGRAM COMMAND.. : unless there is a newer one than all its sources, which are among the words
	program=$1
	shift
	sources=$(for word; do case $word in *.c | *.h | *.a) echo "$word" ;; esac; done)
	# shellcheck disable=SC2086
	! stale "$program" $sources "$here"/*.h "$here"/peers/*.h || "$@" -o "$program"
}
selected() { # WORK
	[ -z "$works" ] || case ",$works," in *,"${1%%_*}",* | *,"$1",*) ;; *) return 1 ;; esac
}

# The works of the rows, and the batches to build them for: all that are trained, and 1 where nothing is.
rows=$(awk -v quick="$quick" '!/^#/ && (quick == "" || $6 == "quick")' "$here/rows.txt" | while read -r work rest; do
	! selected "$work" || echo "$work $rest"
done)
builds=$(echo "$rows" | awk '$2 == "train" { if (!seen[$1, $3]++) print $1, $3; done[$1] = 1 }
	$2 == "forward" { later[$1 " " $3] = $1 }
	END { for (k in later) if (!done[later[k]]) print k }' | sort)
[ -n "$builds" ] || { echo "bench: no row of '$works'" >&2; exit 2; }

# ---- the harness and the data ----

compile bench gcc -O2 "$here"/bench.c "$here"/plan.c "$here"/child.c "$here"/measure.c "$here"/report.c "$here"/goals.c "$here"/json.c \
	"$here"/picture.c "$here"/subject.c -lm
compile limits_native gcc -O2 -march=native -ffp-contract=fast "$here"/limits.c "$here"/subject.c
plan limits native ./limits_native
if grep -qw avx2 /proc/cpuinfo 2>/dev/null; then
	compile limits_avx2 gcc -O2 -march=haswell -ffp-contract=fast "$here"/limits.c "$here"/subject.c
	plan limits avx2 ./limits_avx2
fi
# shellcheck disable=SC2086
compile make_data gcc -O2 $runtime "$here"/data.c $libraries
echo "$builds" | while read -r work _; do
	! stale "data/$work.w" "$here/$work.nn" make_data || ./make_data "$here/$work.nn" 128 data
done

# shellcheck disable=SC2086
compile in_process gcc -O2 $runtime "$here"/in_process.c "$here"/subject.c $libraries

python_with() { # MODULE : the Python that can import it
	peers || return 0
	for python in ${PYTHON:-} python3 /usr/bin/python3; do
		! "$python" -c "import $1" >/dev/null 2>&1 || { echo "$python"; return; }
	done
}
torch=$(python_with torch)
jax=$(python_with jax)
onnx=$(python_with onnxruntime)

if [ -n "${RECORD:-}" ]; then
	if [ -n "$torch" ]; then
		printf 'program\tPyTorch\tnative\t%s\t%s\tdata\tdouble\n' "$torch" "$here/peers/torch_subject.py" >plan
	else
		printf 'program\tnnc\tnative\t./in_process\tdata\t%s\tdouble\n' "$here" >plan
	fi
	exec ./bench -r -w "$works" plan "$here/rows.txt" "$here/answers.txt" data result
fi

# ---- nnc: ahead of time with each compiler, and in process ----

for work in $(echo "$builds" | tr ' ' _); do
	"$build/nnc" "$here/${work%_*}.nn" --batch="${work##*_}" --prefix="$work" -o "new/$work.c"
	for file in "$work.c" "$work.h"; do # what has not changed is not built again
		cmp -s "new/$file" "$file" || cp "new/$file" "$file"
	done
done

ours() { # FOLDER NAME LIMIT COMPILER FLAGS.. : a program of all models, and its line of the plan
	folder=$1 name=$2 limit=$3
	shift 3
	has "$1" || { plan missing "$name" "no $1"; return; }
	mkdir -p "$folder"
	echo "$*" | cmp -s - "$folder/flags" || echo "$*" >"$folder/flags"
	list="" objects=""
	for work in $(echo "$builds" | tr ' ' _); do
		list="$list $work" objects="$objects $folder/$work.o"
		! stale "$folder/$work.o" "$work.c" "$here/ours.c" "$here/ours.h" "$folder/flags" ||
			echo "$* -c -DMODEL=$work -DWORK=${work%_*} -DBATCH=${work##*_} -DSOURCE='\"$out/$work.c\"' -I$out -I$here" \
				"$here/ours.c -o $folder/$work.o" >>compiles
	done
	{
		echo '#include "ours.h"'
		for work in $list; do echo "extern const struct ours ${work}_subject;"; done
		echo 'const struct ours *const all_ours[] = {'
		for work in $list; do echo "	&${work}_subject,"; done
		echo '	0};'
	} >"$folder/list.c"
	echo "$folder $objects" >>links
	plan program "$name" "$limit" "./$folder/ours" data
}
: >links
flags='-ffp-contract=fast -fno-math-errno -fno-trapping-math'
# shellcheck disable=SC2086
{
	ours gcc_O2 'nnc by gcc -O2' native gcc -O2 -march=native -mprefer-vector-width=512 $flags
	if [ -z "$quick" ]; then
		ours gcc_O3 'nnc by gcc -O3' native gcc -O3 -march=native -mprefer-vector-width=512 $flags
		ours clang_O2 'nnc by clang -O2' native clang -O2 -march=native -mprefer-vector-width=512 $flags
		! grep -qw avx2 /proc/cpuinfo 2>/dev/null || ours avx2 'nnc by gcc -O3, AVX2' avx2 gcc -O3 -march=haswell $flags
	fi
}
tr '\n' '\0' <compiles | xargs -0 -r -n 1 -P "$(nproc)" sh -c
while read -r folder objects; do
	# shellcheck disable=SC2086
	gcc -O2 -I"$here" "$folder/list.c" "$here/ours_main.c" "$here/subject.c" $objects -o "$folder/ours" -lm
done <links
plan program 'nnc in process (tcc)' native ./in_process data "$here" tcc
plan program 'nnc in process (cc)' native ./in_process data "$here" cc
[ -n "$quick" ] || plan program 'nnc in 2 threads (cc)' native ./in_process data "$here" cc 2

# ---- peers ----

has_library() { # HEADER LIBRARY
	echo "#include <$1>
		int main(void) { return 0; }" | gcc -x c - -o has_library "$2" 2>/dev/null
}
peer() { # PROGRAM WORD.. : C by hand, which is not hurt by -ffast-math
	program=$1
	shift
	compile "$program" gcc -O3 -march=native -ffast-math "$here/subject.c" "$@" -lm
}
peer plain "$here/peers/plain.c"
plan program 'C by hand' native ./plain data
library() { # NAME HEADER LIBRARY FLAG..
	name=$1 header=$2 link=$3
	shift 3
	peers && has_library "$header" "$link" || { lacks "$name" "no $header and $link"; return; }
	suffix=$(echo "$link" | tr -c 'a-z\n' _)
	peer "library$suffix" "$here/peers/library.c" "$@" "$link"
	peer "recurrent$suffix" "$here/peers/recurrent.c" "$@" "$link"
	plan program "C + $name, fused" native "./library$suffix" data fused
	[ -n "$quick" ] || plan program "C + $name" native "./library$suffix" data classic
	plan program "C + $name, W6" native "./recurrent$suffix" data
}
library OpenBLAS openblas_config.h -lopenblas
library oneDNN dnnl.h -ldnnl -DUSE_DNNL
[ -n "$quick" ] || library BLIS blis.h -lblis

kann() { # NAME PROGRAM FLAG..
	name=$1 program=$2
	shift 2
	peer "$program" "$here/peers/kann.c" "$KANN/kann.c" "$KANN/kautodiff.c" -I"$KANN" "$@"
	plan program "$name" native "./$program" data
}
if peers && [ -e "${KANN:-}/kautodiff.c" ]; then
	kann KANN kann
	! has_library cblas.h -lopenblas || kann 'KANN + OpenBLAS' kann_openblas -DHAVE_CBLAS -lopenblas
else
	lacks KANN 'no kann.c and kautodiff.c in $KANN'
fi

if [ -n "$torch" ]; then
	plan program 'PyTorch' native "$torch" "$here/peers/torch_subject.py" data eager
	plan program 'PyTorch, jit' native "$torch" "$here/peers/torch_subject.py" data jit
	[ -n "$quick" ] || plan program 'PyTorch, channels last' native "$torch" "$here/peers/torch_subject.py" data nhwc
else
	lacks PyTorch 'no Python with the module torch'
fi
if [ -n "$jax" ]; then
	plan program 'JAX' native "$jax" "$here/peers/jax_subject.py" data
else
	lacks JAX 'no Python with the module jax'
fi
if [ -n "$onnx" ]; then
	plan program 'ONNX Runtime' native "$onnx" "$here/peers/onnx_subject.py" data
else
	lacks 'ONNX Runtime' 'no Python with the module onnxruntime'
fi

# ---- whole processes ----

group='To C, by nnc'
for work in $(echo "$builds" | tr ' ' _); do
	plan process "$group" "$work" "$build/nnc" "$here/${work%_*}.nn" --batch="${work##*_}" -o compiled.c
done
layers() { # N : a chain of equal layers
	[ -e "layers$1.nn" ] || cat >"layers$1.nn" <<-END
		input  x[16]
		target t[16]
		h = x
		repeat $1 { h = h -> dense(16) -> tanh }
		loss   mse(h, t)
		output h
		train  sgd(lr=0.1)
	END
	"$build/nnc" "layers$1.nn" -o "layers$1.c"
}
for n in 10 100 1000; do
	layers $n
	plan process "$group" "$n layers" "$build/nnc" layers$n.nn -o compiled.c
done
group='From C to an object, by gcc -O2'
if [ -z "$quick" ]; then
	for work in $(echo "$builds" | tr ' ' _); do
		plan process "$group" "$work" gcc -O2 -c "$work.c" -o compiled.o
	done
	for n in 10 40 160; do
		layers $n
		plan process "$group" "$n layers" gcc -O2 -c layers$n.c -o compiled.o
	done
fi

# shellcheck disable=SC2086
{
	# a program without shared libraries starts half a millisecond sooner
	compile first_step gcc -O2 -static $runtime "$here"/first_step.c $libraries 2>/dev/null ||
		compile first_step gcc -O2 $runtime "$here"/first_step.c $libraries
	gcc -O2 -c -DATTACHED=W2_model $runtime "$here"/first_step.c -o first_attached.o
}
group='From the start of a process to the end of the first step of W2, batch 32'
plan process "$group" 'nnc in process (tcc)' ./first_step "$here/W2.nn"
plan process "$group" 'nnc, gcc -O2 and a run' sh -c \
	"$build/nnc $here/W2.nn -o first.c && gcc -O2 -march=native first.c first_attached.o $libraries -o first && ./first -"
[ -z "$torch" ] || plan process "$group" PyTorch "$torch" "$here/peers/torch_subject.py" data eager first
[ -z "$jax" ] || plan process "$group" JAX "$jax" "$here/peers/jax_subject.py" data first

mnist=${MNIST:-$root/../shared/data/mnist}
if [ ! -d "$mnist" ]; then
	plan missing MNIST 'no folder with its files in $MNIST'
elif [ -z "$quick" ]; then
	# shellcheck disable=SC2086
	{
		compile mnist gcc -O2 $runtime "$here"/mnist.c $libraries
		gcc -O2 -c -DATTACHED=mnist_model $runtime "$here"/mnist.c -o mnist_attached.o
	}
	group='From the source text to 97 % of the test set of MNIST'
	plan process "$group" 'nnc, gcc -O2 and a run' sh -c \
		"$build/nnc $here/mnist.nn -o mnist_cc.c && gcc -O2 -march=native -mprefer-vector-width=512 $flags mnist_cc.c mnist_attached.o $libraries -o mnist_cc && ./mnist_cc - $mnist tcc"
	for jit in tcc cc auto; do
		plan process "$group" "nnc in process ($jit)" ./mnist "$here/mnist.nn" "$mnist" $jit
	done
fi

case " $builds " in *"W3 128"*)
	compile memory gcc -O2 -I. "$here/memory.c" W3_128.c -lm
	./memory >>plan
	;;
esac

# shellcheck disable=SC2086
./bench ${quick:+-q} ${SAMPLES:+-n $SAMPLES} ${CORE:+-c $CORE} -w "$works" -g "$here/goals.txt" plan "$here/rows.txt" \
	"$here/answers.txt" data result
