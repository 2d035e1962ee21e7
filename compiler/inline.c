/* inline.c - element-wise equations moved into their only reader.
 *
 * y[i] = f(i), read once, as y[a(l)], in an equation with the loops l: f(a(l)) takes its place if that is evaluated no
 * oftener than y has elements. So nothing is computed twice, and operands of a contraction, which are read again and
 * again, stay tensors. The reader is in the same part. */
#include "expr.h"
#include "simplify.h"

enum { MAX_NODES = 100 }; /* of an expression that is moved: readable code, and a linear pass */

struct inlining {
	struct graph *g;
	const struct equation *eq; /* the reader */
	int part;
	int64_t steps; /* evaluations of its value */
};

static int count_nodes(const struct expr *e, int most)
{
	int n = 1;

	for (int k = 0; k < e->n && n <= most; k++)
		n += count_nodes(e->arg[k], most - n);
	return n;
}

static bool has_draw_in(const struct expr *e)
{
	bool draw = e->op == EX_DRAW;

	for (int k = 0; k < e->n && !draw; k++)
		draw = has_draw_in(e->arg[k]);
	return draw;
}

/* A draw is of the free indices of its equation: they must be the same. */
static bool same_indices(const struct expr *read, const struct equation *eq)
{
	return eq->kind == EQ_MAP && eq->nfree == read->tensor->rank && ex_is_read_of(read, read->tensor, eq->nfree);
}

static bool may_inline(const struct inlining *in, const struct expr *read)
{
	const struct usage *u = usage_of(read->tensor);
	const struct equation *from = u->definition;

	if (u->fixed || u->definitions != 1 || u->reads != 1 || u->part != in->part || read->guarded ||
	    from->kind != EQ_MAP || from->red != RED_NONE || from->value->elem != read->tensor->elem)
		return false;
	if (in->steps > tensor_size(read->tensor) || count_nodes(from->value, MAX_NODES) > MAX_NODES)
		return false;
	return same_indices(read, in->eq) || !has_draw_in(from->value);
}

static struct expr *inline_read(void *user, struct expr *read)
{
	struct inlining *in = user;

	if (!may_inline(in, read))
		return NULL;
	return ex_substitute(in->g, usage_of(read->tensor)->definition->value, read->arg, read->tensor->rank);
}

static struct expr *count_read(void *user, struct expr *read)
{
	(void)user;
	usage_of(read->tensor)->reads++;
	return NULL;
}

static void count_reads(struct graph *g)
{
	for (int p = 0; p < PART_COUNT; p++)
		for (int i = 0; i < g->part[p].n; i++) {
			const struct equation *eq = g->part[p].item[i];

			if (eq->kind == EQ_VIEW)
				usage_of(eq->tensor->of)->reads += 2;
			if (eq->value)
				ex_map_reads(g, eq->value, count_read, NULL);
			for (int d = 0; eq->target && d < eq->tensor->rank; d++)
				ex_map_reads(g, eq->target[d], count_read, NULL);
		}
}

static int64_t count_steps(const struct equation *eq)
{
	int64_t n = 1;

	for (int p = 0; p < eq->n; p++)
		if (__builtin_mul_overflow(n, eq->index[p].extent, &n))
			return INT64_MAX;
	return n;
}

/* Requires: find_usage. Breaks: nothing reads the equations that were moved; they are still there. */
void inline_producers(struct graph *g)
{
	count_reads(g);
	for (int p = 0; p < PART_COUNT; p++)
		for (int i = 0; i < g->part[p].n; i++) {
			struct equation *eq = g->part[p].item[i];
			struct inlining in = {g, eq, p, count_steps(eq)};

			if (eq->value)
				eq->value = ex_map_reads(g, eq->value, inline_read, &in);
		}
}
