/* jit.h - C text to code in this process. */
#ifndef NNR_JIT_H
#define NNR_JIT_H

#include <stdbool.h>
#include <stdint.h>

struct jit;
/* What code may call beside libm, memcpy, memset and random_words. */
struct jit_host {
	const struct tile_set *tiles; /* the routines of tile.h and map.h, or NULL */
	const struct nn_tile *tile;   /* those that the text calls by their numbers, with their functions, or NULL */
	const void *maps;	      /* nn_maps, or NULL */
	const int32_t *words;	      /* nn_words, or NULL */
	struct late *parts;	      /* what nn_late is called with, where the text is a part of the code; or NULL */
};

/* Whether there is memory for jit_compile, which ends the program where there is none. */
bool jit_has_room(const char *text);
/* Compile C that includes nothing and calls only these; host may be NULL. report gets a line for each complaint of the
 * C compiler. NULL after errors. */
struct jit *jit_compile(const char *text, const struct jit_host *host, void (*report)(void *user, const char *message),
			void *user);
/* Whether a complaint is that memory ran out. */
bool jit_lacks_memory(const char *message);
/* The address of a function or an object, or NULL. */
void *jit_symbol(struct jit *jit, const char *name);
/* The code is gone after this. */
void jit_free(struct jit *jit);

#endif
