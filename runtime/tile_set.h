/* tile_set.h - the functions behind tile.h, one set for each instruction set and type of reals. */
#ifndef NNR_TILE_SET_H
#define NNR_TILE_SET_H

#include <stdbool.h>

#include "tile.h"

typedef void tile_function(void);

/* The functions take the reals of the model, and so have no type here. */
struct tile_set {
	const char *instructions; /* "avx512", "avx2" or "base" */
	int width, registers;	  /* of vectors: reals in one, how many there are */
	tile_function *run, *dot, *fill;
	tile_function *map;	  /* of map.h */
};

/* The best set that this processor can run. strict: the base set, in which nothing is contracted. */
const struct tile_set *select_tile_set(size_t real_size, bool strict);
/* That of a name, or the best for NULL; NULL if the processor cannot run it. */
const struct tile_set *find_tile_set(size_t real_size, const char *instructions);

#endif
