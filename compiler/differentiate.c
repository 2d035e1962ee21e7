/* differentiate.c - the chain rule: one walk over the equations, backwards.
 *
 * Everything that reads a tensor comes after it, so when the walk comes to the tensor's own equation all contributions
 * to its adjoint are known: they are added up in the equation that defines T.grad, and what that gives to the tensors
 * the equation reads is left with them (contribute.c, gather.c). A tensor without an equation, a param or an input, is
 * closed behind the first equation that reads it, close to the last use of what its gradient is made of.
 *
 * Only tensors on a path from a tensor asked for to the one differentiated get an adjoint. The result is equations of
 * the same kind, so the walk can run again on what it made. */
#include "chain.h"

struct adjoint *adjoint_of(struct graph *g, struct tensor *t)
{
	if (!t->pass) {
		struct adjoint *a = arena_alloc(&g->ctx->arena, sizeof *a);

		a->tensor = t;
		t->pass = a;
	}
	return t->pass;
}

bool is_active(const struct tensor *t)
{
	const struct adjoint *a = t->pass;

	return a && a->active;
}

/* One equation of the list, or a scan with the equations in it; and the tensors without an equation that it is the
 * first to read. */
struct item {
	const struct equation *eq;
	equation_list eqs;
	struct adjoint *leaf;
};

static void note_leaf(struct adjoint *a, struct item *item)
{
	if (a->defined || a->noted)
		return;
	a->noted = true;
	a->next_leaf = item->leaf;
	item->leaf = a;
}

static void note_definition(struct graph *g, struct item *item, struct equation *eq, const struct scan_level *level)
{
	struct adjoint *a = adjoint_of(g, eq->tensor);

	a->scattered = a->defined || eq->kind == EQ_SCATTER;
	if (!a->defined)
		a->defined = eq;
	a->level = level;
	list_add(&g->ctx->arena, &item->eqs, eq);
}

static void note_scan(struct graph *g, struct item *item, const struct scan *scan, const struct scan_level *outer)
{
	struct scan_level *level = arena_alloc(&g->ctx->arena, sizeof *level);

	*level = (struct scan_level){scan, outer};
	for (int i = 0; i < scan->n; i++)
		if (scan->body[i]->kind == EQ_SCAN)
			note_scan(g, item, scan->body[i]->scan, level);
		else
			note_definition(g, item, scan->body[i], level);
}

/* Does what an equation defines depend on a tensor asked for, by way of derivatives? True if that is news. */
static bool find_active_equation(struct graph *g, struct item *item, const struct equation *eq)
{
	struct adjoint *a = eq->tensor->pass;
	bool was = a->active;
	expr_list reads = {0};

	if (eq->kind == EQ_VIEW) {
		a->active |= is_active(eq->tensor->of);
		if (is_active(eq->tensor->of))
			note_leaf(eq->tensor->of->pass, item);
		return a->active != was;
	}
	find_wanted_reads(g, eq->value, is_active, &reads);
	if (reads.n && eq->tensor->elem == ELEM_REAL && eq->red != RED_ARGMAX && eq->red != RED_ARGMIN)
		a->active = true;
	for (int k = 0; k < reads.n; k++)
		note_leaf(reads.item[k]->tensor->pass, item);
	return a->active != was;
}

/* In a scan that may come from an equation further on, by an earlier step. */
static void find_active(struct graph *g, struct item *item)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (int i = 0; i < item->eqs.n; i++)
			changed |= find_active_equation(g, item, item->eqs.item[i]) && item->eq->kind == EQ_SCAN;
	}
}

static void differentiate_equation(struct chain *c, const struct equation *eq)
{
	struct adjoint *a = eq->tensor->pass;

	if (!a->active)
		return;
	if (!a->closed)
		close_adjoint(c, a);
	if (a->grad)
		hand_back(c, eq, a->grad);
}

void hand_back(struct chain *c, const struct equation *eq, struct tensor *grad)
{
	if (eq->kind != EQ_VIEW)
		add_contributions(c, eq, grad);
	else if (is_active(eq->tensor->of))
		list_add(&c->g->ctx->arena, &adjoint_of(c->g, eq->tensor->of)->views, eq->tensor);
}

static void walk_back(struct chain *c, const struct item *item, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		if (item[i].eq->kind == EQ_SCAN)
			differentiate_scan(c, &item[i].eqs, item[i].eq->scan->depth, item[i].eq->at);
		else
			differentiate_equation(c, item[i].eq);
		for (struct adjoint *a = item[i].leaf; a; a = a->next_leaf)
			close_adjoint(c, a);
	}
}

/* The derivative of the total of a tensor by itself. */
static void add_seed(struct graph *g, struct tensor *of)
{
	struct adjoint *a = of->pass;
	struct term seed = {.to = of, .from = of, .at = of->at, .nfree = of->rank, .n = of->rank};

	seed.value = ex_num(g, 1);
	seed.index = free_indices(g, a);
	list_add(&g->ctx->arena, &a->terms, seed);
}

void differentiate_into(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
			const char *suffix, equation_list *out, struct tensor **grad)
{
	struct chain c = {.g = g, .suffix = suffix, .out = out};
	int items = eqs->n; /* *out may be the same list */
	struct item *item = arena_array(&g->ctx->arena, (size_t)items, sizeof *item);

	for (int i = 0; i < g->tensors.n; i++)
		g->tensors.item[i]->pass = NULL;
	for (int k = 0; k < n; k++) {
		struct adjoint *a = adjoint_of(g, wrt[k]);

		a->active = true;
		a->grad = grad[k];
	}
	for (int i = 0; i < items; i++) {
		item[i].eq = eqs->item[i];
		if (item[i].eq->kind == EQ_SCAN)
			note_scan(g, &item[i], item[i].eq->scan, NULL);
		else
			note_definition(g, &item[i], eqs->item[i], NULL);
		find_active(g, &item[i]);
	}
	if (is_active(of))
		add_seed(g, of);
	walk_back(&c, item, items);
	for (int k = 0; k < n; k++) {
		struct adjoint *a = wrt[k]->pass;

		if (!a->closed)
			close_adjoint(&c, a);
		grad[k] = a->grad;
	}
}

/* Requires: equations in order, each reading what stands before it (in a scan also earlier steps).
 * Keeps: eqs and all tensors; draws are the same numbers in the adjoints.
 * Uses: tensor.pass of all tensors. */
void differentiate(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
		   const char *suffix, equation_list *out, struct tensor **grad)
{
	for (int k = 0; k < n; k++)
		grad[k] = NULL;
	differentiate_into(g, eqs, of, wrt, n, suffix, out, grad);
}
