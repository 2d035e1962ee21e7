/* schedule_tile.h - what the files that plan tiles share: schedule_tile.c finds the problem and goes through the
 * choices, schedule_tile_size.c the sizes of one, schedule_tile_cost.c says what they cost, schedule_tile_loops.c puts
 * the loops around it. */
#ifndef NNC_SCHEDULE_TILE_H
#define NNC_SCHEDULE_TILE_H

#include <stdlib.h>

#include "schedule.h"

enum {
	LARGEST_SIDE = 28,    /* rows or columns of a tile */
	LARGEST_LANES = 16,   /* of its vectors */
	L1_BYTES = 32 * 1024, /* of a common machine */
	L2_BYTES = 1024 * 1024,
	MOST_ORDERED = 6 /* loops of which every order is tried */
};

/* A sum of products as extents and strides. */
struct problem {
	struct program *program;
	struct graph *g;
	const struct stage *stage;
	const struct expr *a, *b;
	struct expr *scale;
	struct tile_axis axis[MAX_SLOTS]; /* those that run, in the order of slots */
	int n;
	int real_size;
	bool strict;
	bool panels; /* there is memory for them */
	bool adds;   /* tiles may add to the result */
	bool once;   /* no tile may overlap another one */
};

static inline bool is_sum(const struct tile_axis *x) { return x->t == 0; }
static inline bool is_row(const struct tile_axis *x) { return x->t && x->a && !x->b; }
static inline bool is_column(const struct tile_axis *x) { return x->t && x->b && !x->a; }

/* A tile that is being considered: places in problem.axis, -1: none. */
struct choice {
	bool dot, across;
	enum panel panel;
	int vector, row[2], col[2]; /* of an outer product col[0] is the vector */
	uint64_t outside;	    /* the sums that run around the tile, which adds to the result */
	int cut, parts;		    /* the sum of which a tile adds one of so many parts, if parts > 1 */
};

static inline bool adds_up(const struct choice *c) { return c->outside || c->parts > 1; }

/* A sum that runs within the tile. */
static inline bool is_inside(const struct problem *p, const struct choice *c, int axis)
{
	return is_sum(&p->axis[axis]) && !(c->outside >> axis & 1);
}

/* How far a sum runs within the tile. */
static inline int64_t extent_inside(const struct problem *p, const struct choice *c, int axis)
{
	return p->axis[axis].extent / (axis == c->cut ? c->parts : 1);
}

/* Of numbers below 2^31, as those of a tensor's elements are: a division of 64 bits takes several times as long. */
static inline int64_t rounds(int64_t extent, int64_t step)
{
	return ((uint32_t)extent + (uint32_t)step - 1) / (uint32_t)step;
}

/* Where a sum stands among the others, innermost lowest: the vector's, then short steps before long ones; the rows of
 * the batch outermost. Where bits count, the order in which they are written. */
static inline int64_t sum_rank(const struct problem *p, const struct choice *c, int axis)
{
	const struct tile_axis *x = &p->axis[axis];

	if (p->strict)
		return -axis;
	if (c->dot && axis == c->vector)
		return -1;
	return x->rows ? INT64_MAX : llabs(x->a) + llabs(x->b);
}

/* schedule_tile_size.c: the best sizes for a choice on a target, if all its tiles take less than so many cycles; what
 * they take, or INFINITY where there are none. */
double best_size(const struct problem *p, const struct choice *c, const struct machine *target, double least,
		 struct tile_size *best);
/* machine.rate of a machine that has all else. */
double find_rate(const struct machine *target);
/* schedule_tile_cost.c: whether the copy of B turns it: the innermost sum lies side by side there, columns do not. */
bool is_turned(const struct problem *p, const struct choice *c);
/* Whether vectors may lie along the samples. */
bool may_cross(const struct problem *p, const struct choice *c);
/* Steps of the innermost sum by which a tile asks for B before it reads it, where these are long, or share few sets of
 * the cache, half of which they fill at most; else 0. */
int steps_ahead(const struct problem *p, const struct choice *c);

/* Whether the innermost loop's tiles read the same of B, so little of it that it stays in the first cache. */
bool stays_near(const struct problem *p, const struct choice *c, const struct tile *tile);
/* Whether a panel may help the choice. */
bool may_copy(const struct problem *p, const struct choice *c);
/* schedule_panel.c: the machines on which one operand more is copied, if there are any; and memory for what is. */
bool choose_copies(const struct problem *p, struct tile *tile);
struct tensor *make_panel(const struct problem *p, struct tile *tile);

/* schedule_tile_loops.c: the order of the tile's sums; false where it cannot run them. */
bool order_sums(const struct problem *p, const struct choice *c, struct tile *tile);
/* The loop whose next round reads from far what lies side by side: rows that vectors across samples read in place, or
 * what is copied into the next panel. -1: there is none. */
int asked_loop(const struct problem *p, const struct tile *tile);
/* Whether each row of T is asked for at a step of the sum: what is set, if it leaves the first cache; params. */
bool asks_for_result(const struct problem *p, const struct tile *tile);
/* The loops around the tile of a choice, whose sizes it has, in the best order. */
void order_loops(const struct problem *p, const struct choice *c, struct tile *tile);

#endif
