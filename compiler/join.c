/* join.c - a sum of sums over the same indices is one sum.
 *
 *     w.grad[i, j] = from_q[i, j] + from_k[i, j]          becomes
 *     from_q[i, j] = sum[b] q[b, i] * x[b, j]             w.grad[i, j] = sum[b] (q[b, i] + k[b, i]) * x[b, j]
 *     from_k[i, j] = sum[b] k[b, i] * x[b, j]
 *
 * It is done where nothing else reads the sums, and where they are multiples of the same factor, so that there is one
 * product instead of several, or no products at all. The chain rule makes such sums where a definition reads slices of
 * one tensor: the weights of attention, of the gates of a recurrence. What multiplies the factor is a tensor then,
 *
 *     joint[b, i] = q[b, i] + k[b, i]
 *     w.grad[i, j] = sum[b] joint[b, i] * x[b, j]
 *
 * for its terms have tests, as slices have, and are not to be asked for every j; the bias that was sliced along with
 * the weights sums the same tensor. */
#include "expr.h"
#include "simplify.h"

enum { MOST_SUMS = 16 };

/* An equation that was made one sum: of total * factor, or of total. */
struct joined {
	struct equation *eq;
	struct expr *total, *factor; /* factor NULL: 1 */
	bool done;
};

struct joining {
	struct graph *g;
	int *reads; /* by the id of a tensor: equations' different reads of it */
	int *part;  /* that a tensor is defined in outside of scans, from 1; 0: none */
	expr_list term;
	const struct equation *sum[MOST_SUMS];
	LIST(struct joined) joined; /* of one part */
};

static void count_read(void *user, struct expr *read)
{
	struct joining *w = user;

	w->reads[read->tensor->id]++;
}

static void count_reads(void *user, struct equation *eq)
{
	struct joining *w = user;

	if (eq->kind == EQ_VIEW)
		w->reads[eq->tensor->of->id] += 2;
	if (eq->value)
		ex_visit_reads(w->g, eq->value, count_read, w);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		ex_visit_reads(w->g, eq->target[d], count_read, w);
}

static void take_terms(struct joining *w, struct expr *e)
{
	if (e->op == EX_ADD && w->term.n < MOST_SUMS) {
		take_terms(w, e->arg[0]);
		take_terms(w, e->arg[1]);
		return;
	}
	list_add(&w->g->ctx->arena, &w->term, e);
}

/* The sum that a term reads, if it can be taken into eq. */
static const struct equation *sum_read(const struct joining *w, const struct equation *eq, const struct expr *e,
				       int part)
{
	const struct equation *sum;
	const struct usage *u;

	if (e->op != EX_READ || !ex_is_read_of(e, e->tensor, eq->nfree) || e->tensor->rank != eq->nfree)
		return NULL;
	u = usage_of(e->tensor);
	sum = u->definition;
	if (u->fixed || u->definitions != 1 || w->reads[e->tensor->id] != 1 || w->part[e->tensor->id] != part)
		return NULL;
	if (sum->kind != EQ_MAP || sum->red != RED_SUM || sum->nfree != eq->nfree)
		return NULL;
	for (int s = 0; s < eq->nfree; s++)
		if (sum->index[s].extent != eq->index[s].extent || sum->index[s].rows != eq->index[s].rows)
			return NULL;
	return sum;
}

static bool same_loops(const struct equation *a, const struct equation *b)
{
	bool same = a->n == b->n;

	for (int s = a->nfree; same && s < a->n; s++)
		same = a->index[s].extent == b->index[s].extent && a->index[s].rows == b->index[s].rows;
	return same;
}

/* e / factor, or NULL where it is no factor of e. */
static struct expr *divide(struct graph *g, struct expr *e, const struct expr *factor)
{
	struct expr *rest;

	if (e == factor)
		return ex_num(g, 1);
	switch (e->op) {
	case EX_NEG: rest = divide(g, e->arg[0], factor); return rest ? ex1(g, EX_NEG, rest) : NULL;
	case EX_MUL:
		for (int k = 0; k < 2; k++)
			if ((rest = divide(g, e->arg[k], factor)))
				return k ? ex2(g, EX_MUL, e->arg[0], rest) : ex2(g, EX_MUL, rest, e->arg[1]);
		return NULL;
	case EX_SELECT:
		rest = ex_is_num(e->arg[2], 0) ? divide(g, e->arg[1], factor) : NULL;
		return rest ? ex_select(g, e->arg[0], rest, e->arg[2]) : NULL;
	default: return NULL;
	}
}

/* One read, perhaps 0 under a test. */
static const struct expr *only_read(const struct expr *e)
{
	while (e->op == EX_NEG || (e->op == EX_SELECT && ex_is_num(e->arg[2], 0)))
		e = e->arg[e->op == EX_SELECT];
	return e->op == EX_READ ? e : NULL;
}

/* The sum of all terms, each divided by factor (NULL: 1); NULL where it does not divide all. */
static struct expr *total_of(const struct joining *w, struct expr *factor)
{
	struct expr *total = NULL;

	for (int k = 0; k < w->term.n; k++) {
		struct expr *value = w->sum[k]->value, *rest = factor ? divide(w->g, value, factor) : value;

		if (!rest || (!factor && !only_read(value)))
			return NULL;
		total = total ? ex2(w->g, EX_ADD, total, rest) : rest;
	}
	return total;
}

/* The total, with the first read of the first term that divides them all as the common factor. */
static struct expr *common_total(const struct joining *w, struct expr **factor)
{
	expr_list reads = {0};
	struct expr *total = total_of(w, NULL);

	*factor = NULL;
	collect_reads(w->g, w->sum[0]->value, &reads);
	for (int k = 0; !total && k < reads.n; k++) {
		*factor = reads.item[k];
		total = total_of(w, *factor);
	}
	return total;
}

static void join(struct joining *w, struct equation *eq, int part)
{
	struct expr *total, *factor;
	struct index *index;

	if (eq->kind != EQ_MAP || eq->red != RED_NONE || eq->value->op != EX_ADD || eq->tensor->total)
		return;
	w->term.n = 0;
	take_terms(w, eq->value);
	if (w->term.n > MOST_SUMS)
		return;
	for (int k = 0; k < w->term.n; k++) {
		w->sum[k] = sum_read(w, eq, w->term.item[k], part);
		if (!w->sum[k] || !same_loops(w->sum[k], w->sum[0]))
			return;
		for (int before = 0; before < k; before++)
			if (w->sum[before] == w->sum[k])
				return;
	}
	total = common_total(w, &factor);
	if (!total)
		return;
	index = arena_array(&w->g->ctx->arena, (size_t)w->sum[0]->n + 1, sizeof *index);
	for (int s = 0; s < w->sum[0]->n; s++)
		index[s] = s < eq->nfree ? eq->index[s] : w->sum[0]->index[s];
	eq->red = RED_SUM;
	eq->n = w->sum[0]->n;
	eq->index = index;
	eq->value = factor ? ex2(w->g, EX_MUL, total, factor) : total;
	list_add(&w->g->ctx->arena, &w->joined, ((struct joined){eq, total, factor, false}));
}

/* ---- totals as tensors ---- */

/* The axes of a total as a tensor: the batch, then what is summed over, then the rest. */
struct axes {
	int n, slot[MAX_SLOTS];
};

static void take_axis(struct axes *axes, const struct expr *total, int slot)
{
	if (total->slots >> slot & 1)
		axes->slot[axes->n++] = slot;
}

static struct axes axes_of(const struct joined *j)
{
	struct axes axes = {0};

	for (int s = 0; s < j->eq->n; s++)
		if (j->eq->index[s].rows)
			take_axis(&axes, j->total, s);
	for (int k = 0; k < j->eq->n; k++) {
		int s = (k + j->eq->nfree) % j->eq->n; /* bound ones first */

		if (!j->eq->index[s].rows)
			take_axis(&axes, j->total, s);
	}
	return axes;
}

/* The total with its axes as indices: equal ones are the same expression. */
static struct expr *total_along(struct graph *g, const struct joined *j, const struct axes *axes)
{
	struct expr *map[MAX_SLOTS] = {0};

	for (int d = 0; d < axes->n; d++)
		map[axes->slot[d]] = ex_index(g, d);
	return ex_substitute(g, j->total, map, j->eq->n);
}

static bool same_axes(const struct joined *a, const struct axes *a_axes, const struct joined *b,
		      const struct axes *b_axes)
{
	bool same = a_axes->n == b_axes->n;

	for (int d = 0; d < a_axes->n && same; d++) {
		const struct index *x = &a->eq->index[a_axes->slot[d]], *y = &b->eq->index[b_axes->slot[d]];

		same = x->extent == y->extent && x->rows == y->rows;
	}
	return same;
}

static struct tensor *joint_tensor(struct graph *g, const struct joined *j, const struct axes *axes)
{
	const char *name = arena_printf(&g->ctx->arena, "%s.joint", j->eq->tensor->name);
	bool batched = axes->n && j->eq->index[axes->slot[0]].rows;
	struct axis axis[MAX_SLOTS];
	struct tensor *t;

	for (int d = 0; d < axes->n; d++)
		axis[d] = (struct axis){j->eq->index[axes->slot[d]].extent, j->eq->index[axes->slot[d]].rows};
	t = graph_tensor(g, ROLE_VALUE, name, ELEM_REAL, batched, axes->n, axis, j->eq->at);
	t->layer = j->eq->tensor->layer;
	return t;
}

static void read_joint(struct graph *g, struct joined *j, struct tensor *t, const struct axes *axes)
{
	struct expr *sub[MAX_SLOTS], *read;

	for (int d = 0; d < axes->n; d++)
		sub[d] = ex_index(g, axes->slot[d]);
	read = ex_read(g, t, sub, NULL);
	j->eq->value = j->factor ? ex2(g, EX_MUL, read, j->factor) : read;
	j->done = true;
}

static int place_in(const struct graph *g, int part, const struct equation *eq)
{
	int i = 0;

	while (g->part[part].item[i] != eq)
		i++;
	return i;
}

/* A tensor for the total of a product, and for all that are equal to it. */
static void set_total_apart(struct joining *w, struct joined *j, int part)
{
	struct graph *g = w->g;
	struct axes axes = axes_of(j);
	struct expr *total = total_along(g, j, &axes);
	struct tensor *t = joint_tensor(g, j, &axes);
	struct index index[MAX_SLOTS];
	int at = place_in(g, part, j->eq);

	for (int d = 0; d < axes.n; d++)
		index[d] = j->eq->index[axes.slot[d]];
	for (int k = 0; k < w->joined.n; k++) {
		struct joined *other = &w->joined.item[k];
		struct axes its = axes_of(other);
		int place = place_in(g, part, other->eq);

		if (other->done || !same_axes(j, &axes, other, &its) || total_along(g, other, &its) != total)
			continue;
		at = place < at ? place : at;
		read_joint(g, other, t, &its);
	}
	list_add(&g->ctx->arena, &g->part[part], NULL);
	for (int i = g->part[part].n - 1; i > at; i--)
		g->part[part].item[i] = g->part[part].item[i - 1];
	g->part[part].item[at] = graph_equation(g, t, RED_NONE, axes.n, axes.n, index, total, j->eq->at);
}

/* Only where a product reads each element of it again and again. */
static void set_totals_apart(struct joining *w, int part)
{
	for (int k = 0; k < w->joined.n; k++) {
		struct joined *j = &w->joined.item[k];
		uint64_t all = j->eq->n < 64 ? ((uint64_t)1 << j->eq->n) - 1 : UINT64_MAX;

		if (!j->done && j->factor && (j->total->slots & all) != all)
			set_total_apart(w, j, part);
	}
}

void join_sums(struct graph *g)
{
	struct arena *arena = &g->ctx->arena;
	struct joining w = {.g = g};

	w.reads = arena_array(arena, (size_t)g->tensors.n + 1, sizeof *w.reads);
	w.part = arena_array(arena, (size_t)g->tensors.n + 1, sizeof *w.part);
	for (int p = 0; p < PART_COUNT; p++) {
		visit_equations(g->part[p].item, g->part[p].n, count_reads, &w);
		for (int i = 0; i < g->part[p].n; i++)
			if (g->part[p].item[i]->kind == EQ_MAP)
				w.part[g->part[p].item[i]->tensor->id] = p + 1;
	}
	for (int p = 0; p < PART_COUNT; p++) {
		w.joined.n = 0;
		for (int i = 0; i < g->part[p].n; i++)
			join(&w, g->part[p].item[i], p + 1);
		set_totals_apart(&w, p);
	}
}
