/* jit.c - C text to code in this process, by libtcc.
 *
 * The compiler is told not to look for any library (-nostdlib), so that nothing but this program is needed at run
 * time and starting takes a fraction of a millisecond; what generated code may call is handed over by name. Several
 * pieces of code may live at the same time; libtcc itself serialises their compilation.
 *
 * Only the functions whose meaning is the same in every version of libtcc are used, and compilation comes strictly
 * before relocation, as newer ones demand. */
#define _DEFAULT_SOURCE
#include "jit.h"

#include <libtcc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "late.h"
#include "random.h"
#include "tile_set.h"

/* Newer versions dropped the second argument of tcc_relocate together with the macro for it. */
#ifdef TCC_RELOCATE_AUTO
#define RELOCATE(tcc) tcc_relocate(tcc, TCC_RELOCATE_AUTO)
#else
#define RELOCATE(tcc) tcc_relocate(tcc)
#endif

typedef void any_function(void);
/* A function of libm for double and for float. */
#define BOTH(name, namef)                                                                                              \
	{#name, (any_function *)name}, { #namef, (any_function *)namef }

static const struct symbol {
	const char *name;
	any_function *function;
} symbols[] = {
	BOTH(exp, expf),
	BOTH(exp2, exp2f),
	BOTH(expm1, expm1f),
	BOTH(log, logf),
	BOTH(log2, log2f),
	BOTH(log10, log10f),
	BOTH(log1p, log1pf),
	BOTH(sin, sinf),
	BOTH(cos, cosf),
	BOTH(tan, tanf),
	BOTH(asin, asinf),
	BOTH(acos, acosf),
	BOTH(atan, atanf),
	BOTH(atan2, atan2f),
	BOTH(sinh, sinhf),
	BOTH(cosh, coshf),
	BOTH(tanh, tanhf),
	BOTH(erf, erff),
	BOTH(erfc, erfcf),
	BOTH(pow, powf),
	BOTH(sqrt, sqrtf),
	BOTH(cbrt, cbrtf),
	BOTH(fabs, fabsf),
	BOTH(floor, floorf),
	BOTH(ceil, ceilf),
	BOTH(round, roundf),
	BOTH(trunc, truncf),
	BOTH(rint, rintf),
	BOTH(nearbyint, nearbyintf),
	BOTH(fmod, fmodf),
	BOTH(fmin, fminf),
	BOTH(fmax, fmaxf),
	BOTH(copysign, copysignf),
	BOTH(ldexp, ldexpf),
	{"memcpy", (any_function *)memcpy},
	{"memmove", (any_function *)memmove},
	{"memset", (any_function *)memset},
	{"random_words", (any_function *)random_words},
	BOTH(nn_uniform, nn_uniformf),
	BOTH(nn_normal, nn_normalf),
	{"nn_late", (any_function *)nn_late},
};

/* libtcc takes pointers to objects; C converts none to a function into one, POSIX says they are alike. */
static int add_symbol(TCCState *tcc, const char *name, any_function *function)
{
	union {
		any_function *function;
		void *object;
	} at = {.function = function};
	return tcc_add_symbol(tcc, name, at.object);
}

static int add_symbols(TCCState *tcc, const struct jit_host *host)
{
	const struct tile_set *tiles = host ? host->tiles : NULL;
	for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
		if (add_symbol(tcc, symbols[i].name, symbols[i].function) < 0)
			return -1;
	if (tiles && add_symbol(tcc, "nn_tile_fill", tiles->fill) < 0)
		return -1;
	if (host && host->maps && tcc_add_symbol(tcc, "nn_maps", host->maps) < 0)
		return -1;
	if (host && host->words && tcc_add_symbol(tcc, "nn_words", host->words) < 0)
		return -1;
	if (host && host->tile && tcc_add_symbol(tcc, "nn_tiles", host->tile) < 0)
		return -1;
	return host && host->parts ? tcc_add_symbol(tcc, "nn_parts", host->parts) : 0;
}

/* libtcc calls exit() where memory runs out before or after the compilation proper. So it is started only if all that
 * it takes is there: measured, 1.7 MB and 5 times the text. It is asked of the system, not of malloc, which would take
 * the size for a usual one and keep what is freed: a model's memory would be old pages that calloc has to clear. */
bool jit_has_room(const char *text)
{
	enum { BASE = 3 << 20, PER_BYTE = 8 };
	size_t size = BASE + PER_BYTE * strlen(text);
	void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return false;
	munmap(room, size);
	return true;
}

bool jit_lacks_memory(const char *message) { return strstr(message, "memory full") != NULL; }

struct jit *jit_compile(const char *text, const struct jit_host *host, void (*report)(void *user, const char *message),
			void *user)
{
	TCCState *tcc = tcc_new();
	if (!tcc) {
		report(user, "out of memory");
		return NULL;
	}
	tcc_set_error_func(tcc, user, report);
	tcc_set_options(tcc, "-nostdlib");
	if (tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY) < 0 || add_symbols(tcc, host) < 0 ||
	    tcc_compile_string(tcc, text) < 0 || RELOCATE(tcc) < 0) {
		tcc_delete(tcc);
		return NULL;
	}
	return (struct jit *)tcc;
}

void *jit_symbol(struct jit *jit, const char *name) { return tcc_get_symbol((TCCState *)jit, name); }

void jit_free(struct jit *jit)
{
	if (jit)
		tcc_delete((TCCState *)jit);
}
