/* tile_set.h - the functions behind tile.h, one set for each instruction set and type of reals. */
#ifndef NNR_TILE_SET_H
#define NNR_TILE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "tile.h"

/* Of the base set's kernels, at most. */
enum { NN_TILE_ROWS = 14, NN_TILE_VECTORS = 6, NN_DOT_ROWS = 8, NN_DOT_VECTORS = 3 };

typedef void tile_function(void);

/* The functions take the reals of the model, and so have no type here. */
struct tile_set {
	const char *instructions; /* "avx512", "avx2" or "base" */
	int width, registers;	  /* of vectors: reals in one, how many there are */
	bool makes_code;	  /* tiles have code of their own (tile_code.c) */
	tile_function *run;	  /* any tile, its loops, and all */
	tile_function *fill;
	/* void turn(const nn_tile *tile, const real *sums, real *t, int n): the results of a tile across samples, each
	 * of whose columns is so many rows of vectors, to where they belong; readable up to the end of a square of
	 * whole vectors */
	tile_function *turn;
	tile_function *map;	  /* of map.h */
	/* by the operation's number: real vector(real vector), or of two; NULL: it is none of NN_MAP_FUNCTIONS or POW */
	tile_function *const *functions;
};

/* The best set that this processor can run. strict: the base set, in which nothing is contracted. */
const struct tile_set *select_tile_set(size_t real_size, bool strict);
/* That of a name, or the best for NULL; NULL if the processor cannot run it. */
const struct tile_set *find_tile_set(size_t real_size, const char *instructions);

#endif
