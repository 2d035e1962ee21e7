/* object.h - C text to code in this process by the machine's own C compiler, in the background. */
#ifndef NNR_OBJECT_H
#define NNR_OBJECT_H

#include "handle.h"

enum object_state {
	OBJECT_MAKING,
	OBJECT_READY,
	OBJECT_FAILED, /* see object_complaint */
	OBJECT_ABSENT  /* there is no C compiler */
};

/* Begin to compile text, the generated C of a model whose descriptor is `symbol`; strict: nothing may be contracted.
 * cache: of nnc_options. A cache that was asked for and cannot be used is a warning. NULL: out of memory, or no thread
 * to be had; reported. */
struct object *object_start(const struct host *host, const char *text, const char *symbol, bool strict,
			    const char *cache);
enum object_state object_state(struct object *object);
/* Wait until it is no longer OBJECT_MAKING. */
enum object_state object_wait(struct object *object);
/* The descriptor, in code that stays until object_free; only when OBJECT_READY. */
const nn_model *object_descriptor(const struct object *object);
bool object_was_cached(const struct object *object);
/* What went wrong; "" if nothing. */
const char *object_complaint(const struct object *object);
/* Stop what is under way, and let go of the code. NULL is allowed. */
void object_free(const struct host *host, struct object *object);

#endif
