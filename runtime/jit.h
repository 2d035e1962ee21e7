/* jit.h - C text to code in this process. */
#ifndef NNR_JIT_H
#define NNR_JIT_H

struct jit;

#include <stdbool.h>

/* Whether there is memory for jit_compile, which ends the program where there is none. */
bool jit_has_room(const char *text);
/* Compile C that includes nothing and calls only libm, memcpy and memset. report gets a line for each complaint of the
 * C compiler. NULL after errors. */
struct jit *jit_compile(const char *text, void (*report)(void *user, const char *message), void *user);
/* Whether a complaint is that memory ran out. */
bool jit_lacks_memory(const char *message);
/* The address of a function or an object, or NULL. */
void *jit_symbol(struct jit *jit, const char *name);
/* The code is gone after this. */
void jit_free(struct jit *jit);

#endif
