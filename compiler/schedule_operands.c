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
 * are taken out of the sum.
 *
 * requires  equations in order
 * keeps     what they compute, but for rounding where a factor is taken out; the graph itself
 * gives     a list with equations added; those of a scan are copies */
#include "schedule.h"

#include <string.h>

struct operands {
	struct program *p;
	struct graph *g;
	const struct equation *eq; /* being looked at */
	int steps;		   /* scans around it */
	equation_list *out;
	equation_list added; /* for eq, not yet in out */
	uint64_t bound;	     /* slots of eq */
};

/* The factors of a term: those that a bound index moves, and the rest as one expression. */
struct product {
	expr_list factors;
	struct expr *outside; /* NULL: 1 */
	condition_list conditions;
};

/* ---- the term as a product ---- */

static struct expr *multiply(struct graph *g, struct expr *a, struct expr *b) { return a ? ex2(g, EX_MUL, a, b) : b; }

static void take_factor(struct operands *w, struct product *product, struct expr *e)
{
	if (!(e->slots & w->bound)) {
		product->outside = multiply(w->g, product->outside, e);
		return;
	}
	switch (e->op) {
	case EX_MUL:
		take_factor(w, product, e->arg[0]);
		take_factor(w, product, e->arg[1]);
		return;
	case EX_NEG:
		product->outside = multiply(w->g, product->outside, ex_num(w->g, -1));
		take_factor(w, product, e->arg[0]);
		return;
	case EX_DIV:
		if (!(e->arg[1]->slots & w->bound)) {
			product->outside =
				ex2(w->g, EX_DIV, product->outside ? product->outside : ex_num(w->g, 1), e->arg[1]);
			take_factor(w, product, e->arg[0]);
			return;
		}
		/* fall through */
	default: list_add(&w->g->ctx->arena, &product->factors, e);
	}
}

/* Factors whose indices another one has as well are one with it, until there are two. */
static void join_factors(struct operands *w, struct product *product)
{
	expr_list *list = &product->factors;

	for (int i = 0; list->n > 2 && i < list->n; i++)
		for (int k = 0; list->n > 2 && k < list->n; k++)
			if (k != i && !(list->item[i]->slots & ~list->item[k]->slots)) {
				list->item[k] = ex2(w->g, EX_MUL, list->item[k], list->item[i]);
				list->item[i--] = list->item[--list->n];
				break;
			}
}

/* ---- a factor as a tensor ---- */

static struct tensor *new_operand(struct operands *w, const struct tensor *like, bool batched, int rank,
				  const struct axis *axis)
{
	struct tensor *t = make_tensor(w->p, w->eq->tensor, ROLE_VALUE,
				       arena_printf(&w->g->ctx->arena, "%s.operand", like->name), rank, axis);

	t->batched = batched;
	t->of = NULL;
	return t;
}

static void define(struct operands *w, struct tensor *t, struct expr *value)
{
	struct index index[64];

	for (int a = 0; a < t->rank; a++)
		index[a] = (struct index){t->axis[a].rows ? "batch" : arena_printf(&w->g->ctx->arena, "i%d", a),
					  t->axis[a].extent, t->axis[a].rows};
	list_add(&w->g->ctx->arena, &w->added,
		 graph_equation(w->g, t, RED_NONE, t->rank, t->rank, index, value, w->eq->at));
}

/* An axis for every index that the factor depends on; NULL: that would be large, or not possible. */
static struct expr *by_indices(struct operands *w, struct expr *e, double work)
{
	const struct equation *eq = w->eq;
	struct expr *map[64] = {0}, *subs[64];
	struct axis axis[64];
	struct tensor *t;
	double size = 1;
	int rank = 0;

	for (int pass = 0; pass < 2; pass++) /* the sample's axis is the first */
		for (int s = 0; s < eq->n; s++) {
			if (!(e->slots >> s & 1) || eq->index[s].rows != (pass == 0))
				continue;
			map[s] = ex_index(w->g, rank);
			subs[rank] = ex_index(w->g, s);
			axis[rank++] = (struct axis){eq->index[s].extent, eq->index[s].rows};
			size *= (double)eq->index[s].extent;
		}
	for (int s = 0; s < eq->n; s++)
		if (is_step(eq, w->steps, s) && !(e->slots >> s & 1))
			return NULL;
	if (rank == 0 || size * 8 > work || size > INT32_MAX)
		return NULL;
	t = new_operand(w, eq->tensor, axis[0].rows, rank, axis);
	define(w, t, ex_substitute(w->g, e, map, eq->n));
	return ex_read(w->g, t, subs, NULL);
}

/* The part of a tensor that the subscripts reach, with 0 around it. NULL: they are not affine. */
static struct expr *with_border(struct operands *w, const struct expr *read)
{
	const struct tensor *of = read->tensor;
	struct expr *subs[64], *from[64];
	struct axis axis[64];
	struct tensor *t;
	double size = 1;

	for (int a = 0; a < of->rank; a++) {
		struct range r = {0, of->axis[a].extent - 1};

		if (!read->arg[a]->affine || (!of->axis[a].rows && !range_of(read->arg[a], w->eq->index, &r)))
			return NULL;
		axis[a] = (struct axis){r.high - r.low + 1, of->axis[a].rows};
		subs[a] = ex2(w->g, EX_SUB, read->arg[a], ex_int(w->g, r.low));
		from[a] = ex2(w->g, EX_ADD, ex_index(w->g, a), ex_int(w->g, r.low));
		size *= (double)axis[a].extent;
	}
	if (size > 4 * (double)tensor_size(of) || size > INT32_MAX)
		return NULL;
	t = new_operand(w, of, of->batched, of->rank, axis);
	define(w, t, ex_read(w->g, read->tensor, from, ex_num(w->g, 0)));
	return ex_read(w->g, t, subs, NULL);
}

static bool is_linear(const struct expr *e)
{
	struct affine flat;

	return e->op == EX_READ && !e->guarded && flat_subscript(e->tensor, e->arg, &flat);
}

/* Several indices move one subscript. */
static bool is_window(const struct expr *read)
{
	for (int a = 0; a < read->tensor->rank; a++)
		if (read->arg[a]->slots & (read->arg[a]->slots - 1))
			return true;
	return false;
}

/* What tiles can read instead of a factor. *covers: conditions under which alone it is not 0 anyway. */
static struct expr *operand(struct operands *w, struct expr *e, double work, condition_list *covers)
{
	bool zero = e->op == EX_READ && e->guarded && ex_is_num(e->arg[e->tensor->rank], 0);

	if (is_linear(e))
		return e;
	if (zero)
		guard_conditions(w->g, covers, w->eq->index, e);
	if (zero && is_window(e) && !w->steps)
		return with_border(w, e);
	return by_indices(w, e, work);
}

static bool is_covered(const condition_list *covers, const struct affine *condition)
{
	for (int i = 0; i < covers->n; i++)
		if (memcmp(&covers->item[i], condition, sizeof *condition) == 0)
			return true;
	return false;
}

/* ---- an equation ---- */

/* Multiply-adds of all rows, or of one. */
static double work_of(const struct equation *eq, bool one_row)
{
	double work = 1;

	for (int s = 0; s < eq->n; s++)
		work *= one_row && eq->index[s].rows ? 1 : (double)eq->index[s].extent;
	return work;
}

/* The sum of the product of two operands, and what is outside of it. */
static struct equation *rebuild(struct operands *w, struct expr *a, struct expr *b, struct expr *outside)
{
	const struct equation *eq = w->eq;
	struct tensor *t = eq->tensor;
	struct equation *sum;
	struct expr *subs[64];

	if (!outside)
		return graph_equation(w->g, t, RED_SUM, eq->nfree, eq->n, eq->index, ex2(w->g, EX_MUL, a, b), eq->at);
	t = make_tensor(w->p, eq->tensor, ROLE_VALUE, arena_printf(&w->g->ctx->arena, "%s.sum", eq->tensor->name),
			eq->tensor->rank, eq->tensor->axis);
	t->batched = eq->tensor->batched;
	t->of = NULL;
	sum = graph_equation(w->g, t, RED_SUM, eq->nfree, eq->n, eq->index, ex2(w->g, EX_MUL, a, b), eq->at);
	list_add(&w->g->ctx->arena, &w->added, sum);
	for (int s = 0; s < eq->nfree; s++)
		subs[s] = ex_index(w->g, s);
	return graph_equation(w->g, eq->tensor, RED_NONE, eq->nfree, eq->nfree, eq->index,
			      ex2(w->g, EX_MUL, outside, ex_read(w->g, t, subs, NULL)), eq->at);
}

/* The equation in the form that tiles take, or NULL where it has that form, or cannot have it. */
static struct equation *with_operands(struct operands *w)
{
	const struct equation *eq = w->eq;
	struct product product = {0};
	condition_list covers = {0};
	struct expr *a, *b;
	double work = work_of(eq, false);

	if (eq->kind != EQ_MAP || eq->red != RED_SUM || eq->tensor->elem != ELEM_REAL || !may_tile(w->p, work) ||
	    (w->g->ctx->options->unroll == NNC_UNROLL_AUTO && work_of(eq, true) <= WRITE_OUT_LIMIT))
		return NULL;
	w->bound = 0;
	for (int s = eq->nfree; s < eq->n; s++)
		w->bound |= (uint64_t)1 << s;
	take_factor(w, &product, peel_conditions(w->g, &product.conditions, eq->index, eq->value));
	if (product.factors.n < 2)
		return NULL;
	join_factors(w, &product);
	if (product.factors.n != 2)
		return NULL;
	a = product.factors.item[0];
	b = product.factors.item[1];
	if (!(a->slots & ~b->slots) || !(b->slots & ~a->slots)) /* no element of one of them is used twice */
		return NULL;
	if (is_linear(a) && is_linear(b) && !product.outside && !product.conditions.n)
		return NULL;
	a = operand(w, a, work, &covers);
	b = operand(w, b, work, &covers);
	for (int i = 0; i < product.conditions.n; i++)
		if (!is_covered(&covers, &product.conditions.item[i]))
			return NULL;
	return a && b ? rebuild(w, a, b, product.outside) : NULL;
}

static void add_with_operands(struct operands *w, struct equation *const *item, int n);

static struct equation *copy_scan(struct operands *w, const struct equation *eq)
{
	struct arena *arena = &w->g->ctx->arena;
	struct equation *copy = arena_alloc(arena, sizeof *copy);
	struct scan *scan = arena_alloc(arena, sizeof *scan);
	equation_list body = {0}, *out = w->out;

	*copy = *eq;
	*scan = *eq->scan;
	copy->scan = scan;
	w->out = &body;
	w->steps++;
	add_with_operands(w, eq->scan->body, eq->scan->n);
	w->steps--;
	w->out = out;
	scan->body = body.item;
	scan->n = body.n;
	return copy;
}

static void add_with_operands(struct operands *w, struct equation *const *item, int n)
{
	struct arena *arena = &w->g->ctx->arena;

	for (int i = 0; i < n; i++) {
		struct equation *made;

		if (item[i]->kind == EQ_SCAN) {
			list_add(arena, w->out, copy_scan(w, item[i]));
			continue;
		}
		w->eq = item[i];
		w->added = (equation_list){0};
		made = with_operands(w);
		for (int k = 0; made && k < w->added.n; k++)
			list_add(arena, w->out, w->added.item[k]);
		list_add(arena, w->out, made ? made : item[i]);
	}
}

equation_list give_operands(struct program *p, const equation_list *list)
{
	equation_list out = {0};
	struct operands w = {.p = p, .g = p->g, .out = &out};

	add_with_operands(&w, list->item, list->n);
	return out;
}
