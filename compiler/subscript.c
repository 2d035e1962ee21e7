/* subscript.c - what the ranges of the indices say about subscripts: which reads may leave their tensor, what of a
 * quotient or remainder is left, and digits.
 *
 * An index that is used as i // s and i % s (upsampling, pixel shuffle, groups, heads) is replaced by i = s*a + b with
 * two indices a and b; the subscripts are affine then. With more than one divisor, of which each divides the next,
 * there are more digits. */
#include "chain.h"

#include <string.h>

/* ---- leaving a tensor ---- */

bool may_leave(const struct tensor *t, int d, const struct expr *sub, const struct index *index)
{
	struct range range;

	if (t->axis[d].rows)
		return !(sub->op == EX_INDEX && index[sub->slot].rows) && !ex_is_num(sub, 0);
	return !range_of(sub, index, &range) || range.low < 0 || range.high >= t->axis[d].extent;
}

struct expr *inside_condition(struct graph *g, const struct expr *read, const struct index *index)
{
	struct expr *all = ex_bool(g, true);
	const struct tensor *t = read->tensor;

	for (int d = 0; d < t->rank; d++) {
		struct expr *sub = read->arg[d];
		struct expr *end = t->axis[d].rows ? ex_run(g, RUN_ROWS) : ex_int(g, t->axis[d].extent);
		struct range range;
		bool known = range_of(sub, index, &range);

		if (!may_leave(t, d, sub, index))
			continue;
		if (known && (range.high < 0 || range.low >= t->axis[d].extent))
			return ex_bool(g, false);
		if (!known || range.low < 0)
			all = ex2(g, EX_AND, all, ex2(g, EX_LE, ex_int(g, 0), sub));
		if (t->axis[d].rows || !known || range.high >= t->axis[d].extent)
			all = ex2(g, EX_AND, all, ex2(g, EX_LT, sub, end));
	}
	return all;
}

/* ---- i // d and i % d ---- */

/* The divisors d of all i // d, i % d and (i // c) % (d / c) in an expression, for each slot i. A full list means: too
 * many to be of use. */
enum { MAX_DIVISORS = 8 };
struct divisors {
	int64_t by[MAX_SLOTS][MAX_DIVISORS + 1];
	int n[MAX_SLOTS];
};

static void note_divisor(struct divisors *divisors, int slot, int64_t by)
{
	for (int k = 0; k < divisors->n[slot]; k++)
		if (divisors->by[slot][k] == by)
			return;
	if (by > 1 && divisors->n[slot] < MAX_DIVISORS)
		divisors->by[slot][divisors->n[slot]++] = by;
}

/* True where e is i // d for an index i (d 1: i itself). */
static bool is_quotient(const struct expr *e, int *slot, int64_t *by)
{
	*by = 1;
	if (e->op == EX_FLOORDIV && e->arg[1]->op == EX_INT && e->arg[1]->integer > 0) {
		*by = e->arg[1]->integer;
		e = e->arg[0];
	}
	*slot = e->slot;
	return e->op == EX_INDEX;
}

static void find_divisors(const struct expr *e, struct divisors *divisors)
{
	int slot;
	int64_t by;

	if (e->elem == ELEM_REAL)
		return;
	if (e->op == EX_FLOORDIV && is_quotient(e, &slot, &by))
		note_divisor(divisors, slot, by);
	if (e->op == EX_MOD && e->arg[1]->op == EX_INT && e->arg[1]->integer > 0 &&
	    e->arg[1]->integer < (int64_t)1 << 31 && is_quotient(e->arg[0], &slot, &by) && by < (int64_t)1 << 31) {
		note_divisor(divisors, slot, by);
		note_divisor(divisors, slot, by * e->arg[1]->integer);
	}
	for (int k = 0; k < e->n; k++)
		find_divisors(e->arg[k], divisors);
}

/* e with the quotients and remainders that the ranges of the indices decide. */
static struct expr *tidy_subscript(struct graph *g, struct expr *e, const struct index *index)
{
	struct expr *arg[3], *by;
	struct range range;
	bool changed = false;

	if (e->affine || e->op == EX_READ || e->n == 0 || e->n > 3)
		return e;
	for (int k = 0; k < e->n; k++) {
		arg[k] = tidy_subscript(g, e->arg[k], index);
		changed |= arg[k] != e->arg[k];
	}
	if (changed)
		e = ex_make(g, e->op, e->n, arg);
	if ((e->op != EX_FLOORDIV && e->op != EX_MOD) || e->arg[1]->op != EX_INT || e->arg[1]->integer <= 0 ||
	    !range_of(e->arg[0], index, &range))
		return e;
	by = e->arg[1];
	if (range.low >= 0 && range.high < by->integer)
		return e->op == EX_MOD ? e->arg[0] : ex_int(g, 0);
	return e;
}

bool is_affine_term(const struct term *term)
{
	for (int d = 0; d < term->to->rank; d++)
		if (!term->sub[d]->affine)
			return false;
	return true;
}

/* ---- reads ---- */

/* The read with its subscripts tidied; guarded where it may leave its tensor: by its own `else` value, or `other`, if
 * that is not NULL. */
static struct expr *guard_read(struct graph *g, struct expr *read, const struct index *index, struct expr *other)
{
	const struct tensor *t = read->tensor;
	struct expr *sub[MAX_SLOTS], *otherwise = read->guarded ? read->arg[t->rank] : other;
	bool leaves = false;

	for (int d = 0; d < t->rank; d++) {
		sub[d] = tidy_subscript(g, read->arg[d], index);
		leaves |= may_leave(t, d, sub[d], index);
	}
	return ex_read(g, read->tensor, sub, leaves ? otherwise : NULL);
}

struct expr *tidy_read(struct graph *g, struct expr *read, const struct index *index)
{
	return guard_read(g, read, index, NULL);
}

struct read_guard {
	struct graph *g;
	const struct index *index;
};

static struct expr *guard_by_zero(void *user, struct expr *read)
{
	const struct read_guard *guard = user;
	struct graph *g = guard->g;
	struct expr *zero = ex_num(g, 0);

	if (read->tensor->elem != ELEM_REAL)
		zero = read->tensor->elem == ELEM_INT ? ex_int(g, 0) : ex_bool(g, false);
	return guard_read(g, read, guard->index, zero);
}

struct expr *guard_reads(struct graph *g, struct expr *e, const struct index *index)
{
	return ex_map_reads(g, e, guard_by_zero, &(struct read_guard){g, index});
}

/* ---- digits: i = s*a + b ---- */

static bool is_chain(int64_t *by, int n)
{
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && by[k] < by[k - 1]; k--) {
			int64_t larger = by[k - 1];

			by[k - 1] = by[k];
			by[k] = larger;
		}
	for (int i = 1; i < n; i++)
		if (by[i] % by[i - 1])
			return false;
	return true;
}

/* Replace index i by digits, i = by[n-1]*d[n-1] + ... + by[0]*d[0], for divisors of which each divides the next and the
 * first is 1. The last digit takes the slot of i, the others new ones. Returns the new value of i. */
static struct expr *split_index(struct graph *g, struct term *term, int slot, const int64_t *by, int n)
{
	struct affine sum = {0};
	int64_t extent = term->index[slot].extent;

	for (int k = 0; k < n - 1; k++) {
		term->index[term->n] = (struct index){term->index[slot].name, by[k + 1] / by[k], false};
		sum.coef[term->n++] = by[k];
	}
	term->index[slot].extent = (extent + by[n - 1] - 1) / by[n - 1];
	sum.coef[slot] = by[n - 1];
	return affine_expr(g, &sum);
}

void split_quotients(struct graph *g, struct term *term)
{
	struct arena *arena = &g->ctx->arena;
	struct divisors divisors = {0};
	struct index *index = arena_array(arena, MAX_SLOTS, sizeof *index);
	struct expr **sub = arena_array(arena, (size_t)term->to->rank, sizeof(struct expr *));
	struct expr *map[MAX_SLOTS] = {0}, *inside = ex_bool(g, true);
	int old = term->n;

	for (int d = 0; d < term->to->rank; d++)
		if (!term->sub[d]->affine)
			find_divisors(term->sub[d], &divisors);
	memcpy(index, term->index, (size_t)term->n * sizeof *index);
	term->index = index;
	for (int s = 0; s < old; s++) {
		int64_t extent = index[s].extent, *by = divisors.by[s];
		int n = divisors.n[s];

		if (!n || n == MAX_DIVISORS || index[s].rows || term->n + n > MAX_SLOTS)
			continue;
		by[n++] = 1;
		if (!is_chain(by, n))
			continue;
		while (n > 1 && by[n - 1] >= extent)
			n--;
		map[s] = split_index(g, term, s, by, n);
		if (extent % by[n - 1])
			inside = ex2(g, EX_AND, inside, ex2(g, EX_LT, map[s], ex_int(g, extent)));
	}
	for (int d = 0; d < term->to->rank; d++)
		sub[d] = tidy_subscript(g, ex_substitute(g, term->sub[d], map, old), index);
	term->sub = sub;
	term->value = ex_select(g, inside, ex_substitute(g, term->value, map, old), ex_num(g, 0));
}
