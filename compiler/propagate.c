/* propagate.c - tensors that need no equation of their own.
 *
 * One walk in order. A tensor stands for an expression where its equation is
 *   a constant      y.grad[i] = 1 / n         no tensor, draw or index in it, and small
 *   a plain read    y[i, j] = x[j, i + 2]     a copy, transpose, slice or broadcast: affine subscripts, no guard
 *   a view of the same shape
 *   equal to an earlier equation              in the same part, or the backward's in forward
 * and every read of it that follows is replaced. Guards and
 * remainders that the indices' ranges make needless go as well. */
#include "chain.h"
#include "expr.h"
#include "simplify.h"

#include <assert.h>

/* Equations by what they compute; open addressing. */
struct known_equations {
	struct equation **entry;
	size_t n, room;
};

struct propagation {
	struct graph *g;
	enum part part;
	const struct equation *eq; /* whose reads are being replaced */
	struct known_equations known[PART_COUNT];
};

/* ---- reads of what stands for an expression ---- */

/* Does value, in the slots of t's axes, read a tensor of t's shape at [slot 0, 1, ...]? */
static bool is_identity(const struct expr *value, const struct tensor *t)
{
	if (value->op != EX_READ || !ex_is_read_of(value, value->tensor, t->rank))
		return false;
	for (int d = 0; d < t->rank; d++)
		if (value->tensor->axis[d].extent != t->axis[d].extent ||
		    value->tensor->axis[d].rows != t->axis[d].rows)
			return false;
	return true;
}

static struct expr *replace_read(void *user, struct expr *read)
{
	struct propagation *p = user;
	struct graph *g = p->g;
	const struct tensor *t = read->tensor;
	struct expr *value = usage_of(t)->value;

	if (!value)
		return tidy_read(g, read, p->eq->index);
	if (!read->guarded)
		return ex_substitute(g, value, read->arg, t->rank);
	if (is_identity(value, t))
		return ex_read(g, value->tensor, read->arg, read->arg[t->rank]);
	if (value->op == EX_READ)
		return NULL;
	return ex_select(g, inside_condition(g, read, p->eq->index), value, read->arg[t->rank]);
}

static void replace_reads(struct propagation *p, struct equation *eq)
{
	p->eq = eq;
	if (eq->value)
		eq->value = ex_map_reads(p->g, eq->value, replace_read, p);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		eq->target[d] = ex_map_reads(p->g, eq->target[d], replace_read, p);
}

/* ---- indices without effect ---- */

/* A bound index of one element is 0. One that does not occur: sum[k] c is c times the extent, max[k] c is c. */
static void drop_bound_indices(struct graph *g, struct equation *eq)
{
	struct expr *map[64] = {0}, *times = ex_num(g, 1);
	bool arg = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN, prod = eq->red == RED_PROD;
	int n = eq->nfree;

	if (eq->kind != EQ_MAP || arg || eq->tensor->total || eq->value->elem != eq->tensor->elem)
		return;
	for (int p = eq->nfree; p < eq->n; p++) {
		const struct index index = eq->index[p];
		bool occurs = eq->value->slots >> p & 1;

		if (index.extent == 1 && !index.rows) {
			map[p] = ex_int(g, 0);
		} else if (occurs || prod || eq->tensor->elem != ELEM_REAL) {
			map[p] = ex_index(g, n);
			eq->index[n++] = index;
		} else {
			times = ex2(g, EX_MUL, times,
				    index.rows ? ex_real(g, ex_run(g, RUN_ROWS)) : ex_num(g, (double)index.extent));
		}
	}
	if (n == eq->n)
		return;
	eq->value = ex_substitute(g, eq->value, map, eq->n);
	if (eq->red == RED_SUM && eq->tensor->elem == ELEM_REAL) /* of integers only indices of one element go */
		eq->value = ex2(g, EX_MUL, times, eq->value);
	eq->n = n;
	if (n == eq->nfree)
		eq->red = RED_NONE;
}

/* ---- equal equations ---- */

static size_t hash_equation(const struct equation *eq)
{
	uint64_t hash = (uint64_t)eq->value->id << 8 | (uint64_t)eq->red << 4 | (uint64_t)(eq->n & 15);

	hash = hash * 64 + (uint64_t)eq->nfree;
	for (int p = 0; p < eq->n; p++)
		hash = (hash ^ (uint64_t)eq->index[p].extent) * 0x9E3779B97F4A7C15u;
	return (size_t)(hash ^ hash >> 32);
}

static bool same_equation(const struct equation *a, const struct equation *b)
{
	if (a->value != b->value || a->red != b->red || a->n != b->n || a->nfree != b->nfree ||
	    a->tensor->elem != b->tensor->elem || a->tensor->classes != b->tensor->classes ||
	    a->tensor->batched != b->tensor->batched || a->tensor->total != b->tensor->total)
		return false;
	for (int p = 0; p < a->n; p++)
		if (a->index[p].extent != b->index[p].extent || a->index[p].rows != b->index[p].rows)
			return false;
	return true;
}

static struct equation **find_equation(const struct known_equations *known, const struct equation *eq)
{
	size_t at = hash_equation(eq) & (known->room - 1);

	while (known->entry[at] && !same_equation(known->entry[at], eq))
		at = (at + 1) & (known->room - 1);
	return &known->entry[at];
}

/* The earlier equation equal to eq, which is remembered if there is none. */
static struct equation *earlier_equation(struct graph *g, struct known_equations *known, struct equation *eq)
{
	struct equation **place;

	if (2 * known->n >= known->room) {
		struct known_equations old = *known;

		known->room = old.room ? 2 * old.room : 64;
		known->entry = arena_array(&g->ctx->arena, known->room, sizeof *known->entry);
		for (size_t i = 0; i < old.room; i++)
			if (old.entry[i])
				*find_equation(known, old.entry[i]) = old.entry[i];
	}
	place = find_equation(known, eq);
	if (*place)
		return *place != eq ? *place : NULL;
	*place = eq;
	known->n++;
	return NULL;
}

/* ---- the walk ---- */

/* The number of nodes of an expression without tensors, indices and draws; more than `most` for all others. */
static int constant_size(const struct expr *e, int most)
{
	int n = 1;

	if (e->op == EX_READ || e->op == EX_DRAW || e->op == EX_INDEX)
		return most + 1;
	for (int k = 0; k < e->n && n <= most; k++)
		n += constant_size(e->arg[k], most - n);
	return n;
}

static bool is_plain_read(const struct expr *e)
{
	if (e->op != EX_READ || e->guarded)
		return false;
	for (int d = 0; d < e->n; d++)
		if (!e->arg[d]->affine)
			return false;
	return true;
}

static struct expr *read_at_slots(struct graph *g, struct tensor *t)
{
	struct expr *sub[64];

	for (int d = 0; d < t->rank; d++)
		sub[d] = ex_index(g, d);
	return ex_read(g, t, sub, NULL);
}

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
	bool same = a->rank == b->rank;

	for (int d = 0; d < a->rank && same; d++)
		same = a->axis[d].extent == b->axis[d].extent && a->axis[d].rows == b->axis[d].rows;
	return same;
}

/* What stands for the tensor of eq from here on, or NULL. */
static struct expr *find_value(struct propagation *p, struct equation *eq)
{
	struct graph *g = p->g;
	const struct usage *u = usage_of(eq->tensor);
	struct equation *earlier;
	enum part table = p->part == PART_BACKWARD ? PART_FORWARD : p->part;

	if (u->definitions != 1 || eq->kind == EQ_SCATTER)
		return NULL;
	if (eq->kind == EQ_VIEW)
		return !u->fixed && same_shape(eq->tensor, eq->tensor->of) ? read_at_slots(g, eq->tensor->of) : NULL;
	if (!u->fixed && eq->red == RED_NONE && eq->value->elem == eq->tensor->elem &&
	    (constant_size(eq->value, 8) <= 8 || is_plain_read(eq->value)))
		return eq->value;
	earlier = earlier_equation(g, &p->known[table], eq);
	return earlier && !u->fixed ? read_at_slots(g, earlier->tensor) : NULL;
}

/* A view of a view or of a tensor that another stands for. */
static void redirect_view(struct tensor *t)
{
	const struct expr *value;

	while ((value = usage_of(t->of)->value) && is_identity(value, t->of))
		t->of = value->tensor;
	assert(t->of != t);
}

static void propagate_equation(void *user, struct equation *eq)
{
	struct propagation *p = user;

	drop_bound_indices(p->g, eq);
	replace_reads(p, eq);
	drop_bound_indices(p->g, eq);
	if (eq->kind == EQ_VIEW)
		redirect_view(eq->tensor);
	usage_of(eq->tensor)->value = find_value(p, eq);
}

/* Requires: find_usage. Breaks: reads in g's equations only; what became unused is still there. A scan is gone over
 * twice: what reads an earlier step stands before the definition. */
void propagate(struct graph *g)
{
	struct propagation p = {.g = g};

	for (p.part = 0; p.part < PART_COUNT; p.part++)
		for (int i = 0; i < g->part[p.part].n; i++) {
			struct equation **item = &g->part[p.part].item[i];

			visit_equations(item, 1, propagate_equation, &p);
			if ((*item)->kind == EQ_SCAN)
				visit_equations(item, 1, propagate_equation, &p);
		}
}
