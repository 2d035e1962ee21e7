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

#include <assert.h>
#include <string.h>

/* ---- names ---- */

/* name without the ' of a next value and without a prefix of whole path components that it shares with path. */
static const char *short_name(struct graph *g, const char *name, const char *path)
{
	size_t start = 0, n = strlen(name);

	for (size_t i = 0; path && name[i] && name[i] == path[i]; i++)
		if (name[i] == '.')
			start = i + 1;
	if (n > start && name[n - 1] == '\'')
		return arena_printf(&g->ctx->arena, "%.*s.next", (int)(n - 1 - start), name + start);
	return name + start;
}

struct tensor *adjoint_tensor(struct graph *g, const struct tensor *of, const char *name, int rank,
			      const struct axis *axis)
{
	bool batched = axis == of->axis ? of->batched : rank > 0 && axis[0].rows;
	struct tensor *t = graph_tensor(g, ROLE_VALUE, name, ELEM_REAL, batched, rank, axis, of->at);

	t->layer = of->layer;
	return t;
}

static bool name_is_taken(struct graph *g, const struct index *index, int n, const char *name)
{
	for (int p = 0; p < n; p++)
		if (strcmp(index[p].name, name) == 0)
			return true;
	return table_get(&g->names, name) != NULL;
}

struct equation *append_equation(struct chain *c, struct tensor *t, enum reducer red, int nfree, int n,
				 struct index *index, struct expr *value, struct span at)
{
	static const char *const letters[] = {"i", "j", "k", "l", "m", "n"};
	struct graph *g = c->g;
	struct equation *eq = graph_equation(g, t, red, nfree, n, index, value, at);

	for (int p = 0; p < n; p++) {
		const char *name = eq->index[p].name, *base;

		if (p == 0 && nfree > 0 && t->batched)
			name = "batch";
		if (!name)
			name = letters[p < 6 ? p : 5];
		base = name;
		for (int k = 2; name_is_taken(g, eq->index, p, name); k++)
			name = arena_printf(&g->ctx->arena, "%s%d", base, k);
		eq->index[p].name = name;
	}
	list_add(&g->ctx->arena, c->out, eq);
	return eq;
}

/* ---- what is known of a tensor ---- */

struct adjoint *adjoint_of(struct graph *g, struct tensor *t)
{
	if (!t->pass) {
		struct adjoint *a = arena_alloc(&g->ctx->arena, sizeof *a);

		a->tensor = t;
		t->pass = a;
	}
	return t->pass;
}

/* ---- closing: adding up what came together for a tensor ---- */

/* The free indices of an equation for T.grad: named as where T is defined, or as in the first term that names them. */
static struct index *free_indices(struct graph *g, const struct adjoint *a)
{
	const struct tensor *t = a->tensor;
	struct index *index = arena_array(&g->ctx->arena, (size_t)t->rank, sizeof *index);

	for (int d = 0; d < t->rank; d++) {
		index[d] = (struct index){NULL, t->axis[d].extent, t->axis[d].rows};
		if (a->defined && a->defined->nfree == t->rank)
			index[d].name = a->defined->index[d].name;
		for (int i = 0; i < a->terms.n && !index[d].name; i++)
			if (!a->terms.item[i].scatter)
				index[d].name = a->terms.item[i].index[d].name;
	}
	return index;
}

static const char *partial_name(struct graph *g, const struct adjoint *a, const struct tensor *from)
{
	return arena_printf(&g->ctx->arena, "%s.from_%s", a->grad->name, short_name(g, from->name, a->tensor->name));
}

/* A tensor that is a part of T.grad, and stands in the same scan. */
static struct tensor *partial_adjoint(struct graph *g, const struct adjoint *a, const char *name, int rank,
				      const struct axis *axis)
{
	struct tensor *t = adjoint_tensor(g, a->tensor, name, rank, axis);

	adjoint_of(g, t)->level = a->level;
	return t;
}

static void name_free_indices(struct graph *g, const struct adjoint *a, const struct term *term)
{
	const struct index *index = free_indices(g, a);

	for (int d = 0; d < a->tensor->rank; d++)
		term->index[d].name = index[d].name;
}

/* The sum of a term over its bound indices, in a tensor of the free ones that it depends on; read there. */
static struct expr *sum_apart(struct chain *c, struct adjoint *a, const struct term *term)
{
	struct graph *g = c->g;
	struct index *index = arena_array(&g->ctx->arena, (size_t)term->n, sizeof *index);
	struct axis axis[64];
	struct expr *sub[64], *map[64] = {0}, *read;
	struct tensor *t;
	int rank = 0, n = 0;

	if (!term->scatter)
		name_free_indices(g, a, term);
	for (int p = 0; p < term->n; p++) {
		if (p < term->nfree && term->where && term->where->slots >> p & 1)
			continue;
		if (p < term->nfree) {
			axis[rank] = (struct axis){term->index[p].extent, term->index[p].rows};
			sub[rank++] = ex_index(g, p);
		}
		map[p] = ex_index(g, n);
		index[n++] = term->index[p];
	}
	t = partial_adjoint(g, a, partial_name(g, a, term->from), rank, axis);
	if (!term->scatter && rank == term->nfree)
		t->batched = a->tensor->batched;
	append_equation(c, t, RED_SUM, rank, n, index, ex_substitute(g, term->value, map, term->n), term->at);
	read = ex_read(g, t, sub, NULL);
	return term->where ? ex_select(g, term->where, read, ex_num(g, 0)) : read;
}

/* The adjoint of a view, the same memory in the shape of the viewed. */
static struct tensor *view_back(struct chain *c, struct adjoint *a, const struct tensor *view, const char *name)
{
	struct graph *g = c->g;
	struct tensor *grad = ((struct adjoint *)view->pass)->grad;
	struct tensor *t = partial_adjoint(g, a, name, a->tensor->rank, a->tensor->axis);
	struct equation *eq = graph_equation(g, t, RED_NONE, 0, 0, NULL, NULL, a->tensor->at);

	t->role = ROLE_VIEW;
	t->of = grad->role == ROLE_VIEW ? grad->of : grad;
	eq->kind = EQ_VIEW;
	list_add(&g->ctx->arena, c->out, eq);
	return t;
}

static void append_scatter(struct chain *c, struct adjoint *a, struct term *term)
{
	struct equation *eq;

	if (term->n > term->nfree) {
		term->value = sum_apart(c, a, term);
		term->n = term->nfree;
	}
	eq = append_equation(c, a->grad, RED_NONE, 0, term->n, term->index, term->value, term->at);
	eq->kind = EQ_SCATTER;
	eq->target = term->sub;
}

const char *adjoint_name(struct chain *c, const struct tensor *t)
{
	return arena_printf(&c->g->ctx->arena, "%s%s", short_name(c->g, t->name, NULL), c->suffix);
}

void set_scatters_apart(struct chain *c, struct adjoint *a)
{
	struct graph *g = c->g;
	struct tensor *t = a->tensor;
	struct term sum = {.to = t, .nfree = t->rank, .n = t->rank};
	struct adjoint apart = {.tensor = t};
	struct expr *sub[64];
	int n = 0;

	for (int i = 0; i < a->terms.n; i++)
		if (a->terms.item[i].scatter)
			list_add(&g->ctx->arena, &apart.terms, a->terms.item[i]);
		else
			a->terms.item[n++] = a->terms.item[i];
	if (!apart.terms.n)
		return;
	a->terms.n = n;
	apart.grad = adjoint_tensor(g, t, arena_printf(&g->ctx->arena, "%s.scattered", adjoint_name(c, t)), t->rank,
				    t->axis);
	close_adjoint(c, &apart);
	for (int d = 0; d < t->rank; d++)
		sub[d] = ex_index(g, d);
	sum.from = t;
	sum.at = apart.terms.item[0].at;
	sum.index = free_indices(g, a);
	sum.value = ex_read(g, apart.grad, sub, NULL);
	list_add(&g->ctx->arena, &a->terms, sum);
}

void close_adjoint(struct chain *c, struct adjoint *a)
{
	struct graph *g = c->g;
	struct tensor *t = a->tensor;
	int scatters = 0, maps, sums = 0;
	struct expr *value = NULL, *sub[64];
	const struct term *only = NULL;
	const char *name = adjoint_name(c, t);

	a->closed = true;
	for (int i = 0; i < a->terms.n; i++) {
		scatters += a->terms.item[i].scatter;
		if (!a->terms.item[i].scatter && a->terms.item[i].n > a->terms.item[i].nfree) {
			only = &a->terms.item[i];
			sums += only->where ? 0 : 1;
		}
	}
	maps = a->terms.n - scatters + a->views.n;
	if (!maps && !scatters && !a->open) {
		a->grad = NULL;
		return;
	}
	if (maps == 1 && a->views.n && !scatters && !a->grad) {
		a->grad = view_back(c, a, a->views.item[0], name);
		return;
	}
	if (!a->grad)
		a->grad = adjoint_tensor(g, t, name, t->rank, t->axis);
	if (maps == 1 && sums) {
		name_free_indices(g, a, only);
		append_equation(c, a->grad, RED_SUM, only->nfree, only->n, only->index, only->value, only->at);
	} else if (maps || !scatters) {
		for (int d = 0; d < t->rank; d++)
			sub[d] = ex_index(g, d);
		for (int i = 0; i < a->terms.n; i++) {
			struct term *term = &a->terms.item[i];

			if (!term->scatter)
				value = add_adjoints(g, value,
						     term->n > term->nfree ? sum_apart(c, a, term) : term->value);
		}
		for (int i = 0; i < a->views.n; i++) {
			const struct tensor *view = a->views.item[i];
			struct tensor *back = view_back(c, a, view, partial_name(g, a, view));

			value = add_adjoints(g, value, ex_read(g, back, sub, NULL));
		}
		append_equation(c, a->grad, RED_NONE, t->rank, t->rank, free_indices(g, a),
				value ? value : ex_num(g, 0), a->terms.n ? a->terms.item[0].at : t->at);
	}
	for (int i = 0; i < a->terms.n; i++)
		if (a->terms.item[i].scatter)
			append_scatter(c, a, &a->terms.item[i]);
}

/* ---- the walk ---- */

static bool is_active(const struct tensor *t)
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
			differentiate_scan(c, &item[i].eqs, item[i].eq->at);
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

void differentiate(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
		   const char *suffix, equation_list *out, struct tensor **grad)
{
	for (int k = 0; k < n; k++)
		grad[k] = NULL;
	differentiate_into(g, eqs, of, wrt, n, suffix, out, grad);
}
