/* plan_tile.h - sums of products in register tiles: the machines that they are for, and what a tile is.
 *
 * Part of plan.h. schedule_tile.c and schedule_tile_cost.c choose them, emit_tile*.c write them. */
#ifndef NNC_PLAN_TILE_H
#define NNC_PLAN_TILE_H

#include "graph.h"

/* The kinds of machine that a generated file may be compiled for, as in nnc_target. */
enum target { TARGET_AVX512, TARGET_AVX2, TARGET_SSE2, TARGET_NEON, TARGET_COUNT };
enum { TILE_SUMS = 4 };

/* What a tile may look like on a machine. */
struct machine {
	int lanes, registers;	/* of vectors: reals in one, how many there are */
	bool fused;		/* multiply-add is one instruction */
	int rows, cols;		/* the most in an outer product */
	int dot_rows, dot_cols; /* and in a dot product */
	int sums;		/* loops within a tile */
	double rate;		/* cycles that a vector of multiply-adds takes at least */
};
/* Tiles are so small that loads and what counts the steps are as many instructions as the multiply-adds. */
static inline bool is_narrow(const struct machine *machine) { return machine->fused && machine->registers <= 16; }

/* An index as the tiles see it, perhaps made of several: how far it moves in the factors A and B and in the result. */
struct tile_axis {
	int slot; /* the innermost one's; -1: no index */
	int64_t extent;
	bool rows;
	int64_t a, b, t;
};
struct tile_size {
	int lanes;	    /* of the vectors */
	int row[2], col[2]; /* elements of the tiled indices; of an outer product col[0] counts vectors */
	int copied;	    /* 1: B is read from a copy: of all of it, beside panels of A, or from one panel */
};

/* A loop around the tiles. */
struct tile_loop {
	struct tile_axis axis;
	/* of the tile that it moves along; SUM: the outermost, of which the tile adds a part; NONE: by 1 */
	enum { SIDE_NONE, SIDE_ROW, SIDE_COLUMN, SIDE_VECTOR, SIDE_SUM } side;
	int number; /* which row or column index */
};

/* The operand that is copied into a panel, in the order in which a tile reads it. */
enum panel { PANEL_NONE, PANEL_A, PANEL_B };

/* A sum of products in tiles; see schedule_tile.c. */
struct tile {
	const struct expr *a, *b; /* the factors; b is read by vectors */
	struct expr *scale;	  /* NULL, or T is not set but moved by so many times the sum */
	bool dot;
	bool across; /* vectors lie along the samples: results are turned as they are stored */
	bool adds;   /* to the result, which is 0 at first: some sums are loops around it */
	bool rests;  /* at the end of an index there are smaller ones, and none overlap */
	struct tile_axis row[2], col[2];
	struct tile_axis sum[TILE_SUMS]; /* innermost first */
	int n_sum;
	struct tile_size size[TARGET_COUNT];
	enum panel panel;
	int ahead;	       /* steps of the innermost sum by which B is asked for before it is read, or 0 */
	bool far;	       /* T is, so that the tile asks for it before it comes to it */
	int asks;	       /* the loop whose next round reads what is asked for at each step of the sums, or -1 */
	int followed;	       /* the loops within which the maps stand that follow it in its group; 0: behind all */
	int outside;	       /* the first loops, which move the operand of the panel: it is filled inside of them */
	bool turned;	       /* while it is: what lies side by side are elements of the innermost sum */
	struct tensor *memory; /* for it */
	int64_t behind;	       /* where in it the panels of B begin, that all are filled at once */
	int n_loop;
	struct tile_loop loop[MAX_SLOTS]; /* outermost first; a stage's tile has memory for n_loop of them only */
};
/* Whether one is the other but for loops over rows. */
bool same_but_for_rows(const struct tile *a, const struct tile *b);
/* Elements of a panel for each step of the sums. */
int64_t panel_places(const struct tile *tile, bool of_b, int target);
/* Steps of a tile's sums at most. */
int64_t tile_steps(const struct tile *tile);
/* Elements of its index by which a loop goes on. */
int64_t loop_step(const struct tile *tile, const struct tile_loop *loop, int target);

/* schedule_epilogue.c: whether a loop of the sum's tile goes along a free index: it may be one for several. */
bool moves_along(const struct tile_axis *x, const struct equation *sum, int slot);

#endif
