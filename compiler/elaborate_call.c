/* elaborate_call.c - calls: arguments, definitions, layers, instances and their names.
 *
 * A call of a definition is inlined. It makes an instance, named by its label or the definition (dense, dense2 ...),
 * whose path is the head of the names of all that is made inside. */
#include "elaborate.h"

#include <string.h>

struct argument {
	const char *name; /* NULL: positional */
	struct value value;
	struct span at;
};

struct scope *enter(struct elaborator *E, const struct node *def, const char *path, struct span at)
{
	struct scope *s = arena_alloc(&E->ctx->arena, sizeof *s);
	*s = (struct scope){.caller = E->scope,
			    .def = def,
			    .call_at = at,
			    .path = path,
			    .suffix = "",
			    .hint = "value",
			    .dots = -1,
			    .shared = E->scope->shared,
			    .builtin = def->at.src->builtin,
			    .names = {.arena = &E->ctx->arena},
			    .instances = {.arena = &E->ctx->arena},
			    .numbers = {.arena = &E->ctx->arena},
			    .overrides = {.arena = &E->ctx->arena}};
	if (++E->call_depth > MAX_CALL_DEPTH)
		fail(E, at, "calls are nested too deeply");
	E->scope = s;
	return s;
}

void leave(struct elaborator *E, struct scope *s)
{
	E->call_depth--;
	E->scope = s->caller;
}

/* ---- instances ---- */

/* The path of a new instance: label, or the definition's name with a number from the second on. NULL: used already. */
static const char *instance_path(struct elaborator *E, const char *label, const char *name, struct span at)
{
	struct scope *s = E->scope;
	const char *own = label ? label : name;
	struct span *old = table_get(&s->instances, own);
	if (label && old) {
		fail(E, at, "label '%s' is used twice", label);
		report_note(E->ctx, *old, "first here");
		return NULL;
	}
	while (!label && old) { /* the number goes on from the last one of that name */
		uintptr_t k = (uintptr_t)table_get(&s->numbers, name) + 1;
		table_set(&s->numbers, name, (void *)k);
		own = arena_printf(&E->ctx->arena, "%s%d", name, (int)k + 1);
		old = table_get(&s->instances, own);
	}
	struct span *place = arena_alloc(&E->ctx->arena, sizeof *place);
	*place = at;
	table_set(&s->instances, own, place);
	if (*s->suffix)
		own = arena_printf(&E->ctx->arena, "%s%s", own, s->suffix);
	return join_path(E, s->path, own);
}

/* ---- arguments ---- */

static const char *no_such_option(struct elaborator *E, const struct node *def, struct scope *s, const char *name)
{
	LIST(const char *) names = {0};
	struct text list = {.arena = &E->ctx->arena};
	for (int i = 0; i < def->kid[0]->n; i++)
		if (def->kid[0]->kid[i]->kind == NODE_VAR)
			list_add(&E->ctx->arena, &names, def->kid[0]->kid[i]->name);
	for (int i = 0; s && i < s->params_seen.n; i++)
		list_add(&E->ctx->arena, &names, s->params_seen.item[i]);
	const char *near = nearest_name(name, names.item, names.n);
	if (near)
		return arena_printf(&E->ctx->arena, " (did you mean '%s'?)", near);
	for (int i = 0; i < names.n; i++)
		text_printf(&list, "%s%s", i ? ", " : "; it takes ", names.item[i]);
	return list.at ? list.at : "";
}

static int formal_count(const struct node *def, bool *folds)
{
	int n = def->kid[0]->n;
	*folds = n && def->kid[0]->kid[n - 1]->kind == NODE_DOTS;
	return n - *folds;
}

static bool bind_arguments(struct elaborator *E, struct scope *s, const struct argument *arg, int n)
{
	const struct node *def = s->def;
	bool folds, ok = true;
	int nformal = formal_count(def, &folds), positional = 0;
	const struct argument *given[64] = {0};
	for (int i = 0; i < n; i++) {
		const struct argument *a = &arg[i];
		int k = -1;
		if (!a->name) {
			k = positional++;
			if (k >= nformal) {
				fail(E, a->at, "%s takes %d argument%s, this is one more", def->name, nformal,
				     nformal == 1 ? "" : "s");
				return false;
			}
		}
		for (int f = 0; a->name && f < nformal; f++)
			if (!strcmp(def->kid[0]->kid[f]->name, a->name))
				k = f;
		if (k >= 0) {
			if (given[k]) {
				fail(E, a->at, "argument '%s' of %s is given twice", def->kid[0]->kid[k]->name,
				     def->name);
				return false;
			}
			given[k] = a;
			continue;
		}
		if (table_get(&s->overrides, a->name)) {
			fail(E, a->at, "argument '%s' of %s is given twice", a->name, def->name);
			return false;
		}
		struct override *o = arena_alloc(&E->ctx->arena, sizeof *o);
		*o = (struct override){.value = a->value, .at = a->at};
		table_set(&s->overrides, a->name, o);
	}
	for (int f = 0; f < nformal; f++) {
		const struct node *formal = def->kid[0]->kid[f];
		const struct node *otherwise = formal->n > 2 ? formal->kid[2] : NULL;
		if (given[f]) {
			ok &= bind_formal(E, formal, given[f]->value, given[f]->at);
		} else if (otherwise) {
			ok &= bind_formal(E, formal, eval(E, otherwise), s->call_at);
		} else {
			fail(E, s->call_at, "%s needs an argument '%s'", def->name, formal->name);
			ok = false;
		}
		if (!ok)
			return false;
	}
	return ok;
}

static void check_overrides(struct elaborator *E, struct scope *s)
{
	for (int i = 0; i < s->overrides.entries.n; i++) {
		struct override *o = s->overrides.entries.item[i].value;
		const char *name = s->overrides.entries.item[i].key;
		if (!o->used && o->value.kind != VAL_ERROR) {
			struct scope *inner = E->scope;
			E->scope = s->caller;
			fail(E, o->at, "%s has no option or parameter '%s'%s", s->def->name, name,
			     no_such_option(E, s->def, s, name));
			E->scope = inner;
		}
	}
}

/* The options of an optimizer: its formals from a train line's call. */
bool bind_options(struct elaborator *E, struct scope *s, const struct node *call, const struct value *option)
{
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)call->n + 1, sizeof *arg);
	for (int i = 0; i < call->n; i++) {
		if (option[i].kind == VAL_ERROR)
			return false;
		arg[i] = (struct argument){call->kid[i]->name, option[i], call->kid[i]->at};
	}
	if (!bind_arguments(E, s, arg, call->n))
		return false;
	check_overrides(E, s);
	return true;
}

/* ---- definitions ---- */

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
static struct value call_definition(struct elaborator *E, const struct node *def, const char *path, struct span at,
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
		return call_definition(E, def, path, n->at, arg, count, false);
	}
	struct value v = arg[0].value;
	for (int i = 1; i < positional; i++) {
		struct argument *step = arena_array(&E->ctx->arena, (size_t)count, sizeof *step);
		step[0] = (struct argument){NULL, v, n->at};
		step[1] = arg[i];
		memcpy(step + 2, arg + positional, (size_t)(count - positional) * sizeof *step);
		const char *path = instance_path(E, i == 1 ? n->label : NULL, def->name, n->at);
		v = call_definition(E, def, path, n->at, step, count - positional + 2, false);
	}
	return v;
}

static struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer,
			       const struct argument *arg, int count);

/* Inside an init, the initialisers can be called as functions of a tensor: uniform(w, r); uniform(-1, 1) is a draw. */
static const struct node *find_definition(struct elaborator *E, const char *name, bool of_tensor)
{
	bool init = false;
	for (struct scope *s = E->scope; s; s = s->caller)
		init |= s->def && !strcmp(s->def->what, "init");
	const struct node *def = init && of_tensor ? get_definition(E, &E->inits, name) : NULL;
	return def ? def : get_definition(E, &E->defs, name);
}

static void unknown_function(struct elaborator *E, const struct node *n)
{
	LIST(const char *) names = {0};
	for (int i = 0; i < E->defs.entries.n; i++)
		list_add(&E->ctx->arena, &names, E->defs.entries.item[i].key);
	const char *near = nearest_name(n->name, names.item, names.n);
	struct binding *b = lookup(E, n->name);
	if (b)
		fail(E, n->name_at, "'%s' is %s, no function", n->name, kind_text(&b->value));
	else if (table_get(&E->optimizers, n->name) || table_get(&E->inits, n->name))
		fail(E, n->name_at, "'%s' is %s: it stands after '%s'", n->name,
		     table_get(&E->inits, n->name) ? "an initialiser" : "an optimizer",
		     table_get(&E->inits, n->name) ? "~" : "train");
	else if (near)
		fail(E, n->name_at, "unknown function '%s' (did you mean '%s'?)", n->name, near);
	else
		fail(E, n->name_at, "unknown function '%s'", n->name);
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

/* ---- layers ---- */

void bind_layer(struct elaborator *E, const struct node *n)
{
	const struct node *call = n->kid[0];
	if (call->kind != NODE_CALL && call->kind != NODE_NAME) {
		fail(E, call->at, "a layer is a call with its first argument left out: layer L = dense(10)");
		return;
	}
	struct layer *layer = arena_alloc(&E->ctx->arena, sizeof *layer);
	struct span *place = arena_alloc(&E->ctx->arena, sizeof *place);
	*place = n->name_at;
	struct span *old = table_get(&E->scope->instances, n->name);
	if (old) {
		fail(E, n->name_at, "label '%s' is used twice", n->name);
		report_note(E->ctx, *old, "first here");
	}
	table_set(&E->scope->instances, n->name, place);
	const char *own = *E->scope->suffix ? arena_printf(&E->ctx->arena, "%s%s", n->name, E->scope->suffix) : n->name;
	*layer = (struct layer){.call = call, .path = join_path(E, E->scope->path, own), .scope = E->scope};
	bind(E, n->name, (struct value){.kind = VAL_LAYER, .layer = layer}, n->name_at);
	table_set(&E->layers, layer->path, layer);
}

static struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer,
			       const struct argument *arg, int count)
{
	const struct node *call = layer->call;
	int own = call->kind == NODE_CALL ? call->n : 0;
	struct argument *all = arena_array(&E->ctx->arena, (size_t)(own + count) + 1, sizeof *all);
	int k = 0;
	/* the call's positional arguments, then the layer's, then the named ones of both */
	if (count)
		all[k++] = arg[0];
	struct scope *here = E->scope;
	struct building *eq = E->eq;
	E->scope = layer->scope;
	E->eq = NULL;
	for (int i = 0; i < own; i++)
		if (!call->kid[i]->name)
			all[k++] = (struct argument){NULL, eval(E, call->kid[i]->kid[0]), call->kid[i]->at};
	int named = k;
	for (int i = 0; i < own; i++)
		if (call->kid[i]->name)
			all[k++] =
				(struct argument){call->kid[i]->name, eval(E, call->kid[i]->kid[0]), call->kid[i]->at};
	E->scope = here;
	E->eq = eq;
	for (int i = 1; i < count; i++) {
		if (arg[i].name) {
			all[k++] = arg[i];
			continue;
		}
		memmove(all + named + 1, all + named, (size_t)(k - named) * sizeof *all);
		all[named++] = arg[i];
		k++;
	}
	const struct node *def = find_definition(E, call->name, false);
	if (!def) {
		struct binding *b = lookup(E, call->name);
		if (b && b->value.kind == VAL_LAYER && b->value.layer != layer)
			return call_layer(E, n, b->value.layer, all, k);
		unknown_function(E, call);
		return error_value();
	}
	layer->used = true;
	return call_definition(E, def, layer->path, n->at, all, k, true);
}

/* ---- initialisers ---- */

struct search {
	const struct tensor *tensor;
	bool found;
};

static struct expr *note_tensor(void *user, struct expr *read)
{
	struct search *s = user;
	s->found |= read->tensor == s->tensor;
	return read;
}

static bool reads_tensor(struct elaborator *E, struct expr *e, const struct tensor *t)
{
	struct search s = {t, false};
	ex_map_reads(E->g, e, note_tensor, &s);
	return s.found;
}

/* ~ f(a): the value of initialiser f for tensor t. */
struct value eval_init(struct elaborator *E, const struct node *target, struct tensor *t)
{
	const struct node *def = get_definition(E, &E->inits, target->name);
	if (!def) {
		LIST(const char *) names = {0};
		for (int i = 0; i < E->inits.entries.n; i++)
			list_add(&E->ctx->arena, &names, E->inits.entries.item[i].key);
		const char *near = nearest_name(target->name, names.item, names.n);
		fail(E, target->at, "unknown initialiser '%s'%s", target->name,
		     near ? arena_printf(&E->ctx->arena, " (did you mean '%s'?)", near) : "");
		return error_value();
	}
	int n = target->kind == NODE_CALL ? target->n : 0;
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)n + 1, sizeof *arg);
	arg[0] = (struct argument){NULL, tensor_value(E, t), target->at};
	for (int i = 0; i < n; i++)
		arg[i + 1] =
			(struct argument){target->kid[i]->name, eval(E, target->kid[i]->kid[0]), target->kid[i]->at};
	int mark = E->g->part[PART_INIT].n;
	struct value v = call_definition(E, def, join_path(E, t->name, "init"), target->at, arg, n + 1, false);
	bool reads = v.kind == VAL_TENSOR && reads_tensor(E, v.expr, t);
	for (int i = mark; i < E->g->part[PART_INIT].n && !reads; i++)
		reads = E->g->part[PART_INIT].item[i]->kind == EQ_MAP &&
			reads_tensor(E, E->g->part[PART_INIT].item[i]->value, t);
	if (!reads)
		return v;
	fail(E, target->at, "initialiser %s reads the values of its tensor; only the shape is there yet", def->name);
	return error_value();
}
