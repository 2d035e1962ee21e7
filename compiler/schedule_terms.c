/* schedule_terms.c - a sum of a few terms is written as additions.
 *
 *     y[batch, i] = sum[j < 2] w[i, j] * x[batch, j]      becomes      w[i, 0] * x[batch, 0] + w[i, 1] * x[batch, 1]
 *
 * An element then is one expression: its equation stands in the loops of what reads it element by element, and those
 * run in vectors over the elements. It is done where there are elements enough for that, and work too little for tiles.
 * The order of the additions stays. */
#include "schedule.h"

enum { MOST_TERMS = 4, LEAST_ELEMENTS = 4 };

/* The number of terms of an element; 0: no sum of a few. */
static int count_terms(const struct equation *eq)
{
	int64_t terms = 1, elements = 1;

	if (eq->kind != EQ_MAP || eq->red != RED_SUM || eq->tensor->elem != ELEM_REAL || eq->tensor->total)
		return 0;
	for (int s = 0; s < eq->n; s++) {
		if (s < eq->nfree)
			elements *= eq->index[s].rows ? 1 : eq->index[s].extent;
		else if (eq->index[s].rows)
			return 0;
		else
			terms *= eq->index[s].extent;
		if (terms > MOST_TERMS || elements > WRITE_OUT_LIMIT)
			return 0;
	}
	return elements >= LEAST_ELEMENTS && elements * terms <= WRITE_OUT_LIMIT ? (int)terms : 0;
}

struct equation *with_terms(struct graph *g, const struct equation *eq, int64_t terms)
{
	struct expr *map[MAX_SLOTS] = {0}, *sum = NULL;

	for (int64_t k = 0; k < terms; k++) {
		struct expr *term;
		int64_t rest = k;

		for (int s = eq->n - 1; s >= eq->nfree; s--) {
			map[s] = ex_int(g, rest % eq->index[s].extent);
			rest /= eq->index[s].extent;
		}
		term = ex_substitute(g, eq->value, map, eq->n);
		sum = sum ? ex2(g, EX_ADD, sum, term) : term;
	}
	return graph_equation(g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index, sum, eq->at);
}

struct equation *write_out_terms(struct graph *g, struct equation *eq)
{
	int terms = count_terms(eq);

	return terms ? with_terms(g, eq, terms) : eq;
}
