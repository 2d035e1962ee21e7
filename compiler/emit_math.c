/* emit_math.c - exp, tanh, erf and log that a compiler can make vectors of, instead of libm's.
 *
 * A call of libm ends every hope of a vector, so loops over activations would be ten times slower than they need to be.
 * These are polynomials without branches (math_template.h). They are for floats, and not for --fp=strict: there the
 * bits are libm's. */
#include "emit_parts.h"

#include <string.h>

#include "builtin.h"

/* In the order of the template. */
static const char *const names[] = {"exp", "tanh", "erf", "log"};
enum { COUNT = sizeof names / sizeof *names };

const char *fast_math_name(struct emitter *e, const char *name)
{
	if (e->real_kind != NNC_FLOAT || e->g->ctx->options->fp == NNC_FP_STRICT || e->options->freestanding)
		return NULL;
	for (int i = 0; i < COUNT; i++)
		if (strcmp(names[i], name) == 0) {
			e->fast_math |= 1u << i;
			e->uses_memcpy = true;
			return arena_printf(e->arena, "fast_%s", name);
		}
	return NULL;
}

void write_fast_math(struct emitter *e)
{
	const char *at = math_template_text();

	for (int i = -1; i < COUNT; i++) { /* before the first stands what this file has no use for */
		const char *end = strstr(at + 1, "\n/* ");

		end = end ? end : at + strlen(at);
		if (i >= 0 && e->fast_math >> i & 1)
			text_add_bytes(e->out, at, (size_t)(end - at));
		at = end;
	}
}
