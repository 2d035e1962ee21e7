/* print_equation.c - one equation as text: names for its indices, extents where they are needed; see print.c. */
#include "expr.h"
#include "print.h"

#include <string.h>

/* ---- indices ---- */

static bool name_taken(struct graph *g, const char *name, const char **names, int n)
{
	if (is_reserved_name(name) || table_get(&g->every_name, name))
		return true;
	for (int s = 0; s < n; s++)
		if (names[s] && strcmp(names[s], name) == 0)
			return true;
	return false;
}

/* The slot that is written `batch`, or `data` in a total; -1: none. */
static int batch_slot(const struct equation *eq)
{
	if (eq->nfree && eq->tensor->batched)
		return 0;
	for (int s = 0; s < eq->n; s++)
		if (eq->index[s].rows && (s >= eq->nfree))
			return s;
	return -1;
}

void name_indices(struct graph *g, const struct equation *eq, const char **name)
{
	int batch = batch_slot(eq);

	for (int s = 0; s < eq->n; s++)
		name[s] = NULL;
	for (int s = 0; s < eq->n; s++) {
		const char *own = eq->index[s].name && *eq->index[s].name ? eq->index[s].name : "i";
		const char *try = own;

		for (int k = 2; s != batch && name_taken(g, try, name, s); k++)
			try = arena_printf(&g->ctx->arena, "%s%d", own, k);
		name[s] = s != batch ?
		try : eq
			->tensor->total ? "data" : "batch";
	}
}

/* Which indices the reader finds the extent of by itself: bit s of `found`, without those in `other`. */
struct extents {
	const struct equation *eq;
	uint64_t found, other;
};

static void find_extents(void *user, struct expr *e)
{
	struct extents *x = user;

	if (e->op != EX_READ || e->guarded)
		return;
	for (int a = 0; a < e->n; a++)
		if (e->arg[a]->op == EX_INDEX) {
			int slot = e->arg[a]->slot;
			const struct axis *axis = &e->tensor->axis[a];
			const struct index *index = &x->eq->index[slot];

			if (axis->extent == index->extent && !axis->rows && !index->rows)
				x->found |= (uint64_t)1 << slot;
			else
				x->other |= (uint64_t)1 << slot;
		}
}

static uint64_t plain_extents(struct graph *g, const struct equation *eq)
{
	struct extents x = {.eq = eq};

	if (eq->value)
		ex_visit(g, eq->value, find_extents, &x);
	return x.found & ~x.other;
}

static void write_index(struct printer *p, const struct equation *eq, int slot, uint64_t plain)
{
	text_add(p->out, p->name[slot]);
	if (slot == batch_slot(eq) || plain >> slot & 1)
		return;
	if (eq->index[slot].rows)
		text_add(p->out, " < nrows");
	else
		text_printf(p->out, " < %lld", (long long)eq->index[slot].extent);
}

/* [i, j < 3], or nothing where there are none. */
static void write_indices(struct printer *p, const struct equation *eq, int from, int to, uint64_t plain)
{
	for (int s = from; s < to; s++) {
		text_add(p->out, s > from ? ", " : "[");
		write_index(p, eq, s, plain);
	}
	if (to > from)
		text_add(p->out, "]");
}

/* ---- equations ---- */

static const char *reducer_name(enum reducer red)
{
	static const char *const names[] = {"", "sum", "prod", "max", "min", "argmax", "argmin"};

	return names[red];
}

/* The number of classes that a reader gives the tensor of eq on its own: by the range of its values, or, under max and
 * min, by the tensor that is reduced. */
static int64_t classes_told(const struct equation *eq)
{
	const struct expr *e = eq->value;
	int64_t n = 1;

	switch (eq->red) {
	case RED_ARGMAX:
	case RED_ARGMIN:
		for (int s = eq->nfree; s < eq->n; s++)
			n *= eq->index[s].extent;
		return n;
	case RED_NONE: return count_classes(e, eq->index);
	case RED_MAX:
	case RED_MIN: return e->op == EX_READ && !e->guarded ? e->tensor->classes : 0;
	default: return 0;
	}
}

static void write_map(struct printer *p, const struct equation *eq)
{
	const struct tensor *t = eq->tensor;
	uint64_t plain = plain_extents(p->g, eq);
	bool classes = t->role != ROLE_NEXT && t->elem == ELEM_INT && t->classes &&
		       (p->in_scan || t->classes != classes_told(eq));

	write_name(p->out, t);
	write_indices(p, eq, 0, eq->nfree, p->in_scan ? 0 : plain);
	text_printf(p->out, " = %s%s", classes ? "class(" : "", reducer_name(eq->red));
	write_indices(p, eq, eq->nfree, eq->n, plain);
	text_add(p->out, eq->red == RED_NONE ? "" : " ");
	write_expr(p, eq->value, eq->red == RED_NONE ? LEVEL_EXPR : LEVEL_PRODUCT);
	if (classes)
		text_printf(p->out, ", %lld)", (long long)t->classes);
}

static void write_scatter(struct printer *p, const struct equation *eq)
{
	const struct tensor *t = eq->tensor;

	write_name(p->out, t);
	for (int a = 0; a < t->rank; a++) {
		text_add(p->out, a ? ", " : "[");
		write_expr(p, eq->target[a], LEVEL_SUM);
		if (a == 0 && t->batched && eq->target[0]->op == EX_INDEX && eq->target[0]->slot == batch_slot(eq))
			continue;
		if (t->axis[a].rows)
			text_add(p->out, " < nrows");
		else
			text_printf(p->out, " < %lld", (long long)t->axis[a].extent);
	}
	text_add(p->out, "] += ");
	if (eq->n) {
		text_add(p->out, "sum");
		write_indices(p, eq, 0, eq->n, 0);
		text_add(p->out, " ");
	}
	write_expr(p, eq->value, eq->n ? LEVEL_PRODUCT : LEVEL_EXPR);
}

static const char *const view_indices[] = {"q", "r", "s", "t", "u", "v"};

static void write_view(struct printer *p, const struct tensor *t)
{
	enum { LETTERS = sizeof view_indices / sizeof *view_indices };
	struct index *index = arena_array(&p->g->ctx->arena, (size_t)t->rank, sizeof *index);
	struct equation eq = {.tensor = (struct tensor *)t, .nfree = t->rank, .n = t->rank, .index = index};

	for (int a = 0; a < t->rank; a++)
		index[a] = (struct index){view_indices[(a + LETTERS - t->batched) % LETTERS], t->axis[a].extent,
					  t->axis[a].rows};
	name_indices(p->g, &eq, p->name);
	write_name(p->out, t);
	write_indices(p, &eq, 0, t->rank, 0);
	text_add(p->out, " = view(");
	write_name(p->out, t->of);
	text_add(p->out, ")");
	for (int a = 0; a < t->rank; a++)
		text_printf(p->out, "%s%s", a ? ", " : "[", p->name[a]);
	text_add(p->out, t->rank ? "]" : "");
}

void write_equation(struct printer *p, const struct equation *eq)
{
	if (eq->kind == EQ_SCAN) {
		text_printf(p->out, "scan %s < %lld%s", eq->scan->index, (long long)eq->scan->trips,
			    eq->scan->reverse ? ", reverse = yes" : "");
		return;
	}
	if (eq->kind == EQ_VIEW) {
		write_view(p, eq->tensor);
		return;
	}
	name_indices(p->g, eq, p->name);
	if (eq->kind == EQ_SCATTER)
		write_scatter(p, eq);
	else
		write_map(p, eq);
}

void print_equation(struct graph *g, const struct equation *eq, struct text *out)
{
	struct printer p = {.g = g, .out = out, .limit = out->n + PRINT_LIMIT};

	write_equation(&p, eq);
}
