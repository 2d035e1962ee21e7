/* schedule_operands.c - the factors of sums of products get memory of their own where tiles need it.
 *
 * Tiles (schedule_tile.c) read two tensors, each at subscripts that are linear in the indices. What a sum multiplies is
 * often more: a window that reaches beyond an image, with 0 outside; the state of the step before, or else the first
 * one; a choice, a quotient. Such a factor becomes an equation before the sum:
 *
 *     x.operand[batch, c, i < 34, j < 34] = x[batch, c, i - 1, j - 1 else 0]
 *     y[batch, o, i, j] = sum[c, u, v] weight[o, c, u, v] * x.operand[batch, c, i + u, j + v]
 *
 * It costs one pass over a tensor, and the sum uses every element of it many times. Factors that no bound index moves
 * are taken out of the sum, and a bound index that moves only one factor is summed over in the copy of that.
 *
 * Vectors of results need a factor whose elements lie in the order of the results, dot products both in that of a sum.
 * Where that is worth a copy, there is one, which a scan makes before its first step if all steps read the same:
 *
 *     w.operand[j, i] = w[i, j]
 *     y[batch, i] = sum[j] w.operand[j, i] * x[batch, j]
 *
 * requires  equations in order
 * keeps     what they compute, but for rounding where a factor is taken out; the graph itself
 * gives     a list with equations added; those of a scan are copies */
#include "schedule_operands.h"

#include <math.h>
#include <string.h>

enum {
	MOVE_CYCLES = 2,	   /* to copy an element to a place far from the last one's */
	MOVE_CYCLES_IN_PROCESS = 8 /* libtcc's code */
};

double work_of(const struct equation *eq, bool one_row)
{
	double work = 1;

	for (int s = 0; s < eq->n; s++)
		work *= one_row && eq->index[s].rows ? 1 : (double)eq->index[s].extent;
	return work;
}

/* The index along which results lie side by side in memory, or -1. */
static int result_slot(const struct operands *w)
{
	const struct equation *eq = w->eq;
	int s = eq->nfree - 1;

	while (s >= 0 && eq->index[s].extent == 1)
		s--;
	return s < 0 || eq->index[s].rows || is_step(eq, w->steps, s) ? -1 : s;
}

/* The sum of the product over those bound indices that are left. */
static struct equation *sum_of(struct operands *w, struct tensor *t, struct expr *a, struct expr *b)
{
	const struct equation *eq = w->eq;
	struct expr *map[64] = {0};
	struct index index[64];
	int n = 0;

	for (int s = 0; s < eq->n; s++)
		if (s < eq->nfree || (a->slots | b->slots) >> s & 1) {
			map[s] = ex_index(w->g, n);
			index[n++] = eq->index[s];
		}
	return graph_equation(w->g, t, RED_SUM, eq->nfree, n, index,
			      ex_substitute(w->g, ex2(w->g, EX_MUL, a, b), map, eq->n), eq->at);
}

/* About the cycles of the sum with these operands, of all steps, their copies not counted; INFINITY where they are not
 * less than `most`. *dot: by dot products. */
static double sum_cycles(struct operands *w, struct expr *a, struct expr *b, bool one_row, double most, bool *dot)
{
	const struct equation *eq = w->eq;
	struct equation *sum = sum_of(w, eq->tensor, a, b);
	struct stage *stage = make_term(w->g, sum, w->steps);
	uint64_t open = 0;
	double steps = 1, work = work_of(eq, one_row), cycles;

	for (int s = 0; s < eq->nfree; s++)
		if (is_step(eq, w->steps, s)) {
			open |= (uint64_t)1 << s;
			steps *= (double)eq->index[s].extent;
		}
	cycles = tile_cycles(w->p, stage, w->part, open, one_row, most / steps, dot) * steps;
	if (cycles == INFINITY && work < most && most < INFINITY) /* is there no tile, or a slow one? */
		cycles = tile_cycles(w->p, stage, w->part, open, one_row, INFINITY, dot) * steps;
	return cycles < INFINITY ? cycles : work < most ? work : INFINITY;
}

double move_cycles(const struct operands *w) { return w->p->in_process ? MOVE_CYCLES_IN_PROCESS : MOVE_CYCLES; }

static double copy_cycles(const struct operands *w, const struct operand *operand, bool one_row)
{
	double moved = operand->moved;

	if (one_row && operand->copy->tensor->batched)
		moved /= (double)operand->copy->tensor->axis[0].extent;
	return moved * move_cycles(w);
}

/* Factor `which` is copied with an index as its last one, if the sum gains more than the copy costs. source: of the
 * operands; slow: a sum that takes fewer cycles stays as it is, unless it is by dot products. */
static bool turn_factor(struct operands *w, struct operand operand[2], struct expr *const source[2], int which,
			int last, double work, double slow)
{
	struct expr *const before[2] = {operand[0].read, operand[1].read}, *after[2] = {before[0], before[1]};
	struct operand turned;
	bool dot;

	if (sum_cycles(w, before[0], before[1], false, slow, &dot) < slow && !dot)
		return false;
	turned = copy_by_indices(w, source[which], source[!which], last, work);
	if (!turned.read)
		return false;
	after[which] = turned.read;
	for (int one_row = 0; one_row < (w->part == PART_INFERENCE ? 2 : 1); one_row++) {
		double cycles = sum_cycles(w, after[0], after[1], one_row, INFINITY, &dot);

		if (!operand[which].copy)
			cycles += copy_cycles(w, &turned, one_row);
		if (sum_cycles(w, before[0], before[1], one_row, cycles / 0.9, &dot) < cycles / 0.9)
			return false;
	}
	operand[which] = turned;
	return true;
}

/* A factor that alone has the index along which the results lie, for vectors of results; or one for dot products, whose
 * vectors lie along a sum as the other factor does. */
static void turn_operand(struct operands *w, struct operand operand[2], struct expr *const source[2], double work)
{
	const struct equation *eq = w->eq;
	const int inner = result_slot(w), lanes = w->p->machine[0].lanes;
	/* less than two thirds of what the machine can, which a copy for every window comes to */
	const double slow = 1.5 * work / (lanes * (w->p->machine[0].fused ? 2 : 1));

	if (inner >= 0 && eq->index[inner].extent >= lanes) {
		int which = source[1]->slots >> inner & 1;

		if (source[which]->slots >> inner & 1 && !(source[!which]->slots >> inner & 1))
			turn_factor(w, operand, source, which, inner, work, slow);
		return;
	}
	for (int k = 0; k < 2; k++)
		for (int s = eq->nfree; s < eq->n; s++)
			if (source[0]->slots & source[1]->slots & (uint64_t)1 << s && !eq->index[s].rows &&
			    eq->index[s].extent >= lanes && reach(w, source[k], s) != 1 &&
			    reach(w, source[!k], s) == 1 && turn_factor(w, operand, source, k, s, work, slow))
				return;
}

static bool is_covered(const condition_list *covers, const struct affine *condition)
{
	for (int i = 0; i < covers->n; i++)
		if (memcmp(&covers->item[i], condition, sizeof *condition) == 0)
			return true;
	return false;
}

/* The sum of the product of two operands, and what is outside of it. */
static struct equation *rebuild(struct operands *w, const struct operand operand[2], struct expr *outside)
{
	const struct equation *eq = w->eq;
	struct arena *arena = &w->g->ctx->arena;
	struct tensor *t = eq->tensor;
	struct expr *subs[64];

	for (int k = 0; k < 2; k++)
		if (operand[k].copy)
			list_add(arena, operand[k].first ? w->first : &w->added, operand[k].copy);
	if (!outside)
		return sum_of(w, t, operand[0].read, operand[1].read);
	t = make_tensor(w->p, eq->tensor, ROLE_VALUE, arena_printf(arena, "%s.sum", eq->tensor->name), eq->tensor->rank,
			eq->tensor->axis);
	t->batched = eq->tensor->batched;
	t->of = NULL;
	list_add(arena, &w->added, sum_of(w, t, operand[0].read, operand[1].read));
	for (int s = 0; s < eq->nfree; s++)
		subs[s] = ex_index(w->g, s);
	return graph_equation(w->g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index,
			      ex2(w->g, EX_MUL, outside, ex_read(w->g, t, subs, NULL)), eq->at);
}

struct equation *with_operands(struct operands *w)
{
	const struct equation *eq = w->eq;
	struct product product = {0};
	condition_list covers = {0};
	struct expr *const *factor;
	struct operand operand[2];
	double work = work_of(eq, false);

	if (eq->kind != EQ_MAP || eq->red != RED_SUM || eq->tensor->elem != ELEM_REAL || !may_tile(w->p, work) ||
	    (w->g->ctx->options->unroll == NNC_UNROLL_AUTO && work_of(eq, true) <= WRITE_OUT_LIMIT))
		return NULL;
	find_product(w, &product);
	if (product.factors.n != 2)
		return NULL;
	factor = product.factors.item;
	if (!(factor[0]->slots & ~factor[1]->slots) || !(factor[1]->slots & ~factor[0]->slots) ||
	    w->bound & ~(factor[0]->slots | factor[1]->slots))
		return NULL; /* no element of one of them is used twice; or it is a multiple of a sum */
	for (int k = 0; k < 2; k++)
		operand[k] = find_operand(w, factor[k], factor[!k], work, &covers);
	for (int i = 0; i < product.conditions.n; i++)
		if (!is_covered(&covers, &product.conditions.item[i]))
			return NULL;
	if (!operand[0].read || !operand[1].read)
		return NULL;
	if (!w->g->no_operands)
		turn_operand(w, operand, factor, work);
	if (!operand[0].copy && !operand[1].copy && !product.outside && !product.conditions.n)
		return NULL;
	for (int k = 0; k < 2 && w->g->no_operands; k++) /* the same products, of what the copies would hold */
		operand[k] = (struct operand){.read = factor[k]};
	return rebuild(w, operand, product.outside);
}

static void add_with_operands(struct operands *w, struct equation *const *item, int n);

static void note_made(void *user, struct equation *eq)
{
	struct operands *w = user;

	list_add(&w->g->ctx->arena, &w->made, root_of(eq->tensor));
}

static struct equation *copy_scan(struct operands *w, const struct equation *eq)
{
	struct arena *arena = &w->g->ctx->arena;
	struct equation *copy = arena_alloc(arena, sizeof *copy);
	struct scan *scan = arena_alloc(arena, sizeof *scan);
	equation_list body = {0}, *out = w->out;

	*copy = *eq;
	*scan = *eq->scan;
	copy->scan = scan;
	if (!w->steps)
		w->made.n = 0;
	visit_equations(eq->scan->body, eq->scan->n, note_made, w);
	w->out = &body;
	w->steps++;
	add_with_operands(w, eq->scan->body, eq->scan->n);
	w->steps--;
	w->out = out;
	scan->body = body.item;
	scan->n = body.n;
	return copy;
}

/* Whether a tile can do one of the sums. */
static bool has_tile(struct operands *w, const struct equation *last)
{
	bool dot;

	for (int i = -1; i < w->added.n; i++) {
		struct equation *eq = i < 0 ? (struct equation *)last : w->added.item[i];

		if (eq->red == RED_SUM &&
		    tile_cycles(w->p, make_term(w->g, eq, w->steps), w->part, 0, false, INFINITY, &dot) < INFINITY)
			return true;
	}
	return false;
}

struct equation *sum_in_best_form(struct operands *w, struct equation *eq, double cycles[2])
{
	struct equation *sum, *back = NULL, *made = NULL;

	w->eq = eq;
	sum = in_phases(w, &back);
	if (sum)
		made = in_best_order(w, sum, cycles);
	if (sum && has_tile(w, made)) {
		list_add(&w->g->ctx->arena, &w->added, made);
		return back;
	}
	w->eq = eq;
	made = write_out_sum(w);
	return in_best_order(w, made ? made : eq, cycles);
}

static void add_equation(struct operands *w, struct equation *eq)
{
	struct arena *arena = &w->g->ctx->arena;
	struct equation *made;
	double cycles[2];

	made = sum_in_best_form(w, eq, cycles);
	for (int k = 0; k < w->added.n; k++)
		list_add(arena, w->out, w->added.item[k]);
	list_add(arena, w->out, made);
}

static void add_with_operands(struct operands *w, struct equation *const *item, int n)
{
	struct arena *arena = &w->g->ctx->arena;

	for (int i = 0; i < n; i++) {
		struct equation *made;

		if (item[i]->kind == EQ_SCAN) {
			made = copy_scan(w, item[i]); /* first of all: it may add to the list */
			list_add(arena, w->out, made);
			continue;
		}
		add_equation(w, item[i]);
	}
}

equation_list give_operands(struct program *p, enum part part, const equation_list *list)
{
	equation_list out = {0};
	struct operands w = {.p = p, .g = p->g, .part = part, .out = &out, .first = &out};

	add_with_operands(&w, list->item, list->n);
	return merge_borders(p, &out);
}

void visit_other_parts(struct graph *g, void (*fn)(void *user, struct equation *eq), void *user)
{
	static const enum part other[] = {PART_INIT, PART_UPDATE, PART_AVERAGE};

	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		visit_equations(g->part[other[i]].item, g->part[other[i]].n, fn, user);
}
