/* What code that is compiled in process may call instead of loops of its own: register tiles and dot products, compiled
 * ahead for each instruction set (tile_kernels.c) and chosen when a model is opened. Generated code declares the
 * functions with its own type of reals, `real` below: float or double.
 *
 * Every product of two tensors summed over bound indices, whatever it is part of, has this form once its indices are
 * linearised: result[row, v] (+)= sum[k] scalar[row, k] * vector[k, v], with v of unit stride in result and vector. A
 * tile is a piece of it that fits the registers. Its rows, and its vectors where they lie apart, may come from several
 * indices: all that counts are their offsets. Where v is a bound index (unit stride in both factors), it is a dot
 * product. All offsets and steps count elements. */
#ifndef NN_TILE_ABI
#define NN_TILE_ABI 1

#include <stddef.h>
#include <stdint.h>

enum { NN_TILE_ROWS = 16, NN_TILE_VECTORS = 6, NN_TILE_LOOPS = 3, NN_DOT_ROWS = 8, NN_DOT_VECTORS = 3 };

/* A tile, and a row of such tiles. The tile at step t of `count` has its operands at scalar + t * scalar_step and so
 * on. Fields for rows and vectors beyond those in use are not read, so that a smaller last tile uses the same arrays.
 *
 * rows * vectors + min(rows, vectors) + 1 registers are needed: no more than there are (tile_set.registers). */
typedef struct nn_tile {
	int32_t rows, vectors;
	int32_t lanes;		  /* elements of the last vector; the others of it are neither read nor written */
	int32_t accumulate;	  /* 0: result = , 1: result += */
	int32_t count;		  /* tiles, one after the other */
	int32_t k[NN_TILE_LOOPS]; /* extents of the bound loops, outermost first; 1 where there is none */
	ptrdiff_t scalar_k[NN_TILE_LOOPS], vector_k[NN_TILE_LOOPS]; /* their steps */
	ptrdiff_t scalar_step, vector_step, result_step;
	ptrdiff_t scalar[NN_TILE_ROWS], result_row[NN_TILE_ROWS];
	ptrdiff_t vector[NN_TILE_VECTORS], result_vector[NN_TILE_VECTORS];
} nn_tile;

/* A copy of an operand in the order in which a tile reads it: for each step of the bound loops `groups` times `run`
 * elements, which lie `place` apart, the groups `group` apart. turned: it is the elements of the innermost loop that lie
 * side by side; there are at least a vector of them, and `run` is a multiple of one. */
typedef struct nn_panel {
	int32_t turned, run, groups;
	int32_t k[NN_TILE_LOOPS];
	ptrdiff_t step[NN_TILE_LOOPS], place, group;
} nn_panel;

/* void nn_tile_run(const nn_tile *tile, const real *scalar, const real *vector, real *result);
 *
 * The sum runs over k in order, one accumulator an element, and starts at 0 (so `accumulate` adds a whole sum). In
 * strict mode no multiply and add are contracted: the bits are those of the plain loops, for any width of vectors.
 *
 * void nn_tile_dot(const nn_tile *tile, const real *scalar, const real *vector, real *result);
 *
 * The same fields for dot products: element [row, vector] is the sum over the bound loops, of which the innermost has
 * step 1 in both factors and need not be a multiple of anything; result_row + result_vector is its place. There are at
 * most NN_DOT_ROWS rows and NN_DOT_VECTORS vectors; `lanes` is not used. Its order of summation depends on the machine,
 * so strict mode has none. */
#endif
