/* map_code.h - machine code for maps, on processors with AVX2 or AVX-512. */
#ifndef NNR_MAP_CODE_H
#define NNR_MAP_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "tile_set.h"

struct map_code {
	void *at; /* NULL: there is none */
	size_t size;
};

/* run[i]: a function for the program that begins at words + start[i], for what nn_map_run does with it: code of its
 * own, or what runs any program. */
struct map_code make_map_code(const struct tile_set *set, const int32_t *words, const int32_t *start, int n,
			      tile_function **run);
/* The functions are gone after this. */
void free_map_code(struct map_code code);

#endif
