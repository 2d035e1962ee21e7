/* elaborate_train.c - losses, metrics, outputs, and the options of a run. */
#include "elaborate.h"

#include <string.h>

/* Whole-name match; * is any characters, ? one. */
bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;
	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			retry = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool fits_any(const struct node *only, const char *name)
{
	for (int i = 0; i < only->n; i++)
		if (matches(only->kid[i]->name, name))
			return true;
	return false;
}

static struct tensor *scalar_equation(struct elaborator *E, const char *name, enum reducer red, struct expr *e,
				      bool over_batch, struct span at)
{
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, name, e->elem, false, 0, NULL, at);
	t->layer = "";
	struct index batch = {"batch", E->g->batch, true};
	list_add(&E->ctx->arena, &E->g->part[E->part], graph_equation(E->g, t, red, 0, over_batch, &batch, e, at));
	return t;
}

/* ---- goals ---- */

/* The batch's loss: the mean over samples, or the value itself where it is one for all. */
static struct tensor *batch_mean(struct elaborator *E, struct value v, const char *name, struct span at)
{
	v.expr = ex_real(E->g, v.expr);
	if (!is_batched(&v))
		return scalar_equation(E, name, RED_NONE, v.expr, false, at);
	struct tensor *sum = scalar_equation(E, join_path(E, name, "sum"), RED_SUM, v.expr, true, at);
	struct value s = tensor_value(E, sum);
	return scalar_equation(E, name, RED_NONE, ex2(E->g, EX_DIV, s.expr, ex_real(E->g, ex_run(E->g, RUN_ROWS))),
			       false, at);
}

void add_loss(struct elaborator *E, const struct node *n)
{
	const char *hint = E->scope->hint;
	E->scope->hint = n->name ? n->name : "loss";
	struct value v = eval(E, n->kid[0]);
	E->scope->hint = hint;
	v = as_tensor(E, &v);
	if (v.kind == VAL_ERROR)
		return;
	if (v.kind != VAL_TENSOR || own_rank(&v)) {
		fail(E, n->kid[0]->at, "a loss is one number a sample, not %s; reduce it, for example with mean(...)",
		     v.kind == VAL_TENSOR ? arena_printf(&E->ctx->arena, "a tensor of shape %s", value_shape(E, &v))
					  : kind_text(&v));
		return;
	}
	if (n->maximize)
		v = lift(E, n->at, EX_NEG, 1, &v);
	struct goal goal = {.name = n->name ? n->name : "loss",
			    .value = batch_mean(E, v, n->name ? n->name : "loss", n->at)};
	list_add(&E->ctx->arena, &E->goals, goal);
	list_add(&E->ctx->arena, &E->goal_nodes, n);
}

/* All losses of this run added up; NULL where there are none. */
struct tensor *total_loss(struct elaborator *E)
{
	if (!E->goals.n)
		return NULL;
	if (E->goals.n == 1)
		return E->goals.item[0].value;
	struct expr *sum = tensor_value(E, E->goals.item[0].value).expr;
	for (int i = 1; i < E->goals.n; i++)
		sum = ex2(E->g, EX_ADD, sum, tensor_value(E, E->goals.item[i].value).expr);
	return scalar_equation(E, "total", RED_NONE, sum, false, E->goals.item[0].value->at);
}

void set_goals(struct elaborator *E)
{
	struct graph *g = E->g;
	g->loss = total_loss(E);
	if (!g->loss)
		return;
	bool split = false;
	for (int i = 0; i < E->goals.n; i++)
		split |= E->goal_nodes.item[i]->n > 1 && E->goal_nodes.item[i]->kid[1];
	struct goal all = {.name = "loss", .value = g->loss};
	for (int i = 0; i < (split ? E->goals.n : 1); i++) {
		struct goal goal = split ? E->goals.item[i] : all;
		const struct node *only = split && E->goal_nodes.item[i]->n > 1 ? E->goal_nodes.item[i]->kid[1] : NULL;
		for (int k = 0; k < g->grads.n; k++)
			if (!only || fits_any(only, g->grads.item[k]->of->name))
				list_add(&E->ctx->arena, &goal.params, g->grads.item[k]->of);
		for (int k = 0; only && k < only->n; k++) {
			bool any = false;
			for (int p = 0; p < g->grads.n; p++)
				any |= matches(only->kid[k]->name, g->grads.item[p]->of->name);
			if (!any)
				fail(E, only->kid[k]->at, "no trained parameter's name fits \"%s\"",
				     only->kid[k]->name);
		}
		list_add(&E->ctx->arena, &g->goals, goal);
	}
}

static const char *value_name(const struct node *arg, const char *otherwise)
{
	if (arg->name)
		return arg->name;
	const struct node *e = arg->kid[0];
	return (e->kind == NODE_NAME || e->kind == NODE_CALL) && e->name && !strchr(e->name, '.') ? e->name : otherwise;
}

/* A value that is shown, as a tensor of its name; NULL after an error. */
static struct tensor *shown_tensor(struct elaborator *E, const struct node *arg, const char *name, bool metric)
{
	E->scope->hint = name;
	struct value v = eval(E, arg->kid[0]);
	E->scope->hint = "value";
	v = as_tensor(E, &v);
	if (metric && v.kind != VAL_TENSOR && v.kind != VAL_ERROR) {
		fail(E, arg->at, "a metric is a number or a tensor, not %s", kind_text(&v));
		return NULL;
	}
	if (metric && v.kind == VAL_TENSOR)
		v.expr = ex_real(E->g, v.expr);
	return materialize(E, v, name, arg->at);
}

void add_metrics(struct elaborator *E, const struct node *n)
{
	for (int i = 0; i < n->n; i++) {
		const char *name = value_name(n->kid[i], "metric");
		struct tensor *t = shown_tensor(E, n->kid[i], name, true);
		if (t && E->second)
			list_add(&E->ctx->arena, &E->g->metrics, (struct metric){name, t});
	}
}

void add_outputs(struct elaborator *E, const struct node *n)
{
	for (int i = 0; i < n->n; i++) {
		const char *name = value_name(n->kid[i], "output");
		struct tensor *t = shown_tensor(E, n->kid[i], name, false);
		if (t && E->second)
			list_add(&E->ctx->arena, &E->g->outputs, (struct output){name, t});
	}
}

/* ---- the default output ---- */

struct reach {
	uintptr_t bits; /* 1: an input, 2: a target */
};

static struct expr *note_reach(void *user, struct expr *read)
{
	struct reach *r = user;
	r->bits |= (uintptr_t)read->tensor->pass;
	return read;
}

static void note_equation(void *user, struct equation *eq)
{
	struct reach r = {(uintptr_t)eq->tensor->pass};
	if (eq->kind == EQ_VIEW)
		r.bits |= (uintptr_t)eq->tensor->of->pass;
	else
		ex_map_reads(user, eq->value, note_reach, &r);
	eq->tensor->pass = (void *)r.bits;
}

/* Which tensors of inference depend on inputs (1) and targets (2): in tensor.pass. */
static void mark_reach(struct graph *g)
{
	for (int i = 0; i < g->tensors.n; i++) {
		enum role r = g->tensors.item[i]->role;
		g->tensors.item[i]->pass = (void *)(uintptr_t)(r == ROLE_INPUT ? 1 : r == ROLE_TARGET ? 2 : 0);
	}
	/* twice: in a scan an equation may read what stands behind it */
	for (int round = 0; round < 2; round++)
		visit_equations(g->part[PART_INFERENCE].item, g->part[PART_INFERENCE].n, note_equation, g);
}

static const char *name_in_file(struct elaborator *E, const struct tensor *t)
{
	for (int k = 0; k < E->file->names.entries.n; k++) {
		struct binding *b = E->file->names.entries.item[k].value;
		if (b->value.kind == VAL_TENSOR && b->value.expr->op == EX_READ && b->value.expr->tensor == t)
			return b->name;
	}
	return NULL;
}

/* Outputs depend on no target. Without an output line: the last value of the file that depends on an input. */
void default_output(struct elaborator *E)
{
	struct graph *g = E->g;
	mark_reach(g);
	for (int i = 0; i < g->outputs.n; i++)
		if ((uintptr_t)g->outputs.item[i].value->pass & 2)
			fail(E, g->outputs.item[i].value->at,
			     "output '%s' depends on a target; targets are for losses and metrics",
			     g->outputs.item[i].name);
	const struct known_when *when = find_passes(g, &g->part[PART_INFERENCE]);
	for (int i = g->part[PART_INFERENCE].n - 1; i >= 0 && !g->outputs.n; i--) {
		const struct equation *eq = g->part[PART_INFERENCE].item[i];
		const struct equation *last = eq->kind == EQ_SCAN ? eq->scan->body[eq->scan->n - 1] : eq;
		struct tensor *t = last->tensor;
		const char *name = t && !when[t->id].pass && (uintptr_t)t->pass == 1 ? name_in_file(E, t) : NULL;
		if (name)
			list_add(&E->ctx->arena, &g->outputs, (struct output){name, t});
	}
	if (!g->outputs.n && !g->loss)
		fail(E, (struct span){g->src, 0, 0}, "the model has neither a loss nor an output");
}

/* ---- run options ---- */

static bool known_number(struct elaborator *E, const struct node *arg, double least, struct value *out)
{
	*out = eval(E, arg->kid[0]);
	if (out->kind == VAL_ERROR)
		return false;
	if (!is_number(out) || out->kind == VAL_BOOL) {
		fail(E, arg->at, "'%s' is a number known while compiling, not %s", arg->name, kind_text(out));
		return false;
	}
	if (number_of(out) < least) {
		fail(E, arg->at, "'%s' is at least %g, not %s", arg->name, least, value_text(E, out));
		return false;
	}
	return true;
}

enum run_option { EPOCHS, STEPS, BATCH, CLIP, SEED, CLIP_VALUE, ACCUMULATE, AVERAGE, SHUFFLE, RUN_OPTIONS };

static void read_shuffle(struct elaborator *E, const struct node *o)
{
	struct value v = eval(E, o->kid[0]);
	if (v.kind == VAL_BOOL)
		E->g->training.ordered = !v.integer;
	else if (v.kind != VAL_ERROR)
		fail(E, o->at, "'shuffle' is yes or no, not %s", value_text(E, &v));
}

static void read_option(struct elaborator *E, const struct node *o, enum run_option option)
{
	struct training *t = &E->g->training;
	struct value v;
	int64_t whole = 0;
	bool real = option == CLIP || option == CLIP_VALUE;
	if (option == AVERAGE)
		E->average = o;
	if (option == SHUFFLE)
		read_shuffle(E, o);
	if (option == AVERAGE || option == SHUFFLE ||
	    !known_number(E, o, option == BATCH || option == ACCUMULATE ? 1 : 0, &v))
		return;
	if (!real && !expect_int(E, o->kid[0], v, arena_printf(&E->ctx->arena, "'%s'", o->name), &whole))
		return;
	if (!real && option != SEED && whole > INT32_MAX) {
		fail(E, o->at, "'%s' is at most 2^31 - 1", o->name);
		return;
	}
	switch (option) {
	case EPOCHS: t->epochs = whole; break;
	case STEPS: t->steps = whole; break;
	case BATCH: E->g->batch = whole; break;
	case CLIP: t->clip = number_of(&v); break;
	case SEED: t->seed = (uint64_t)whole; break;
	case CLIP_VALUE: t->clip_value = number_of(&v); break;
	default: t->accumulate = whole; break;
	}
}

void read_options(struct elaborator *E, const struct node *options)
{
	static const char *const names[RUN_OPTIONS] = {"epochs",     "steps",	   "batch",   "clip",	"seed",
						       "clip_value", "accumulate", "average", "shuffle"};
	struct table seen = {.arena = &E->ctx->arena};
	for (int i = 0; i < options->n; i++) {
		const struct node *o = options->kid[i];
		int k = 0;
		while (k < RUN_OPTIONS && strcmp(names[k], o->name))
			k++;
		if (k == RUN_OPTIONS) {
			const char *near = suggest_of(E, o->name, names, RUN_OPTIONS);
			fail(E, o->at, "unknown run option '%s'%s", o->name,
			     *near ? near
				   : "; there are epochs, steps, batch, clip, clip_value, accumulate, average, "
				     "shuffle, seed");
		} else if (table_get(&seen, o->name)) {
			fail(E, o->at, "run option '%s' is given twice", o->name);
		} else {
			table_set(&seen, o->name, (void *)(uintptr_t)o);
			read_option(E, o, (enum run_option)k);
		}
	}
}
