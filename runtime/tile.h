/* What code that is compiled in process may call instead of loops of its own: register tiles of sums of products, with
 * loops around them, and copies of operands in the order in which tiles read them.
 *
 * Every product of two tensors summed over bound indices, whatever it is part of, has one form once its indices are
 * linearised: t[row, column] = sum[k] a[row, k] * b[k, column]. A tile is a piece of it whose results stay in
 * registers. Nothing is known of it but extents and strides. The runtime makes machine code for each (tile_code.c), or
 * has kernels for any (tile_kernels.c). All steps count elements. */
#ifndef NN_TILE_ABI
#define NN_TILE_ABI 4

#include <stdint.h>

enum { NN_TILE_SUMS = 4, NN_TILE_LOOPS = 6, NN_TILE_N = 0, NN_TILE_BLOCK = -1, NN_TILE_SCALED = 2 };

/* A loop around the tile: from 0 by `by` to `end`. What stands at its end starts earlier, so that it is whole; or, where
 * no result may be made twice, it has fewer of one count: `rest` says of which, and `end` is a number. */
enum { NN_TILE_WHOLE, NN_TILE_ROW, NN_TILE_ROW1, NN_TILE_COLUMN, NN_TILE_COLUMN1 };
typedef struct nn_tile_loop {
	int32_t end, by; /* end: NN_TILE_N: the call's n, NN_TILE_BLOCK: its `block` */
	int32_t a, b, t; /* steps, for 1 */
	int32_t rest;
} nn_tile_loop;

/* Rows move a and t, columns b and t; each side may belong to two indices: first row[0] places of one, then these
 * again at the next place of the other. In an outer product a column is a vector of `lanes` columns side by side in b
 * and t, and a's elements are broadcast. In a dot product (dot) the innermost sum lies side by side in both factors,
 * and need not be a multiple of anything. Across samples a column is a vector of samples, side by side in b, t_column[0]
 * apart in t, where rows lie side by side; n says how many samples there are from the first column on. */
typedef struct nn_tile nn_tile;
struct nn_tile {
	/* void run(const nn_tile *tile, const real *a, const real *b, real *t, int n, int block, real scale) */
	void (*run)(void);
	int32_t dot, across, lanes;
	int32_t adds; /* an outer product: to what t is; NN_TILE_SCALED: so many times as the call says */
	int32_t row[2], column[2];
	int32_t a_row[2], t_row[2], b_column[2], t_column[2];
	int32_t n_sum, trips[NN_TILE_SUMS]; /* innermost first; the outermost may be NN_TILE_N */
	int32_t a_sum[NN_TILE_SUMS], b_sum[NN_TILE_SUMS];
	int32_t ahead; /* steps of the innermost sum by which b is asked for before it is read, or 0 */
	int32_t ask;   /* elements of a, for each step of the sums, to be asked for of the innermost loop's next round, or 0 */
	int32_t n_loop; /* outermost first */
	nn_tile_loop loop[NN_TILE_LOOPS];
};

/* A copy of an operand: for each step of the bound loops `groups` times `run` elements, which lie `place` apart, the
 * groups `group` apart. turned: it is the elements of the innermost loop that lie side by side. across: only the first n
 * of the run are there. */
typedef struct nn_panel {
	int32_t turned, across, run, groups;
	int32_t k[NN_TILE_SUMS]; /* outermost first; 1 where there is none, NN_TILE_N: the call's n */
	int32_t step[NN_TILE_SUMS], place, group;
} nn_panel;

/* void nn_tile_fill(const nn_panel *panel, const real *from, real *to, int n);
 *
 * Of tiles: sums run over k in order, one accumulator an element, and start at 0 or with what t is. In strict mode no multiply and add
 * are contracted: the bits are those of the plain loops, for any width of vectors. The order of summation of dot
 * products depends on the machine, so strict mode has none. */
#endif
