/* tile_code.h - machine code for tiles, on processors with AVX2 or AVX-512. */
#ifndef NNR_TILE_CODE_H
#define NNR_TILE_CODE_H

#include <stddef.h>

#include "tile_set.h"

struct tile_code {
	void *at; /* NULL: there is none */
	size_t size;
};

/* Give each tile its function: code of its own, or where there can be none that of the set for any tile. */
struct tile_code make_tile_code(const struct tile_set *set, nn_tile *tile, int n);
/* The functions are gone after this. */
void free_tile_code(struct tile_code code);

#endif
