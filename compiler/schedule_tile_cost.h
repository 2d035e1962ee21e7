/* schedule_tile_cost.h - what a tile costs, for the search of the best size: schedule_tile_cost.c counts it,
 * schedule_tile_size.c looks for the least. */
#ifndef NNC_SCHEDULE_TILE_COST_H
#define NNC_SCHEDULE_TILE_COST_H

#include "schedule_tile.h"

/* fmax without what it does where one is no number. */
static inline double larger(double a, double b) { return a > b ? a : b; }

/* How an operand lies for the sums of a tile. */
struct reach {
	double steps;  /* places, but for sums that do not move it; of windows too many, as they overlap */
	double span;   /* from the first to the last */
	bool conflict; /* they are too many for the sets of the cache that they share */
};

/* What the sizes of a tile do not change: steps of its sums, how often the innermost one ends, tiles along the indices
 * that it has no side of; and how its operands lie. */
struct around {
	double steps, exits, tiles;
	struct reach a, b;
	double a_load, b_load; /* cycles of a load at a step */
	int in_rows;	/* the row index whose elements of A lie side by side, or -1 */
	bool small;	/* all fits the first cache */
	double copied;	/* cycles to fill panels, for each element at a step of the sums */
	double outside; /* elements of that, but for those of the tile's indices */
	double turned;	/* cycles to turn as many results as a vector has lanes, each of them one */
	bool ahead;	/* B is asked for before the tile comes to it */
	double again;	/* and to bring all of A from the last cache */
};

#define STORE_CYCLES 0.5 /* of a vector of results */
enum { EXIT_CYCLES = 5 /* of a sum's innermost loop */, TILE_CYCLES = 10 };

/* Cycles for a vector of B beside what its multiply-adds take: with few registers it is one instruction of many. */
static inline double column_cost(const struct machine *target) { return is_narrow(target) ? 0.2 : 0.3; }

/* Of a value of A; with many registers it is broadcast by the multiply-adds themselves. */
static inline double row_cost(const struct machine *target, bool dot)
{
	return dot ? 0.3 : is_narrow(target) ? 0.2 : 0.1;
}

/* What surrounds tiles of a choice with so many lanes: counts alone, and then how the operands lie. */
struct around count_around(const struct problem *p, const struct choice *c, int lanes);
void find_around(const struct problem *p, const struct choice *c, int lanes, struct around *around);

/* Cycles of the instructions of a tile. */
double tile_cost(const struct around *around, const struct problem *p, const struct choice *c,
		 const struct tile_size *size, const struct machine *target);
/* The same, of so many cycles, with what the tile brings from memory, adds to and turns. */
double memory_cost(const struct around *around, const struct problem *p, const struct choice *c,
		   const struct tile_size *size, double cycles);

#endif
