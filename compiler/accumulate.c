/* accumulate.c - what came together for a tensor becomes the equation of its adjoint.
 *
 *   T.grad[i] = what came element by element, added up
 *             + T.grad.from_y[i] for each part that is a sum, an equation of its own
 * A sum that is alone defines T.grad itself; scatters add to it afterwards. The adjoint of a view is the same memory in
 * the shape of the viewed. */
#include "chain.h"

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

/* ---- closing: adding up what came together for a tensor ---- */

struct index *free_indices(struct graph *g, const struct adjoint *a)
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

/* The parts of T.grad by kind. */
struct parts {
	int scatters, sums, others;
	const struct term *sum; /* the last */
};

static struct parts count_parts(const struct adjoint *a)
{
	struct parts parts = {.others = a->views.n};

	for (int i = 0; i < a->terms.n; i++) {
		const struct term *term = &a->terms.item[i];

		if (term->scatter)
			parts.scatters++;
		else if (term->n == term->nfree || term->where)
			parts.others++;
		else
			parts.sums++, parts.sum = term;
	}
	return parts;
}

/* Everything but the scatters, added up element by element. */
static void append_total(struct chain *c, struct adjoint *a)
{
	struct graph *g = c->g;
	struct tensor *t = a->tensor;
	struct expr *value = NULL, *sub[64];

	for (int d = 0; d < t->rank; d++)
		sub[d] = ex_index(g, d);
	for (int i = 0; i < a->terms.n; i++) {
		const struct term *term = &a->terms.item[i];

		if (!term->scatter)
			value = add_adjoints(g, value, term->n > term->nfree ? sum_apart(c, a, term) : term->value);
	}
	for (int i = 0; i < a->views.n; i++) {
		const struct tensor *view = a->views.item[i];
		struct tensor *back = view_back(c, a, view, partial_name(g, a, view));

		value = add_adjoints(g, value, ex_read(g, back, sub, NULL));
	}
	append_equation(c, a->grad, RED_NONE, t->rank, t->rank, free_indices(g, a), value ? value : ex_num(g, 0),
			a->terms.n ? a->terms.item[0].at : t->at);
}

void close_adjoint(struct chain *c, struct adjoint *a)
{
	struct parts parts = count_parts(a);
	int maps = parts.sums + parts.others;
	const struct tensor *t = a->tensor;

	a->closed = true;
	if (!maps && !parts.scatters && !a->open) {
		a->grad = NULL;
		return;
	}
	if (maps == 1 && a->views.n && !parts.scatters && !a->grad) {
		a->grad = view_back(c, a, a->views.item[0], adjoint_name(c, t));
		return;
	}
	if (!a->grad)
		a->grad = adjoint_tensor(c->g, t, adjoint_name(c, t), t->rank, t->axis);
	if (maps == 1 && parts.sum) {
		name_free_indices(c->g, a, parts.sum);
		append_equation(c, a->grad, RED_SUM, parts.sum->nfree, parts.sum->n, parts.sum->index, parts.sum->value,
				parts.sum->at);
	} else if (maps || !parts.scatters) {
		append_total(c, a);
	}
	for (int i = 0; i < a->terms.n; i++)
		if (a->terms.item[i].scatter)
			append_scatter(c, a, &a->terms.item[i]);
}
