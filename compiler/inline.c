/* inline.c - element-wise equations moved into their readers.
 *
 * y[i] = f(i), read as y[a(l)] in an equation with the loops l: f(a(l)) takes its place if that is evaluated no oftener
 * than y has elements. So operands of a contraction, which are read again and again, stay tensors. It is done
 *   where that is the only read, in the same part: nothing is computed twice;
 *   in every reader, the backward's of forward too, where f is one read of a tensor that is kept anyway, with at most a
 *   sign and literals around it: computing it again is cheaper than keeping it. */
#include "expr.h"
#include "simplify.h"

enum {
	MAX_NODES = 100, /* of an expression that is moved: readable code, and a linear pass */
	TRIVIAL_NODES = 5
};

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

/* Sums, differences and products of literals and at most one read, which is left in *read. */
static bool is_trivial(const struct expr *e, const struct expr **read, int *nodes)
{
	if (--*nodes < 0)
		return false;
	switch (e->op) {
	case EX_NUM: return true;
	case EX_READ:
		if (*read || e->guarded)
			return false;
		for (int d = 0; d < e->n; d++)
			if (!e->arg[d]->affine)
				return false;
		*read = e;
		return true;
	case EX_NEG: return is_trivial(e->arg[0], read, nodes);
	case EX_ADD:
	case EX_SUB:
	case EX_MUL: return is_trivial(e->arg[0], read, nodes) && is_trivial(e->arg[1], read, nodes);
	default: return false;
	}
}

/* Is the tensor of a trivial equation better computed where it is read? */
static bool is_recomputed(const struct usage *u)
{
	const struct expr *read = NULL;
	int nodes = TRIVIAL_NODES;

	if (u->repeated || !is_trivial(u->definition->value, &read, &nodes) || !read)
		return false;
	return read->tensor->role != ROLE_VALUE || usage_of(read->tensor)->fixed || usage_of(read->tensor)->reads > 1;
}

static bool is_elementwise(const struct tensor *t)
{
	const struct usage *u = usage_of(t);

	return !u->fixed && u->definitions == 1 && u->definition->kind == EQ_MAP && u->definition->red == RED_NONE &&
	       u->definition->value->elem == t->elem;
}

static bool may_inline(const struct inlining *in, const struct expr *read)
{
	const struct usage *u = usage_of(read->tensor);

	if (!is_elementwise(read->tensor))
		return false;
	if (is_recomputed(u))
		return true;
	if (u->reads != 1 || u->repeated || u->part != in->part ||
	    count_nodes(u->definition->value, MAX_NODES) > MAX_NODES)
		return false;
	return same_indices(read, in->eq) || !has_draw_in(u->definition->value);
}

static struct expr *inline_read(void *user, struct expr *read)
{
	struct inlining *in = user;

	if (!may_inline(in, read))
		return NULL;
	return ex_substitute(in->g, usage_of(read->tensor)->definition->value, read->arg, read->tensor->rank);
}

static void count_read(void *user, struct expr *read)
{
	const struct inlining *in = user;
	struct usage *u = usage_of(read->tensor);

	u->reads++;
	u->repeated |= read->guarded || in->steps > tensor_size(read->tensor);
}

static void count_subscript(void *user, struct expr *read)
{
	(void)user;
	usage_of(read->tensor)->reads++;
	usage_of(read->tensor)->repeated = true;
}

static int64_t count_steps(const struct equation *eq)
{
	int64_t n = 1;

	for (int p = 0; p < eq->n; p++)
		if (__builtin_mul_overflow(n, eq->index[p].extent, &n))
			return INT64_MAX;
	return n;
}

static void count_reads(void *user, struct equation *eq)
{
	struct inlining *in = user;

	in->steps = count_steps(eq);
	if (eq->kind == EQ_VIEW) {
		usage_of(eq->tensor->of)->reads += 2;
		usage_of(eq->tensor->of)->repeated = true;
	}
	if (eq->value)
		ex_visit_reads(in->g, eq->value, count_read, in);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		ex_visit_reads(in->g, eq->target[d], count_subscript, NULL);
}

static void inline_reads(void *user, struct equation *eq)
{
	struct inlining *in = user;

	in->eq = eq;
	if (eq->value)
		eq->value = ex_map_reads(in->g, eq->value, inline_read, in);
}

/* Requires: find_usage. Breaks: nothing reads the equations that were moved; they are still there. */
void inline_producers(struct graph *g)
{
	struct inlining in = {.g = g};

	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, count_reads, &in);
	for (in.part = 0; in.part < PART_COUNT; in.part++)
		visit_equations(g->part[in.part].item, g->part[in.part].n, inline_reads, &in);
}
