/* elaborate_update.c - part update: the train lines' rules run for every trained param, and what stands before and
 * after a rule: accumulated and clipped gradients, averaged weights.
 *
 * All of that is definitions of the library (accumulate_gradient, clip_factor, running_average ...), so here is only
 * what calls them: which gradient a rule is given, in which steps its next values count, and what inference uses in
 * place of a param (part average), which is what an optimizer returns. */
#include "elaborate.h"
#include "elaborate_train.h"

#include <string.h>

/* ---- gradients on their way to the rule ---- */

/* What a definition of the library gives for these arguments; weight: a state in it has that param's shape and name. */
static struct value call_definition(struct elaborator *E, const struct node *train, const char *name,
				    struct tensor *weight, bool averages, const struct value *args, int n)
{
	const struct node *def = library_definition(E, &E->defs, name);
	if (!def) {
		fail(E, train->at, "this needs the library's %s", name);
		return error_value();
	}
	struct scope *s = enter(E, def, weight ? weight->name : name, train->at);
	s->weight = weight;
	s->averages = averages;
	bool bound = true;
	for (int i = 0; i < n && bound; i++)
		bound = bind_formal(E, def->kid[0]->kid[i], args[i], train->at);
	if (bound)
		run_block(E, def->kid[1]);
	struct value v = s->returned ? s->result : error_value();
	leave(E, s);
	return v;
}

/* The gradient of param k of g->grads as the rules see it. */
struct tensor *rule_gradient(struct elaborator *E, int k) { return E->gradient ? E->gradient[k] : E->g->grads.item[k]; }

/* Every gradient goes through a definition of itself and a number; its result takes its place. */
static void transform_gradients(struct elaborator *E, const struct node *train, const char *def, const char *name,
				struct value option)
{
	struct graph *g = E->g;
	struct tensor **result = arena_array(&E->ctx->arena, (size_t)g->grads.n + 1, sizeof *result);
	for (int k = 0; k < g->grads.n; k++) {
		struct tensor *w = g->grads.item[k]->of;
		struct value args[] = {tensor_value(E, rule_gradient(E, k)), option};
		struct value v = call_definition(E, train, def, w, false, args, 2);
		result[k] = v.kind == VAL_TENSOR ? materialize(E, v, join_path(E, w->name, name), train->at) : NULL;
		if (!result[k])
			return;
		result[k]->layer = w->layer;
	}
	E->gradient = result;
}

/* What clip multiplies every gradient by. */
static struct value clip_factor(struct elaborator *E, const struct node *train)
{
	struct value limit = real_value(E->g->training.clip);
	struct value v = call_definition(E, train, "clip_factor", NULL, false, &limit, 1);
	if (v.kind != VAL_TENSOR)
		return v;
	struct tensor *t = materialize(E, v, "clip_factor", train->at);
	return t ? tensor_value(E, t) : error_value();
}

/* In the order of the reference: the mean of some steps, each element within bounds, then the norm of all. */
static struct value prepare_gradients(struct elaborator *E, const struct node *train)
{
	const struct training *t = &E->g->training;
	if (t->accumulate > 1)
		transform_gradients(E, train, "accumulate_gradient", "gradient", int_value(t->accumulate));
	E->updates_every = t->accumulate;
	if (t->clip_value > 0 && !E->ctx->errors)
		transform_gradients(E, train, "clip_value", "clipped", real_value(t->clip_value));
	return t->clip > 0 && !E->ctx->errors ? clip_factor(E, train) : error_value();
}

/* ---- rules ---- */

/* A number or a formula of step; formulas become scalars that all params share. */
static struct value rule_option(struct elaborator *E, const struct node *a, const char *name)
{
	E->scope->hint = name;
	struct value v = eval(E, a->kid[0]);
	if (v.kind == VAL_TENSOR && (v.lead || own_rank(&v))) {
		fail(E, a->at, "an option of a rule is a number or a formula of step, epoch and settings");
		v = error_value();
	} else if (v.kind == VAL_TENSOR && v.expr->n) {
		v = settle(E, v, name, a->at);
	}
	E->scope->hint = "value";
	return v;
}

/* A rule's options are evaluated once. */
static struct value *rule_arguments(struct elaborator *E, const struct node *call)
{
	struct value *v = arena_array(&E->ctx->arena, (size_t)call->n + 1, sizeof *v);
	for (int i = 0; i < call->n; i++)
		v[i] = rule_option(E, call->kid[i], call->kid[i]->name ? call->kid[i]->name : "option");
	return v;
}

/* average=, a number of 0 to 1 or a formula; VAL_ERROR: not given, or 0. */
static struct value average_decay(struct elaborator *E)
{
	const struct node *a = E->average;
	struct value v = a ? rule_option(E, a, "average.decay") : error_value();
	if (v.kind == VAL_ERROR || v.kind == VAL_TENSOR)
		return v;
	if (!is_number(&v) || v.kind == VAL_BOOL || !(number_of(&v) >= 0 && number_of(&v) < 1)) {
		fail(E, a->at,
		     "'average' is the part of the average that stays in a step, from 0 to less than 1, not %s",
		     value_text(E, &v));
		return error_value();
	}
	return number_of(&v) > 0 ? v : error_value();
}

/* Next values that part update has got since mark count in the last of accumulated steps only. */
static void hold_back(struct elaborator *E, int mark)
{
	struct graph *g = E->g;
	const equation_list *list = &g->part[PART_UPDATE];
	if (E->updates_every <= 1)
		return;
	struct expr *every = ex_int(g, E->updates_every), *last = ex_int(g, E->updates_every - 1);
	struct expr *due = ex2(g, EX_EQ, ex2(g, EX_MOD, ex_run(g, RUN_STEP), every), last);
	for (int i = mark; i < list->n; i++) {
		struct equation *eq = list->item[i];
		struct expr *own[64];
		if (eq->kind != EQ_MAP || eq->tensor->role != ROLE_NEXT)
			continue;
		for (int a = 0; a < eq->tensor->rank; a++)
			own[a] = ex_index(g, a);
		eq->value = ex_select(g, due, eq->value, ex_read(g, eq->tensor->of, own, NULL));
	}
}

/* What inference uses in place of w: the equation of part average. */
static void use_average(struct elaborator *E, struct tensor *w, struct value v, struct span at)
{
	struct value own = tensor_value(E, w);
	E->part = PART_AVERAGE;
	v = as_tensor(E, &v);
	struct expr *e = v.kind == VAL_TENSOR ? stretch_value(E, at, v, &own, "result", w->name, "parameter") : NULL;
	if (e) {
		struct tensor *t = graph_tensor(E->g, ROLE_NEXT, arena_printf(&E->ctx->arena, "%s'", w->name), w->elem,
						false, w->rank, w->axis, user_place(E, at));
		t->of = w;
		t->layer = w->layer;
		define_whole(E, t, &own, e, t->at);
	}
	E->part = PART_UPDATE;
}

/* What `average=` keeps of w, whose next value is known by now, and returns for inference. */
static struct value run_average(struct elaborator *E, const struct node *train, struct tensor *w, struct value next,
				struct value decay)
{
	struct value args[] = {tensor_value(E, w), next, decay};
	return call_definition(E, train, "running_average", w, true, args, 3);
}

static void run_rule(struct elaborator *E, const struct node *train, const struct node *def, const struct value *option,
		     int k, struct value factor, struct value decay)
{
	const struct node *call = train->kid[0];
	struct tensor *w = E->g->grads.item[k]->of;
	int errors = E->ctx->errors, mark = E->g->part[PART_UPDATE].n;
	struct value g = tensor_value(E, rule_gradient(E, k));
	struct scope *s = enter(E, def, w->name, call->at);
	s->weight = w;
	s->averages = true;
	bind(E, "w", tensor_value(E, w), call->at);
	find_binding(s, "w")->state = w;
	bind(E, "g", factor.kind == VAL_TENSOR ? lift(E, call->at, EX_MUL, 2, (struct value[]){g, factor}) : g,
	     call->at);
	if (bind_options(E, s, call, option)) {
		run_block(E, def->kid[1]);
		if (E->ctx->errors == errors && !find_binding(s, "w")->next)
			fail(E, call->at, "optimizer %s does not set w'", def->name);
	}
	struct value use = s->returned ? s->result : error_value();
	leave(E, s);
	if (decay.kind != VAL_ERROR && E->ctx->errors == errors)
		use = run_average(E, E->trains.item[0], w, find_binding(s, "w")->next_value, decay);
	if (use.kind != VAL_ERROR)
		use_average(E, w, use, call->at);
	hold_back(E, mark);
}

static const struct node *line_of(struct elaborator *E, const char *param)
{
	const struct node *rest = NULL;
	for (int i = 0; i < E->trains.n; i++) {
		const struct node *only = E->trains.item[i]->n > 2 ? E->trains.item[i]->kid[2] : NULL;
		if (only && fits_any(only, param))
			return E->trains.item[i];
		if (!only && !rest)
			rest = E->trains.item[i];
	}
	return rest;
}

static const struct node *rule_of(struct elaborator *E, const struct node *train)
{
	const struct node *call = train->kid[0], *def = get_definition(E, &E->optimizers, call->name);
	if (def)
		return def;
	fail(E, call->at, "unknown optimizer '%s'%s", call->name, suggest_definition(E, call->name, &E->optimizers));
	return NULL;
}

static void check_lines(struct elaborator *E)
{
	const struct node *general = NULL;
	for (int i = 0; i < E->trains.n; i++) {
		const struct node *t = E->trains.item[i], *only = t->n > 2 ? t->kid[2] : NULL;
		if (i && t->kid[1] && t->kid[1]->n)
			fail(E, t->kid[1]->at, "run options stand on the first train line");
		if (!only && general) {
			fail(E, t->at, "a second train line without `only`");
			report_note(E->ctx, general->at, "the first is here");
		}
		if (!only)
			general = t;
		for (int k = 0; only && k < only->n; k++) {
			bool any = false;
			for (int p = 0; p < E->params.entries.n; p++) {
				struct tensor *w = E->params.entries.item[p].value;
				any |= w->role == ROLE_PARAM && matches(only->kid[k]->name, w->name);
			}
			if (!any)
				fail(E, only->kid[k]->at, "no trained parameter's name fits \"%s\"",
				     only->kid[k]->name);
		}
	}
}

static void make_grads(struct elaborator *E)
{
	for (int i = 0, n = E->g->tensors.n; i < n; i++) {
		struct tensor *w = E->g->tensors.item[i];
		if (w->role != ROLE_PARAM || (E->trains.n && !line_of(E, w->name)))
			continue;
		struct tensor *grad = graph_tensor(E->g, ROLE_GRAD, join_path(E, w->name, "grad"), w->elem, false,
						   w->rank, w->axis, w->at);
		grad->of = w;
		grad->layer = w->layer;
		list_add(&E->ctx->arena, &E->g->grads, grad);
	}
}

struct average_check {
	struct elaborator *E;
	const bool *own; /* by tensor id: part average defines it */
	const struct equation *eq;
};

static struct expr *check_average_read(void *user, struct expr *read)
{
	struct average_check *c = user;
	const struct tensor *t = read->tensor;
	if ((t->role == ROLE_VALUE || t->role == ROLE_VIEW || t->role == ROLE_NEXT || t->role == ROLE_GRAD) &&
	    !c->own[t->id] && !c->E->ctx->errors)
		fail(c->E, c->eq->at,
		     "what an optimizer returns for inference depends on w, its states and constants; '%s' is known "
		     "in a step only",
		     t->name);
	return read;
}

/* Part average runs by itself, after any step: nothing of a step is left for it. */
static void check_averages(struct elaborator *E)
{
	const equation_list *list = &E->g->part[PART_AVERAGE];
	bool *own = arena_array(&E->ctx->arena, (size_t)E->g->tensors.n + 1, sizeof *own);
	struct average_check c = {.E = E, .own = own};
	for (int i = 0; i < list->n; i++) {
		c.eq = list->item[i];
		if (c.eq->kind != EQ_SCAN)
			own[c.eq->tensor->id] = true;
		if (c.eq->value)
			ex_map_reads(E->g, c.eq->value, check_average_read, &c);
	}
}

/* After the first run: gradients to be had, goals, and what update does. */
void build_training(struct elaborator *E)
{
	struct graph *g = E->g;
	const struct node *first = E->trains.n ? E->trains.item[0] : NULL;
	E->scope = E->file;
	E->part = PART_UPDATE;
	if (first && !E->goals.n) {
		fail(E, first->at, "the model is trained but has no loss");
		report_note(E->ctx, (struct span){0}, "write for example: loss cross_entropy(logits, label)");
		return;
	}
	check_lines(E);
	if (E->goals.n)
		make_grads(E);
	E->part = PART_FORWARD;
	set_goals(E);
	E->part = PART_UPDATE;
	if (E->goals.n && !g->grads.n) {
		fail(E, E->goals.item[0].value->at, "the model has a loss but no parameter to train");
		return;
	}
	if (!first)
		return;
	g->training.given = true;
	g->training.rule = first->kid[0]->name;
	if (first->kid[1])
		read_options(E, first->kid[1]);
	if (E->ctx->errors)
		return;
	E->gradient = NULL;
	struct value factor = prepare_gradients(E, first), decay = average_decay(E);
	for (int i = 0; i < E->trains.n; i++) {
		const struct node *train = E->trains.item[i], *def = rule_of(E, train);
		if (!def)
			continue;
		struct value *option = rule_arguments(E, train->kid[0]);
		int errors = E->ctx->errors;
		for (int k = 0; k < g->grads.n && E->ctx->errors == errors; k++)
			if (line_of(E, g->grads.item[k]->of->name) == train)
				run_rule(E, train, def, option, k, factor, decay);
	}
	if (!E->ctx->errors)
		check_averages(E);
}
