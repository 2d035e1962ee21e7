/* differentiate_loss.c - the backward part of a model: the chain rule from each goal to its params, every gradient
 * defined in the end, and a word where there is none. */
#include "chain.h"
#include "expr.h"

/* ---- why there is no derivative ---- */

/* What depends on a param in any way at all; by tensor id. */
struct dependence {
	bool *on_param;
	const struct equation **lost; /* dependent, but no gradient passes: the equation where it ends */
	bool depends, passes;	      /* the equation at hand reads a dependent tensor; one with a gradient */
	const struct equation *ended; /* where that of a tensor it reads ended */
};

static void note_read(void *user, struct expr *e)
{
	struct dependence *d = user;
	const struct equation *lost;

	if (e->op != EX_READ || !d->on_param[e->tensor->id])
		return;
	lost = d->lost[e->tensor->id];
	d->depends = true;
	d->passes |= !lost;
	if (!d->ended)
		d->ended = lost;
}

/* The first function in a value that stops gradients and has a dependent tensor in it. */
struct stopping {
	struct graph *g;
	const struct dependence *dependence;
	const char *name;
	bool depends;
};

static void note_dependent(void *user, struct expr *e)
{
	struct stopping *s = user;

	s->depends |= e->op == EX_READ && s->dependence->on_param[e->tensor->id];
}

static void note_stopping(void *user, struct expr *e)
{
	struct stopping *s = user;
	const char *name = NULL;

	switch (e->op) {
	case EX_SIGN:
	case EX_FLOOR:
	case EX_CEIL:
	case EX_ROUND:
	case EX_TO_INT:
	case EX_STOP: name = ex_name(e->op); break;
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE:
	case EX_ISNAN: name = "a comparison"; break;
	default: return;
	}
	s->depends = false;
	ex_visit(s->g, e, note_dependent, s);
	if (s->depends && !s->name)
		s->name = name;
}

static const char *what_ends(struct graph *g, const struct equation *eq, const struct dependence *d)
{
	struct stopping s = {.g = g, .dependence = d};

	if (eq->red == RED_ARGMAX || eq->red == RED_ARGMIN)
		return eq->red == RED_ARGMAX ? "argmax" : "argmin";
	if (eq->value)
		ex_visit(g, eq->value, note_stopping, &s);
	return s.name ? s.name : eq->tensor->elem == ELEM_REAL ? "a subscript" : "integers";
}

/* The equation at which the gradients of what the loss depends on end, and at what; or NULL. Uses the walk's
 * tensor.pass. */
static const struct equation *find_end(struct graph *g, const struct goal *goal, const char **what)
{
	struct arena *arena = &g->ctx->arena;
	size_t n = (size_t)g->tensors.n;
	struct dependence d = {.on_param = arena_array(arena, n, sizeof(bool)),
			       .lost = arena_array(arena, n, sizeof(struct equation *))};

	for (int k = 0; k < goal->params.n; k++)
		d.on_param[goal->params.item[k]->id] = true;
	for (int i = 0; i < g->part[PART_FORWARD].n; i++) {
		const struct equation *eq = g->part[PART_FORWARD].item[i];
		const struct adjoint *a = eq->tensor->pass;

		d.depends = d.passes = false;
		d.ended = NULL;
		if (eq->kind == EQ_VIEW) {
			d.depends = d.on_param[eq->tensor->of->id];
			d.ended = d.lost[eq->tensor->of->id];
		} else {
			ex_visit(g, eq->value, note_read, &d);
		}
		if (!d.depends)
			continue;
		d.on_param[eq->tensor->id] = true;
		if (!a || !a->active)
			d.lost[eq->tensor->id] = d.passes || !d.ended ? eq : d.ended;
	}
	d.ended = d.lost[goal->value->id];
	if (d.ended)
		*what = what_ends(g, d.ended, &d);
	return d.ended;
}

static void report_no_derivative(struct graph *g, const struct goal *goal)
{
	const char *what;
	const struct equation *end = find_end(g, goal, &what);

	if (!goal->params.n) {
		report_error(g->ctx, goal->value->at, "the loss has nothing to train: no param is trained");
	} else if (!end) {
		report_error(g->ctx, goal->value->at, "the loss does not depend on any trained param");
	} else {
		report_error(g->ctx, goal->value->at,
			     "the loss has no derivative: it depends on the params only through %s", what);
		report_note(g->ctx, end->at, "gradients end here");
	}
}

/* ---- the gradients ---- */

/* By the id of a param: its gradient, the goals that name it, and what these gave. */
struct gradients {
	struct tensor **of;
	int *goals;
	struct expr **sum;
};

static void add_part(struct graph *g, struct gradients *all, const struct tensor *param, struct tensor *part)
{
	struct expr *sub[64], **sum = &all->sum[param->id];

	for (int d = 0; d < param->rank; d++)
		sub[d] = ex_index(g, d);
	*sum = add_adjoints(g, *sum, ex_read(g, part, sub, NULL));
}

/* One goal. Returns how many of its params it reaches. */
static int differentiate_goal(struct graph *g, const struct goal *goal, struct gradients *all)
{
	struct arena *arena = &g->ctx->arena;
	int n = goal->params.n, reached = 0;
	struct tensor **grad = arena_array(arena, (size_t)n, sizeof(struct tensor *));
	const char *suffix = g->goals.n == 1 ? ".grad" : arena_printf(arena, ".grad.%s", goal->name);

	for (int k = 0; k < n; k++) {
		uint32_t id = goal->params.item[k]->id;

		grad[k] = all->goals[id] == 1 ? all->of[id] : NULL;
	}
	differentiate_into(g, &g->part[PART_FORWARD], goal->value, goal->params.item, n, suffix,
			   &g->part[PART_BACKWARD], grad);
	for (int k = 0; k < n; k++) {
		if (!grad[k])
			continue;
		reached++;
		if (grad[k] != all->of[goal->params.item[k]->id])
			add_part(g, all, goal->params.item[k], grad[k]);
		else
			all->of[goal->params.item[k]->id] = NULL; /* defined */
	}
	return reached;
}

/* The gradients that no goal defined alone: sums of several goals', or 0. */
static void define_rest(struct graph *g, struct gradients *all)
{
	struct chain c = {.g = g, .out = &g->part[PART_BACKWARD]};

	for (int i = 0; i < g->grads.n; i++) {
		struct tensor *grad = g->grads.item[i], *param = grad->of;
		struct expr *value = all->sum[param->id];
		struct index *index = arena_array(&g->ctx->arena, (size_t)grad->rank, sizeof *index);

		if (!all->of[param->id])
			continue;
		if (!value)
			report_warning(g->ctx, param->at, "unreached",
				       "the loss does not depend on param '%s': its gradient is 0", param->name);
		for (int d = 0; d < grad->rank; d++)
			index[d] = (struct index){NULL, grad->axis[d].extent, grad->axis[d].rows};
		append_equation(&c, grad, RED_NONE, grad->rank, grad->rank, index, value ? value : ex_num(g, 0),
				param->at);
	}
}

/* Requires: parts forward and update, goals and grads; backward empty.
 * Keeps: all equations but for stop(), which is gone after it.
 * Makes: part backward, which defines each of grads exactly once. False after an error. */
bool differentiate_loss(struct graph *g)
{
	struct arena *arena = &g->ctx->arena;
	size_t n = (size_t)g->tensors.n;
	struct gradients all = {.of = arena_array(arena, n, sizeof(struct tensor *)),
				.goals = arena_array(arena, n, sizeof(int)),
				.sum = arena_array(arena, n, sizeof(struct expr *))};
	bool reached = g->goals.n == 0;

	for (int i = 0; i < g->grads.n; i++)
		all.of[g->grads.item[i]->of->id] = g->grads.item[i];
	for (int i = 0; i < g->goals.n; i++)
		for (int k = 0; k < g->goals.item[i].params.n; k++)
			all.goals[g->goals.item[i].params.item[k]->id]++;
	for (int i = 0; i < g->goals.n; i++)
		reached |= differentiate_goal(g, &g->goals.item[i], &all) > 0;
	if (!reached) {
		report_no_derivative(g, &g->goals.item[g->goals.n - 1]);
		return false;
	}
	define_rest(g, &all);
	drop_stops(g);
	return true;
}
