/* gather.c - scatter to gather: from  R[a(l)] += f(l) for all l  to  R[j] = sum over (l with a(l) = j) f(l).
 *
 * The subscript equations a(l) = j are solved for loop indices, one for each subscript: a subscript of one index first,
 * and of the indices with coefficient 1 or -1 the one that few subscripts use and that is longest. So a dense layer's
 * read gives a product, and a convolution's i + u the convolution with the flipped kernel (i, the longer, is
 * eliminated). For a strided one's s*i + u see stride.c.
 *
 * An index that was eliminated must still be in its range: that is the guard, made after all substitutions since later
 * ones change earlier solutions. A subscript that offers no index is an equality guard. Guards stand in one select
 * around f, directly under the sum, affine, joined by `and`: the scheduler makes loop bounds of them. A read in f that
 * may leave its tensor where the guard is false gets `else 0`.
 *
 * A subscript without an index fixes an axis: x[2, k] gives nothing but to j = 2. That condition does not depend on
 * what is summed, so it stays outside (term.where).
 *
 * What cannot be solved (gathers) or would cost many times more as a gather stays a scatter, for which a target that
 * may lie outside is clamped and its value 0 there. In a scan, where no scatter may stand, such a subscript is
 * compared. */
#include "solve.h"

#include <stdlib.h>

enum { SCATTER_RATIO = 8 };

/* ---- the new term ---- */

/* Loops that remain: bound indices of the sum. */
static uint64_t remaining_loops(const struct system *s, const struct term *term)
{
	uint64_t used = term->value->slots;

	for (int d = 0; d < s->rank; d++)
		if (s->compared >> d & 1)
			used |= term->sub[d]->slots;
	for (int p = 0; p < s->n; p++)
		for (int q = 0; is_gone(s, p) && q < s->n; q++)
			used |= (uint64_t)(s->in[p].coef[q] != 0) << q;
	for (int i = 0; i < s->n_equal; i++)
		for (int q = 0; q < s->n; q++)
			used |= (uint64_t)(s->equal[i].coef[q] != 0) << q;
	return used & ~s->gone;
}

/* An affine form of the system in the slots of the new term. */
static struct expr *renumber(struct graph *g, const struct system *s, const struct affine *a, const int *slot)
{
	struct affine out = {.constant = a->constant};

	for (int q = 0; q < s->n + s->rank; q++)
		if (a->coef[q])
			out.coef[slot[q]] = a->coef[q];
	return affine_expr(g, &out);
}

/* *all and (low <= e < high), without what the ranges prove. False where they prove the opposite. */
static bool add_bounds(struct graph *g, struct expr **all, struct expr *e, const struct index *loop,
		       const struct index *index)
{
	struct range range;
	bool known = range_of(e, index, &range);

	if (loop->rows && e->op == EX_INDEX && index[e->slot].rows)
		return true;
	if (known && (range.high < 0 || range.low >= loop->extent))
		return false;
	if (!known || range.low < 0)
		*all = ex2(g, EX_AND, *all, ex2(g, EX_LE, ex_int(g, 0), e));
	if (loop->rows)
		*all = ex2(g, EX_AND, *all, ex2(g, EX_LT, e, ex_run(g, RUN_ROWS)));
	else if (!known || range.high >= loop->extent)
		*all = ex2(g, EX_AND, *all, ex2(g, EX_LT, e, ex_int(g, loop->extent)));
	return true;
}

/* Multiply-adds, about: a bound index counts as far as a range guard lets it go. */
static double gather_cost(const struct system *s, const struct term *old, const struct term *new, uint64_t bound)
{
	double cost = 1;
	uint64_t limited = 0;

	for (int d = 0; d < new->n; d++)
		cost *= (double)new->index[d].extent;
	for (int p = 0; p < s->n; p++) {
		double best = 1;
		int limit = -1;

		for (int q = 0; is_gone(s, p) && q < s->n; q++) {
			double steps = (double)old->index[p].extent / (double)llabs(s->in[p].coef[q]) + 1;
			double share = steps / (double)old->index[q].extent;

			if (s->in[p].coef[q] && (bound & ~limited) >> q & 1 && share < best) {
				best = share;
				limit = q;
			}
		}
		if (limit >= 0) {
			limited |= (uint64_t)1 << limit;
			cost *= best;
		}
	}
	return cost;
}

static double count_loop_steps(const struct term *term)
{
	double steps = 1;

	for (int p = 0; p < term->n; p++)
		steps *= (double)term->index[p].extent;
	return steps;
}

/* The indices of the new term, and slot[q] for every unknown of the system. */
static void number_slots(struct graph *g, const struct system *s, const struct term *old, struct term *new,
			 uint64_t bound, int *slot)
{
	new->index = arena_array(&g->ctx->arena, (size_t)(s->n + s->rank), sizeof *new->index);
	for (int d = 0; d < s->rank; d++) {
		const struct expr *sub = old->sub[d];
		bool bare = sub->op == EX_INDEX && is_gone(s, sub->slot) && s->in[sub->slot].coef[s->n + d] == 1;
		const char *name = bare ? old->index[sub->slot].name : NULL;

		new->index[d] = (struct index){name, old->to->axis[d].extent, old->to->axis[d].rows};
		slot[s->n + d] = d;
	}
	new->nfree = new->n = s->rank;
	for (int q = 0; q < s->n; q++)
		if (bound >> q & 1) {
			new->index[new->n] = old->index[q];
			slot[q] = new->n++;
		}
}

/* How often each value is added: the loops that occur nowhere. */
static struct expr *count_repeats(struct graph *g, const struct term *term, uint64_t occurring)
{
	struct expr *times = ex_num(g, 1);

	for (int q = 0; q < term->n; q++) {
		const struct index *index = &term->index[q];

		if (!(occurring >> q & 1))
			times = ex2(g, EX_MUL, times,
				    index->rows ? ex_real(g, ex_run(g, RUN_ROWS)) : ex_num(g, (double)index->extent));
	}
	return times;
}

enum outcome { SOLVED, NOTHING, UNSOLVED };

/* Solved equations, with the slots of the new term. */
struct solution {
	const struct system *system;
	const struct term *old;
	struct term *new;
	struct expr *map[MAX_SLOTS]; /* the old indices in the new ones */
	int slot[MAX_SLOTS];
	struct expr *guard;
};

/* The guards of all eliminated loops and subscripts; those that fix an axis of the result go to new->where. False where
 * one is never true. */
static bool make_guards(struct graph *g, struct solution *sol)
{
	const struct system *s = sol->system;
	const struct index *index = sol->new->index;

	sol->guard = sol->new->where = ex_bool(g, true);
	for (int p = 0; p < s->n; p++)
		if (is_gone(s, p) && !add_bounds(g, &sol->guard, sol->map[p], &sol->old->index[p], index))
			return false;
	for (int i = 0; i < s->n_equal; i++) {
		struct expr *equal = renumber(g, s, &s->equal[i], sol->slot);
		struct expr **to = equal->op == EX_INT ? &sol->new->where : &sol->guard;

		*to = ex2(g, EX_AND, *to, ex2(g, EX_EQ, equal, ex_index(g, s->equal_axis[i])));
	}
	for (int d = 0; d < s->rank; d++)
		if (s->compared >> d & 1) {
			struct expr *sub = ex_substitute(g, sol->old->sub[d], sol->map, s->n);

			sol->guard =
				ex2(g, EX_AND, sol->guard, ex2(g, EX_EQ, guard_reads(g, sub, index), ex_index(g, d)));
		}
	return (sol->guard->op != EX_INT || sol->guard->integer) &&
	       (sol->new->where->op != EX_INT || sol->new->where->integer);
}

static enum outcome gather(struct graph *g, struct term *term)
{
	struct system s;
	struct term new = *term;
	struct solution sol = {.system = &s, .old = term, .new = &new};
	struct expr *value, *zero = ex_num(g, 0);
	uint64_t bound;

	if ((!term->compare && !is_affine_term(term)) || !solve_subscripts(&s, term))
		return UNSOLVED;
	bound = remaining_loops(&s, term);
	number_slots(g, &s, term, &new, bound, sol.slot);
	for (int p = 0; p < s.n; p++)
		if (is_gone(&s, p))
			sol.map[p] = renumber(g, &s, &s.in[p], sol.slot);
		else if (bound >> p & 1)
			sol.map[p] = ex_index(g, sol.slot[p]);
	if (!make_guards(g, &sol))
		return NOTHING;
	if (!term->keep_gather && (sol.guard->op != EX_INT || new.where->op != EX_INT) &&
	    gather_cost(&s, term, &new, bound) > SCATTER_RATIO * count_loop_steps(term))
		return UNSOLVED;
	value = ex2(g, EX_MUL, count_repeats(g, term, bound | s.gone), ex_substitute(g, term->value, sol.map, term->n));
	new.value = ex_select(g, sol.guard, guard_reads(g, value, new.index), zero);
	if (new.n == new.nfree || new.where->op == EX_INT) {
		new.value = ex_select(g, new.where, new.value, zero);
		new.where = NULL;
	}
	*term = new;
	return SOLVED;
}

/* The same, with the axes that a window moves over by steps taken as digits. */
static enum outcome gather_strided(struct graph *g, struct term *term)
{
	struct strides strides;
	struct term split;
	enum outcome outcome;

	if (term->to->rank > MAX_SLOTS / 4 || !split_strides(g, term, &split, &strides))
		return gather(g, term);
	outcome = gather(g, &split);
	if (outcome == UNSOLVED)
		return gather(g, term);
	if (outcome == SOLVED) {
		join_strides(g, term->to, &strides, &split);
		*term = split;
	}
	return outcome;
}

/* The loops of the targets first, nfree of them; others after. */
static void order_loops(struct graph *g, struct term *term)
{
	struct index *index = arena_array(&g->ctx->arena, (size_t)term->n, sizeof *index);
	struct expr *map[MAX_SLOTS];
	uint64_t free = 0;
	int n = 0;

	for (int d = 0; d < term->to->rank; d++)
		free |= term->sub[d]->slots;
	for (int pass = 0; pass < 4; pass++) /* of each kind those that run over the rows first: a sample's own axis */
		for (int p = 0; p < term->n; p++)
			if ((free >> p & 1) == (pass < 2) && term->index[p].rows == (pass % 2 == 0)) {
				map[p] = ex_index(g, n);
				index[n++] = term->index[p];
			}
	term->nfree = __builtin_popcountll(free);
	for (int d = 0; d < term->to->rank; d++)
		term->sub[d] = ex_substitute(g, term->sub[d], map, term->n);
	term->value = ex_substitute(g, term->value, map, term->n);
	term->index = index;
}

static void keep_scatter(struct graph *g, struct term *term)
{
	struct expr *read, *all, *zero = ex_num(g, 0);
	const struct tensor *t = term->to;

	order_loops(g, term);
	term->scatter = true;
	term->value = guard_reads(g, term->value, term->index);
	read = ex_read(g, term->to, term->sub, NULL);
	all = inside_condition(g, read, term->index);
	for (int d = 0; d < t->rank; d++) {
		struct expr *end = t->axis[d].rows ? ex_run(g, RUN_ROWS) : ex_int(g, t->axis[d].extent);

		if (may_leave(t, d, term->sub[d], term->index))
			term->sub[d] = ex2(g, EX_MAX, ex_int(g, 0),
					   ex2(g, EX_MIN, term->sub[d], ex2(g, EX_SUB, end, ex_int(g, 1))));
	}
	term->value = ex_select(g, all, term->value, zero);
}

bool solve_term(struct graph *g, struct term *term)
{
	struct term whole = *term;

	if (!is_affine_term(term))
		split_quotients(g, term);
	switch (gather_strided(g, term)) {
	case NOTHING: return false;
	case SOLVED: return true;
	default: break;
	}
	if (!is_affine_term(term))
		*term = whole; /* the digits were of no use */
	keep_scatter(g, term);
	return !ex_is_num(term->value, 0);
}
