/* slope.c - the slope of a function, found where the function is.
 *
 *     g[i] = 0.5 * y[i] * (1 + erf(0.7 * y[i]))
 *     y.grad[i] = g.grad[i] * (1 + erf(0.7 * y[i])) / 2 + g.grad[i] * y[i] * exp(-0.7 * y[i] * (0.7 * y[i])) * 0.4
 *
 * becomes, with all but the last equation in the forward pass,
 *
 *     y.erf[i] = erf(0.7 * y[i])
 *     g[i] = 0.5 * y[i] * (1 + y.erf[i])
 *     y.slope[i] = (1 + y.erf[i]) / 2 + y[i] * exp(-0.7 * y[i] * (0.7 * y[i])) * 0.4
 *     y.grad[i] = g.grad[i] * y.slope[i]
 *
 * One erf serves both. If the backward pass reads y for nothing else, the slope is kept in its place: no more memory.
 * So it is done only then, and where some function that takes long, of the same values, is in the forward pass. */
#include "expr.h"
#include "simplify.h"

enum { MOST_OPERATORS = 200 /* of a value that is looked at */ };

struct sloping {
	struct graph *g;
	const struct equation *eq;
	const struct expr *gradient; /* the read in which the value is linear */
	const struct expr *of;	     /* the only other read */
	int n_gradient, n_of;
	bool failed;
	int left; /* operators that may still be looked at */
};

static void sort_read(void *user, struct expr *read)
{
	struct sloping *w = user;
	const struct usage *usage = read->tensor->role == ROLE_VALUE ? usage_of(read->tensor) : NULL;

	if (!usage || read->guarded || usage->definitions != 1) {
		w->failed = true;
	} else if (usage->part == PART_BACKWARD) {
		w->gradient = read;
		w->n_gradient++;
	} else {
		w->failed |= !ex_is_read_of(read, read->tensor, w->eq->nfree);
		w->of = read;
		w->n_of++;
	}
}

static bool is_zero(const struct expr *e) { return e->op == EX_NUM && e->num == 0; }

/* *slope: by what e is a multiple of the gradient; NULL: it is not in e. False: anything else. */
static bool find_slope(struct sloping *w, struct expr *e, struct expr **slope)
{
	struct expr *of[3] = {NULL}, *zero = ex_num(w->g, 0);
	int n = 0;

	*slope = NULL;
	if (e == w->gradient)
		*slope = ex_num(w->g, 1);
	if (e->op == EX_READ || e->n == 0)
		return true;
	if (e->n > 3 || --w->left < 0)
		return false;
	for (int i = 0; i < e->n; i++) {
		if (!find_slope(w, e->arg[i], &of[i]))
			return false;
		n += of[i] != NULL;
	}
	if (n == 0)
		return true;
	for (int i = 0; i < e->n; i++) /* 0 is any multiple */
		if (!of[i] && is_zero(e->arg[i]))
			of[i] = zero;
	switch (e->op) {
	case EX_NEG: *slope = ex1(w->g, EX_NEG, of[0]); return true;
	case EX_ADD:
	case EX_SUB: *slope = of[0] && of[1] ? ex2(w->g, e->op, of[0], of[1]) : NULL; return *slope;
	case EX_MUL:
		if (n > 1)
			return false;
		*slope = of[0] ? ex2(w->g, EX_MUL, of[0], e->arg[1]) : ex2(w->g, EX_MUL, e->arg[0], of[1]);
		return true;
	case EX_DIV: *slope = of[1] ? NULL : ex2(w->g, EX_DIV, of[0], e->arg[1]); return *slope;
	case EX_SELECT:
		*slope = !of[0] && of[1] && of[2] ? ex_select(w->g, e->arg[0], of[1], of[2]) : NULL;
		return *slope;
	default: return false;
	}
}

/* ---- where the function is ---- */

struct functions {
	struct graph *g;
	LIST(const struct expr *) met;
	struct expr *shared; /* the last of them that was found, which others may be part of */
};

static void note_function(void *user, struct expr *e)
{
	struct functions *f = user;

	if (is_slow_function(e->op) && e->slots)
		list_add(&f->g->ctx->arena, &f->met, e);
}

static void find_shared(void *user, struct expr *e)
{
	struct functions *f = user;

	for (int i = 0; i < f->met.n; i++)
		f->shared = f->met.item[i] == e ? e : f->shared;
}

/* The last equation of the forward pass over the same indices that has a function of the slope's, which is *shared;
 * or NULL. */
static struct equation *find_function(struct graph *g, const struct equation *eq, struct expr *slope,
				      struct expr **shared)
{
	const equation_list *forward = &g->part[PART_FORWARD];
	struct functions f = {.g = g};

	ex_visit(g, slope, note_function, &f);
	for (int i = forward->n - 1; i >= 0 && f.met.n; i--) {
		struct equation *at = forward->item[i];
		bool same = at->kind == EQ_MAP && at->red == RED_NONE && at->n == eq->n;

		for (int s = 0; same && s < eq->n; s++)
			same = at->index[s].extent == eq->index[s].extent && at->index[s].rows == eq->index[s].rows;
		if (same)
			ex_visit(g, at->value, find_shared, &f);
		*shared = f.shared;
		if (f.shared)
			return at;
	}
	return NULL;
}

/* ---- the rewrite ---- */

struct naming {
	const struct expr *what;
	struct expr *by;
};

static struct expr *call_by_name(void *user, const struct expr *e)
{
	struct naming *n = user;

	return e == n->what ? n->by : NULL;
}

/* A value of the forward pass for each element of `of`, behind an equation of it; its name ends in `what`. */
static struct expr *add_value(struct graph *g, const struct equation *like, const struct tensor *of, const char *what,
			      struct expr *value, const struct equation *behind)
{
	struct tensor *t = graph_tensor(g, ROLE_VALUE, arena_printf(&g->ctx->arena, "%s.%s", of->name, what), ELEM_REAL,
					of->batched, of->rank, of->axis, behind->at);
	struct expr *slot[MAX_SLOTS];

	t->layer = behind->tensor->layer;
	insert_behind(g, behind, graph_equation(g, t, RED_NONE, like->nfree, like->n, like->index, value, behind->at));
	for (int s = 0; s < like->n; s++)
		slot[s] = ex_index(g, s);
	return ex_read(g, t, slot, NULL);
}

static bool move_slope(struct graph *g, struct equation *eq)
{
	struct sloping w = {.g = g, .eq = eq, .left = MOST_OPERATORS};
	const struct tensor *of;
	struct equation *function;
	struct expr *slope, *shared;
	struct naming naming;

	ex_visit_reads(g, eq->value, sort_read, &w);
	if (w.failed || w.n_gradient != 1 || w.n_of != 1 || ex_has(eq->value, EX_DRAW) ||
	    !is_kept_for_one(g, w.of->tensor) || !find_slope(&w, eq->value, &slope) || !slope)
		return false;
	of = w.of->tensor;
	function = find_function(g, eq, slope, &shared);
	if (!function)
		return false;
	naming.what = shared;
	naming.by = add_value(g, eq, of, ex_name(shared->op), shared, usage_of(of)->definition);
	function->value = ex_rewrite(g, function->value, call_by_name, NULL, &naming);
	slope = ex_rewrite(g, slope, call_by_name, NULL, &naming);
	eq->value = ex2(g, EX_MUL, (struct expr *)w.gradient, add_value(g, eq, of, "slope", slope, function));
	return true;
}

bool find_slopes_early(struct graph *g)
{
	const equation_list *backward = &g->part[PART_BACKWARD];
	bool moved = false;

	for (int i = 0; i < backward->n; i++) {
		struct equation *eq = backward->item[i];

		if (eq->kind == EQ_MAP && eq->red == RED_NONE && eq->tensor->elem == ELEM_REAL &&
		    has_slow_function(eq->value))
			moved |= move_slope(g, eq);
	}
	return moved;
}
