/* solve.h - subscripts of a scatter, solved for its loops (solve.c). */
#ifndef NNC_SOLVE_H
#define NNC_SOLVE_H

#include "chain.h"

/* Unknowns are the loops, slots 0 to n-1; element j of `to` has slots n to n+rank-1. */
struct system {
	int n, rank;
	uint64_t gone;		     /* loops that are eliminated */
	struct affine in[MAX_SLOTS]; /* an eliminated loop in terms of the others and j */
	struct affine equal[MAX_SLOTS];
	int equal_axis[MAX_SLOTS], n_equal; /* equality guards: equal == j of the axis */
	uint64_t compared;		    /* axes whose subscript is not affine: the same, by the expression */
};

static inline bool is_gone(const struct system *s, int slot) { return s->gone >> slot & 1; }

/* Solve all affine subscripts of the term. False where numbers or indices run out. */
bool solve_subscripts(struct system *s, const struct term *term);

#endif
