/* schedule_loops.c - one equation: its form, the order of its loops, and what bounds them.
 *
 * A sum can be computed in two ways. As a DOT, each element has an accumulator and the bound loops run inside; good
 * where a bound index has unit stride in every operand. As a ROW, the last free index runs innermost and a row of the
 * result accumulates in memory; good where that index has unit stride and the bound ones have not. The cheaper one
 * by a count of operations is taken: an iteration whose accesses all have stride 0 or 1 counts as a vector's.
 *
 * Where terms are 0 because a factor is (a read outside with `else 0`, a choice whose other side is 0), the
 * conditions that say so become bounds of loops instead of tests. */
#include "schedule.h"

#include <math.h>
#include <string.h>

int64_t axis_stride(const struct tensor *t, int axis)
{
	unsigned once = layout_of(t)->once;
	int64_t stride = once >> axis & 1 ? 0 : 1;

	for (int a = axis + 1; a < t->rank; a++)
		stride *= once >> a & 1 ? 1 : t->axis[a].extent;
	return stride;
}

static int64_t without_steps(const struct tensor *t, int64_t size)
{
	for (int a = 0; a < t->rank; a++)
		if (layout_of(t)->once >> a & 1)
			size /= t->axis[a].extent;
	return size;
}

int64_t memory_size(const struct tensor *t) { return without_steps(t, tensor_size(t)); }
int64_t memory_sample_size(const struct tensor *t) { return without_steps(t, tensor_sample_size(t)); }

bool flat_subscript(const struct tensor *t, struct expr *const *subs, struct affine *flat)
{
	memset(flat, 0, sizeof *flat);
	for (int a = 0; a < t->rank; a++)
		if (!affine_add(subs[a], axis_stride(t, a), flat))
			return false;
	return true;
}

/* ---- conditions ---- */

static void add_condition(struct graph *g, condition_list *list, const struct affine *a)
{
	bool constant = true;

	for (int s = 0; s < 64; s++)
		constant &= a->coef[s] == 0;
	if (constant && a->constant >= 0)
		return;
	for (int i = 0; i < list->n; i++)
		if (memcmp(&list->item[i], a, sizeof *a) == 0)
			return;
	list_add(&g->ctx->arena, list, *a);
}

/* *out = a - b - less; false where one is not affine. */
static bool difference(const struct expr *a, const struct expr *b, int64_t less, struct affine *out)
{
	struct affine right;

	if (!affine_of(a, out) || !affine_of(b, &right))
		return false;
	out->constant -= right.constant + less;
	for (int s = 0; s < 64; s++)
		out->coef[s] -= right.coef[s];
	return true;
}

/* Put what is affine of c into the list; return the rest of c, or NULL if there is none. */
static struct expr *take_condition(struct graph *g, condition_list *list, struct expr *c)
{
	struct affine a;

	if (c->op == EX_AND) {
		struct expr *left = take_condition(g, list, c->arg[0]), *right = take_condition(g, list, c->arg[1]);

		return left && right ? ex2(g, EX_AND, left, right) : left ? left : right;
	}
	if ((c->op == EX_LT || c->op == EX_LE || c->op == EX_EQ) && c->arg[0]->elem == ELEM_INT &&
	    difference(c->arg[1], c->arg[0], c->op == EX_LT, &a)) {
		add_condition(g, list, &a);
		if (c->op == EX_EQ && difference(c->arg[0], c->arg[1], 0, &a))
			add_condition(g, list, &a);
		return NULL;
	}
	return c;
}

/* The conditions under which a guarded read is inside. Subscripts that are not affine keep their tests. */
void guard_conditions(struct graph *g, condition_list *list, const struct index *index, const struct expr *read)
{
	const struct tensor *t = read->tensor;

	for (int a = 0; a < t->rank; a++) {
		struct affine low, high;
		struct range r;

		if (t->axis[a].rows || !affine_of(read->arg[a], &low))
			continue;
		if (!range_of(read->arg[a], index, &r))
			r = (struct range){INT64_MIN, INT64_MAX};
		high = (struct affine){.constant = t->axis[a].extent - 1 - low.constant};
		for (int s = 0; s < 64; s++)
			high.coef[s] = -low.coef[s];
		if (r.low < 0)
			add_condition(g, list, &low);
		if (r.high >= t->axis[a].extent)
			add_condition(g, list, &high);
	}
}

/* e, which is a factor of a term of a sum: its conditions go to the list, the rest is returned. */
struct expr *peel_conditions(struct graph *g, condition_list *list, const struct index *index, struct expr *e)
{
	struct expr *rest;

	switch (e->op) {
	case EX_NEG: return ex1(g, EX_NEG, peel_conditions(g, list, index, e->arg[0]));
	case EX_MUL:
		rest = peel_conditions(g, list, index, e->arg[0]);
		return ex2(g, EX_MUL, rest, peel_conditions(g, list, index, e->arg[1]));
	case EX_DIV: return ex2(g, EX_DIV, peel_conditions(g, list, index, e->arg[0]), e->arg[1]);
	case EX_SELECT:
		if (!ex_is_num(e->arg[2], 0))
			return e;
		rest = take_condition(g, list, e->arg[0]);
		if (rest)
			return rest == e->arg[0] ? e : ex_select(g, rest, e->arg[1], e->arg[2]);
		return peel_conditions(g, list, index, e->arg[1]);
	case EX_READ:
		if (e->guarded && ex_is_num(e->arg[e->tensor->rank], 0))
			guard_conditions(g, list, index, e);
		return e;
	default: return e;
	}
}

/* The value that a reducer ignores. */
static bool is_neutral(enum reducer red, const struct expr *e)
{
	switch (red) {
	case RED_PROD: return ex_is_num(e, 1);
	case RED_MAX: return ex_is_num(e, -INFINITY);
	case RED_MIN: return ex_is_num(e, INFINITY);
	default: return false;
	}
}

static void peel_term(struct graph *g, struct stage *stage)
{
	struct equation *eq = stage->eq;
	struct expr *e = eq->value;

	stage->term = e;
	if (eq->red == RED_SUM || eq->kind == EQ_SCATTER) {
		stage->term = peel_conditions(g, &stage->conditions, eq->index, e);
	} else if (e->op == EX_READ && e->guarded && is_neutral(eq->red, e->arg[e->tensor->rank])) {
		guard_conditions(g, &stage->conditions, eq->index, e);
	} else if (e->op == EX_SELECT && is_neutral(eq->red, e->arg[2])) {
		struct expr *rest = take_condition(g, &stage->conditions, e->arg[0]);

		stage->term = rest ? ex_select(g, rest, e->arg[1], e->arg[2]) : e->arg[1];
	}
}

/* ---- strides and cost ---- */

enum { WILD = 1 << 20 }; /* a stride that is no constant */

/* How fast a read moves when slot s advances. */
static int64_t read_stride(const struct expr *read, int s)
{
	int64_t stride = 0;

	for (int a = 0; a < read->tensor->rank; a++) {
		struct affine sub;

		if (!(read->arg[a]->slots >> s & 1))
			continue;
		if (!affine_of(read->arg[a], &sub))
			return WILD;
		stride += sub.coef[s] * axis_stride(read->tensor, a);
	}
	return stride;
}

/* Relative time of an iteration of an innermost loop over slot s: `writes` more accesses of unit stride beside the
 * reads, `start` once a loop. */
static double iteration_cost(const struct equation *eq, const expr_list *reads, int s, double writes, double start)
{
	double accesses = writes;
	bool vector = true;

	for (int i = 0; i < reads->n; i++) {
		int64_t stride = read_stride(reads->item[i], s);

		accesses += stride != 0;
		vector &= stride == 0 || stride == 1;
	}
	return (vector ? accesses / 8 : accesses) + start / (double)eq->index[s].extent;
}

static void order_scatter(struct graph *g, struct stage *stage)
{
	struct equation *eq = stage->eq;
	int inner = -1;

	(void)g;
	for (int s = 0; s < eq->n; s++) { /* the index that moves the target by 1 */
		struct affine flat;

		if (flat_subscript(eq->tensor, eq->target, &flat) && flat.coef[s] == 1 && !eq->index[s].rows)
			inner = s;
	}
	for (int s = 0; inner < 0 && s < eq->n; s++)
		for (int a = 0; a < eq->tensor->rank; a++) {
			struct affine sub;

			if (a == eq->tensor->rank - 1 && affine_of(eq->target[a], &sub) && sub.coef[s] == 1 &&
			    !eq->index[s].rows)
				inner = s;
		}
	for (int s = 0; s < eq->n; s++)
		if (s != inner)
			stage->loop[stage->n_loop++] = s;
	if (inner >= 0)
		stage->loop[stage->n_loop++] = inner;
}

/* The bound slots in order, `last` at the end. */
static void add_bound_loops(struct stage *stage, int last)
{
	for (int s = stage->eq->nfree; s < stage->eq->n; s++)
		if (s != last)
			stage->loop[stage->n_loop++] = s;
	if (last >= 0)
		stage->loop[stage->n_loop++] = last;
}

/* The bound indices run as they are written: the first of equals wins, or bits count, which must not depend on how
 * values lie. */
static bool keeps_order(enum reducer red, bool strict)
{
	return red == RED_ARGMAX || red == RED_ARGMIN || (strict && (red == RED_SUM || red == RED_PROD));
}

enum {
	LONG_SUM = 32,
	LONGER_SUM = 64,
	MOST_LANES = 32 /* gcc takes the loop over fewer apart, and compares one by one */
};

/* Partial sums of a dot product; a short one that has as many terms as vectors have lanes takes one round. With fewer
 * of a long one than its vectors have lanes, gcc -O3 makes vectors of every eighth term, by shuffles. */
static int lanes_for(const struct index *index)
{
	if (index->extent >= LONG_SUM)
		return index->extent >= LONGER_SUM ? SUM_LANES : 8;
	for (int lanes = SUM_LANES; lanes >= 4 && !index->rows; lanes /= 2)
		if (index->extent % lanes == 0)
			return lanes;
	return 1;
}

static void order_reduction(struct graph *g, struct stage *stage)
{
	struct equation *eq = stage->eq;
	bool strict = g->ctx->options->fp == NNC_FP_STRICT;
	int row = eq->nfree - 1, inner = eq->n - 1;
	double dot_cost = INFINITY;
	expr_list reads = {0};

	collect_reads(g, stage->term, &reads);
	for (int s = keeps_order(eq->red, strict) ? inner : eq->nfree; s < eq->n; s++) {
		double cost = iteration_cost(eq, &reads, s, 0, 8) + (strict && eq->red == RED_SUM ? 2 : 0);

		if (cost <= dot_cost) {
			dot_cost = cost;
			inner = s;
		}
	}
	if (eq->red == RED_SUM && row >= 0 && !is_step(eq, stage->n_steps, row) && eq->index[row].extent > 1 &&
	    !eq->index[row].rows && iteration_cost(eq, &reads, row, 2, 3) < dot_cost) {
		stage->form = FORM_ROW;
		for (int s = 0; s < row; s++)
			stage->loop[stage->n_loop++] = s;
		stage->n_free = stage->n_loop;
		add_bound_loops(stage, -1);
		stage->loop[stage->n_loop++] = row;
		return;
	}
	stage->form = FORM_DOT;
	for (int s = 0; s < eq->nfree; s++)
		stage->loop[stage->n_loop++] = s;
	stage->n_free = stage->n_loop;
	add_bound_loops(stage, inner);
	if (eq->red == RED_SUM && eq->tensor->elem == ELEM_REAL && !strict)
		stage->lanes = lanes_for(&eq->index[inner]);
	if ((eq->red == RED_MAX || eq->red == RED_MIN) && eq->tensor->elem == ELEM_REAL && !strict &&
	    eq->index[inner].extent >= LONG_SUM)
		stage->lanes = eq->index[inner].extent % MOST_LANES ? 8 : MOST_LANES;
	for (int i = 0; i < reads.n; i++) {
		int64_t stride = read_stride(reads.item[i], inner);

		if (stride != 0 && stride != 1)
			stage->lanes = 1;
	}
}

static void note_exprs(struct graph *g, struct stage *stage)
{
	const struct equation *eq = stage->eq;

	collect_exprs(g, eq->value, &stage->exprs);
	for (int i = 0; i < stage->exprs.n; i++)
		if (stage->exprs.item[i]->op == EX_READ)
			list_add(&g->ctx->arena, &stage->reads, stage->exprs.item[i]);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		collect_reads(g, eq->target[a], &stage->reads);
}

/* An index of extent 1 is 0 everywhere. */
static void drop_single_rounds(struct graph *g, struct stage *stage)
{
	struct equation *eq = stage->eq;
	struct expr *zero[64] = {0};
	bool any = false;

	for (int s = 0; s < eq->n; s++)
		if (eq->index[s].extent == 1 && !eq->index[s].rows && s >= eq->nfree)
			zero[s] = ex_int(g, 0), any = true;
	stage->term = any ? ex_substitute(g, stage->term, zero, eq->n) : stage->term;
	if (eq->kind != EQ_SCATTER)
		return;
	stage->target = arena_array(&g->ctx->arena, (size_t)eq->tensor->rank + 1, sizeof *stage->target);
	for (int a = 0; a < eq->tensor->rank; a++)
		stage->target[a] = ex_substitute(g, eq->target[a], zero, eq->n);
}

struct stage *make_term(struct graph *g, struct equation *eq, int n_steps)
{
	struct stage *stage = arena_alloc(&g->ctx->arena, sizeof *stage);

	stage->eq = eq;
	stage->written = eq;
	stage->n_steps = n_steps;
	if (g->ctx->options->unroll != NNC_UNROLL_ALL && stage_cost(stage) > WRITE_OUT_LIMIT)
		stage->eq = merge_bound(g, eq);
	stage->lanes = 1;
	peel_term(g, stage);
	drop_single_rounds(g, stage);
	return stage;
}

struct stage *make_stage(struct graph *g, struct equation *eq, int n_steps)
{
	struct stage *stage = make_term(g, eq, n_steps);

	eq = stage->eq;
	note_exprs(g, stage);
	if (eq->kind == EQ_SCATTER) {
		stage->form = FORM_SCATTER;
		order_scatter(g, stage);
	} else if (eq->red == RED_NONE) {
		stage->form = FORM_MAP;
		for (int s = 0; s < eq->nfree; s++)
			stage->loop[stage->n_loop++] = s;
		stage->n_free = stage->n_loop;
	} else {
		order_reduction(g, stage);
	}
	return stage;
}

bool accumulates_in_memory(const struct group *group, const struct stage *stage)
{
	const struct equation *eq = stage->eq;
	bool sums_rows = false;

	for (int s = eq->nfree; s < eq->n; s++)
		sums_rows |= eq->index[s].rows;
	return stage->form == FORM_ROW || stage->form == FORM_SCATTER || (group->written_out && sums_rows);
}

double stage_cost(const struct stage *stage)
{
	double cost = 1;

	for (int s = 0; s < stage->eq->n; s++)
		if (!stage->eq->index[s].rows && !is_step(stage->eq, stage->n_steps, s))
			cost *= (double)stage->eq->index[s].extent;
	return cost;
}
