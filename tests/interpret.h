/* interpret.h - a plain interpreter of equations in long double, to test passes by what their output computes. With
 * INTERPRET_QUAD defined before it is included, and interpret.c compiled with that too, it is one in __float128. */
#ifndef NNC_INTERPRET_H
#define NNC_INTERPRET_H

#include "graph.h"

#ifdef INTERPRET_QUAD
#include <quadmath.h>
typedef __float128 number;
#else
typedef long double number;
#endif

struct interpreter {
	struct graph *g;
	int64_t rows;		  /* n of this call */
	number run[RUN_ROWS + 1]; /* run-time scalars; run[RUN_ROWS] is rows */
	uint64_t seed;		  /* of random draws */
	bool drew;		  /* there was one */
	number **value;		  /* by tensor id, row-major at full extents; NULL: not set yet */
	size_t room;
	const char *fault; /* the first thing that went wrong, or NULL */

	int64_t step[8]; /* of the scans around the equation that runs */
	int scans;

	struct memo {
		uint64_t stamp;
		number value;
	} * memo; /* by expression id: the values at the point stamped */
	size_t memo_room;
	uint64_t stamp;
};

void interpreter_init(struct interpreter *in, struct graph *g, int64_t rows);
/* The elements of a tensor, all 0 at first. Those of a view are its tensor's. */
number *tensor_values(struct interpreter *in, const struct tensor *t);
/* Run equations in order. Rows beyond in->rows are left alone. A read outside without `else` is a fault. */
void interpret(struct interpreter *in, const equation_list *eqs);

#endif
