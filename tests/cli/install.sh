# make install into a folder of its own; a program that has names of its own builds against it through pkg-config.
. "$ROOT/tests/lib.sh"
make -s -C "$ROOT" B="$B" PREFIX=/opt/nnc DESTDIR="$T/root" install
for file in bin/nnc lib/libnnc.a lib/libnnrun.a include/nnc/nnc.h include/nnc/runtime.h include/nnc/model.h \
	lib/pkgconfig/nnc.pc share/man/man1/nnc.1; do
	[ -s "root/opt/nnc/$file" ] || fail "$file is not installed"
done
cat >host.c <<'END'
#include <nnc.h>
#include <runtime.h>
#include <stdio.h>
#include <string.h>

/* names that the libraries use inside */
int elaborate, simplify, verify, differentiate, parse_source, arena_alloc, nn_parse, report_error, jit_compile, host_alloc;

int main(void)
{
	const char *text = "input x[2]\nparam w[2] = 1\nloss sum(w * x)\noutput y = sum(w * x)\ntrain sgd(lr=0.5)\n";
	nnr_model *m = nnr_open_text("m.nn", text, strlen(text), NULL, NULL);
	const float x[2] = {2, 3};
	const void *in[] = {x};
	float y;
	void *out[] = {&y};
	if (!m || nnr_predict(m, in, out, 1))
		return 1;
	printf("%s %g\n", NNC_VERSION, y);
	nnr_close(m);
	return 0;
}
END
export PKG_CONFIG_PATH=$T/root/opt/nnc/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$T/root
# shellcheck disable=SC2046
gcc -Wall -Werror host.c $(pkg-config --cflags --static --libs nnc) ${SANITIZE-} -o host
[ "$(./host)" = "$(pkg-config --modversion nnc) 5" ] || fail "host prints $(./host)"
for library in libnnc.a:nnc_ libnnrun.a:nnr_; do
	nm --defined-only -g "root/opt/nnc/lib/${library%:*}" 2>/dev/null | awk 'NF == 3 { print $3 }' |
		grep -v "^${library#*:}" >others || true
	[ ! -s others ] || fail "$library has public names of others: $(head others)"
done
nm --undefined-only root/opt/nnc/lib/libnnc.a | grep -wE 'printf|fprintf|vfprintf|puts|fputs|exit|abort' && fail "libnnc prints or exits"
make -s -C "$ROOT" B="$B" PREFIX=/opt/nnc DESTDIR="$T/root" uninstall
[ -z "$(find root -type f)" ] || fail "left after uninstall: $(find root -type f)"
