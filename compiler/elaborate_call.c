/* elaborate_call.c - calls: definitions are inlined, the language's own functions evaluated, pipes walked.
 *
 * A call of a definition makes an instance, whose path is the head of the names of all that is made inside. */
#include "elaborate.h"

#include <string.h>

static bool is_recursive(struct elaborator *E, const struct node *def)
{
	for (struct scope *s = E->scope; s; s = s->caller)
		if (s->def == def)
			return true;
	return false;
}

/* What a call gives back: a tensor of the instance's name, unless it has a name of its own. */
static struct value returned_value(struct elaborator *E, struct scope *s, struct span at)
{
	struct value v = s->result;
	if (v.kind != VAL_TENSOR || v.indexed || (is_cheap(v.expr) && v.expr->op != EX_DRAW && !v.rank))
		return v;
	return settle(E, v, s->path, at);
}

/* Run a definition's body; path names the instance. */
struct value inline_definition(struct elaborator *E, const struct node *def, const char *path, struct span at,
			       const struct argument *arg, int n, bool shared)
{
	if (!path)
		return error_value();
	if (is_recursive(E, def)) {
		fail(E, at, "%s calls itself: a definition cannot be recursive", def->name);
		return error_value();
	}
	bool indexed = false;
	for (int i = 0; i < n; i++) {
		if (arg[i].value.kind == VAL_ERROR)
			return error_value();
		indexed |= arg[i].value.indexed;
	}
	struct building *eq = E->eq;
	if (!indexed)
		E->eq = NULL;
	int errors = E->ctx->errors;
	struct scope *s = enter(E, def, path, at);
	s->shared |= shared;
	struct value v = error_value();
	if (bind_arguments(E, s, arg, n) && E->call_depth <= MAX_CALL_DEPTH) {
		run_block(E, def->kid[1]);
		if (s->returned)
			v = returned_value(E, s, at);
		else if (E->ctx->errors == errors)
			fail(E, at, "%s has no return", def->name);
		if (E->ctx->errors == errors)
			check_overrides(E, s);
	}
	leave(E, s);
	E->eq = eq;
	return v;
}

/* concat(a, b, c) is concat(concat(a, b), c). */
static struct value call_folded(struct elaborator *E, const struct node *def, const struct node *n,
				struct argument *arg, int count, int positional)
{
	bool folds;
	int take = formal_count(def, &folds);
	if (!folds || positional <= take || take != 2) {
		bool indexed = false;
		for (int i = 0; i < count; i++)
			indexed |= arg[i].value.indexed;
		const char *path = indexed ? E->scope->path : instance_path(E, n->label, def->name, n->at);
		return inline_definition(E, def, path, n->at, arg, count, false);
	}
	struct value v = arg[0].value;
	for (int i = 1; i < positional; i++) {
		struct argument *step = arena_array(&E->ctx->arena, (size_t)count, sizeof *step);
		step[0] = (struct argument){NULL, v, n->at};
		step[1] = arg[i];
		memcpy(step + 2, arg + positional, (size_t)(count - positional) * sizeof *step);
		const char *path = instance_path(E, i == 1 ? n->label : NULL, def->name, n->at);
		v = inline_definition(E, def, path, n->at, step, count - positional + 2, false);
	}
	return v;
}

/* Inside an init, the initialisers can be called as functions of a tensor: uniform(w, r); uniform(-1, 1) is a draw. */
const struct node *find_definition(struct elaborator *E, const char *name, bool of_tensor)
{
	bool init = false;
	for (struct scope *s = E->scope; s; s = s->caller)
		init |= s->def && !strcmp(s->def->what, "init");
	const struct node *def = init && of_tensor ? get_definition(E, &E->inits, name) : NULL;
	return def ? def : get_definition(E, &E->defs, name);
}

void unknown_function(struct elaborator *E, const struct node *n)
{
	struct binding *b = lookup(E, n->name);
	if (b)
		fail(E, n->name_at, "'%s' is %s, no function", n->name, kind_text(&b->value));
	else if (is_defined(E, &E->optimizers, n->name) || is_defined(E, &E->inits, n->name))
		fail(E, n->name_at, "'%s' is %s: it stands after '%s'", n->name,
		     is_defined(E, &E->inits, n->name) ? "an initialiser" : "an optimizer",
		     is_defined(E, &E->inits, n->name) ? "~" : "train");
	else
		fail(E, n->name_at, "unknown function '%s'%s", n->name, suggest_definition(E, n->name, &E->defs));
}

/* adam(w=.., g=.., lr=..): w after one step of the rule, with its states at their first values. */
static struct value call_optimizer(struct elaborator *E, const struct node *n, const struct node *def,
				   const struct argument *arg, int count)
{
	struct argument *option = arena_array(&E->ctx->arena, (size_t)count + 1, sizeof *option);
	struct value w = error_value(), g = error_value();
	int k = 0;
	for (int i = 0; i < count; i++) {
		if (arg[i].name && !strcmp(arg[i].name, "w"))
			w = as_tensor(E, &arg[i].value);
		else if (arg[i].name && !strcmp(arg[i].name, "g"))
			g = arg[i].value;
		else
			option[k++] = arg[i];
	}
	if (w.kind != VAL_TENSOR || w.lead || w.indexed || g.kind == VAL_ERROR) {
		fail(E, n->at, "an optimizer is called as %s(w=.., g=.., options), with a tensor and its gradient",
		     def->name);
		return error_value();
	}
	const char *path = instance_path(E, n->label, def->name, n->at);
	if (!path)
		return error_value();
	const char *full = join_path(E, path, "w");
	struct tensor *t = table_get(&E->params, full);
	if (!t) {
		t = graph_tensor(E->g, ROLE_STATE, full, ELEM_REAL, false, w.rank, w.axis, n->at);
		t->layer = path;
		table_set(&E->params, full, t);
		enum part part = E->part;
		E->part = PART_INIT;
		set_initial(E, t, w, n->at, E->g->part[PART_INIT].n);
		E->part = part;
	}
	struct scope *s = enter(E, def, path, n->at);
	s->weight = t;
	bind(E, "w", tensor_value(E, t), n->at);
	find_binding(s, "w")->state = t;
	bind(E, "g", g, n->at);
	struct value v = error_value();
	if (bind_arguments(E, s, option, k)) {
		run_block(E, def->kid[1]);
		check_overrides(E, s);
		if (find_binding(s, "w")->next)
			v = tensor_value(E, find_binding(s, "w")->next);
	}
	leave(E, s);
	return v;
}

/* One call with its first argument given (a pipe's value) or NULL. */
static struct value call_once(struct elaborator *E, const struct node *n, const struct value *first)
{
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)n->n + 1, sizeof *arg);
	int positional = 0, errors = E->ctx->errors;
	for (int i = 0; i < n->n; i++) {
		const struct node *a = n->kid[i];
		bool skip = is_builtin(n->name) && !strcmp(n->name, "grad") && i == 1;
		arg[i] = (struct argument){a->name,
					   i == 0 && first ? *first
					   : skip	   ? error_value()
							   : eval(E, a->kid[0]),
					   a->at};
		if (!a->name)
			positional++;
		else
			arg[i].at = a->at;
		if (a->name == NULL && i && arg[i - 1].name) {
			fail(E, a->at, "positional arguments stand before named ones");
			return error_value();
		}
	}
	if (E->ctx->errors != errors)
		return error_value();
	const struct node *def = find_definition(E, n->name, n->n && arg[0].value.kind == VAL_TENSOR);
	struct binding *b = lookup(E, n->name);
	if (b && b->value.kind == VAL_LAYER)
		return call_layer(E, n, b->value.layer, arg, n->n);
	const struct node *rule = get_definition(E, &E->optimizers, n->name);
	if (!def && rule && positional < n->n)
		return call_optimizer(E, n, rule, arg, n->n);
	if (def)
		return call_folded(E, def, n, arg, n->n, positional);
	if (!is_builtin(n->name)) {
		unknown_function(E, n);
		return error_value();
	}
	struct value *values = arena_array(&E->ctx->arena, (size_t)n->n + 1, sizeof *values);
	for (int i = 0; i < n->n; i++)
		values[i] = arg[i].value.kind == VAL_TUPLE ? as_tensor(E, &arg[i].value) : arg[i].value;
	return eval_builtin(E, n, values, n->n);
}

struct value eval_call(struct elaborator *E, const struct node *n)
{
	/* x -> f -> g ... is nested in the first argument: walk it without recursion */
	LIST(const struct node *) spine = {0};
	for (;;) {
		list_add(&E->ctx->arena, &spine, n);
		if (!n->piped || !n->n || n->kid[0]->kid[0]->kind != NODE_CALL || !n->kid[0]->kid[0]->piped)
			break;
		n = n->kid[0]->kid[0];
	}
	struct value v = call_once(E, n, NULL);
	for (int i = spine.n - 2; i >= 0 && v.kind != VAL_ERROR; i--) {
		if (v.kind == VAL_TUPLE && v.n && !is_known(&v))
			v = v.item[0];
		v = call_once(E, spine.item[i], &v);
	}
	return v;
}
