/* elaborate_call.c - calls: arguments, shape patterns, instances and their names, params and states.
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
	*s = (struct scope){.caller = E->scope, .def = def, .call_at = at, .path = path, .suffix = "", .hint = "value", .dots = -1,
			    .shared = E->scope->shared, .builtin = def->at.src->builtin, .names = {.arena = &E->ctx->arena},
			    .instances = {.arena = &E->ctx->arena}, .overrides = {.arena = &E->ctx->arena}};
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

/* The path of a new instance: label, or the definition's name with a number from the second on. */
static const char *instance_path(struct elaborator *E, const char *label, const char *name, struct span at)
{
	struct scope *s = E->scope;
	const char *own = label ? label : name;
	struct span *old = table_get(&s->instances, own);
	if (label && old) {
		fail(E, at, "label '%s' is used twice", label);
		report_note(E->ctx, *old, "first here");
	}
	for (int k = 2; !label && old; k++) {
		own = arena_printf(&E->ctx->arena, "%s%d", name, k);
		old = table_get(&s->instances, own);
	}
	struct span *place = arena_alloc(&E->ctx->arena, sizeof *place);
	*place = at;
	table_set(&s->instances, own, place);
	if (*s->suffix)
		own = arena_printf(&E->ctx->arena, "%s%s", own, s->suffix);
	return join_path(E, s->path, own);
}

/* ---- shape patterns ---- */

static void pattern_fails(struct elaborator *E, const struct node *formal, const struct value *v, struct span at, const char *why)
{
	struct span p = formal->at;
	const char *text = arena_copy(&E->ctx->arena, p.src->text + p.begin, p.end - p.begin);
	struct scope *inner = E->scope;
	E->scope = inner->caller;
	fail(E, at, "%s: argument of shape %s does not fit %s: %s", inner->def->name, value_shape(E, v), text, why);
	E->scope = inner;
	if (v->expr && v->expr->op == EX_READ && v->expr->tensor->at.src)
		report_note(E->ctx, v->expr->tensor->at, "'%s' of shape %s is made here", v->expr->tensor->name, value_shape(E, v));
}

/* An axis of the argument against a pattern's item: a new name takes the extent, all else must equal it. */
static bool match_extent(struct elaborator *E, const struct node *item, int64_t extent, int64_t *expected)
{
	if (item->kind == NODE_NAME && !lookup(E, item->name)) {
		bind(E, item->name, int_value(extent), item->at);
		return true;
	}
	return expect_int(E, item, eval(E, item), "an extent", expected) && *expected == extent;
}

static bool match_dots(struct elaborator *E, const struct node *formal, const struct value *v, int n, const struct axis *axis,
		       struct span at)
{
	struct scope *s = E->scope;
	if (s->dots < 0) {
		s->dots = n;
		s->dots_axis = (struct axis *)(uintptr_t)axis;
		return true;
	}
	bool same = s->dots == n;
	for (int i = 0; same && i < n; i++)
		same = axis[i].extent == s->dots_axis[i].extent;
	if (!same) {
		struct value other = {.kind = VAL_TENSOR, .rank = s->dots, .axis = s->dots_axis};
		pattern_fails(E, formal, v, at, arena_printf(&E->ctx->arena, "'..' was %s in an argument before it", value_shape(E, &other)));
	}
	return same;
}

static bool match_pattern(struct elaborator *E, const struct node *formal, const struct value *v, struct span at)
{
	const struct node *dims = formal->kid[0];
	int rank = own_rank(v), fixed = 0, dots = -1, axis = 0;
	for (int i = 0; i < dims->n; i++) {
		if (dims->kid[i]->kind == NODE_DOTS)
			dots = i;
		else
			fixed++;
	}
	if (dots < 0 ? rank != fixed : rank < fixed) {
		pattern_fails(E, formal, v, at, arena_printf(&E->ctx->arena, "it has %d ax%ss, %s%d expected", rank, rank == 1 ? "i" : "e",
							     dots < 0 ? "" : "at least ", fixed));
		return false;
	}
	for (int i = 0; i < dims->n; i++) {
		if (i == dots) {
			if (!match_dots(E, formal, v, rank - fixed, own_axis(v) + axis, at))
				return false;
			axis += rank - fixed;
			continue;
		}
		int64_t expected = 0, extent = own_axis(v)[axis].extent;
		if (!match_extent(E, dims->kid[i], extent, &expected)) {
			const char *name = dims->kid[i]->kind == NODE_NAME ? arena_printf(&E->ctx->arena, "%s = ", dims->kid[i]->name) : "";
			pattern_fails(E, formal, v, at, arena_printf(&E->ctx->arena, "axis %d is %lld, expected %s%lld", axis + 1,
								     (long long)extent, name, (long long)expected));
			return false;
		}
		axis++;
	}
	return true;
}

static bool match_type(struct elaborator *E, const struct node *formal, const struct value *v, struct span at)
{
	const struct node *type = formal->kid[1];
	if (!type || v->kind != VAL_TENSOR)
		return true;
	const char *wrong = NULL;
	enum elem elem = v->expr->elem;
	if (!strcmp(type->name, "class")) {
		int64_t expected = 0;
		int64_t classes = v->classes;
		if (elem != ELEM_INT || classes <= 0)
			wrong = "expected classes, class[n]";
		else if (type->kid[0] && type->kid[0]->n == 1 && !match_extent(E, type->kid[0]->kid[0], classes, &expected))
			wrong = arena_printf(&E->ctx->arena, "it is class[%lld], expected class[%lld]", (long long)classes, (long long)expected);
	} else if (!strcmp(type->name, "int") && elem != ELEM_INT) {
		wrong = "expected integers";
	} else if (!strcmp(type->name, "bool") && elem != ELEM_BOOL) {
		wrong = "expected yes or no";
	}
	if (wrong)
		pattern_fails(E, formal, v, at, wrong);
	return !wrong;
}

/* A cheap value may be repeated wherever the argument is used; anything else becomes an equation first. */
static bool is_cheap(const struct expr *e)
{
	return e->n == 0 || (e->op == EX_READ && !e->guarded);
}

/* Bind one formal to one value in E->scope. */
static bool bind_formal(struct elaborator *E, const struct node *formal, struct value v, struct span at)
{
	if (v.kind == VAL_ERROR) {
		bind(E, formal->name, v, at);
		return false;
	}
	if (v.kind == VAL_TUPLE && v.n && !is_known(&v) && v.item[0].kind == VAL_TENSOR)
		v = v.item[0]; /* of several results the first is meant */
	bool pattern = formal->n && formal->kid[0];
	if (v.kind == VAL_TENSOR && !v.indexed && !is_cheap(v.expr)) {
		const char *path = E->scope->path;
		int64_t classes = v.classes;
		struct tensor *t = materialize(E, v, join_path(E, path, formal->name), at);
		if (!t)
			return false;
		v = tensor_value(E, t);
		v.classes = classes;
	}
	if (!pattern) {
		bind(E, formal->name, v, at);
		return match_type(E, formal, &v, at);
	}
	const struct node *dims = formal->kid[0];
	if (is_number(&v) && (dims->n == 0 || (dims->n == 1 && dims->kid[0]->kind == NODE_DOTS))) {
		bind(E, formal->name, v, at); /* a number fits any shape */
		return true;
	}
	if (v.kind != VAL_TENSOR && !is_number(&v)) {
		struct span p = formal->at;
		fail(E, at, "%s: %s does not fit %.*s: a tensor is expected", E->scope->def->name, kind_text(&v), (int)(p.end - p.begin),
		     p.src->text + p.begin);
		return false;
	}
	v = as_tensor(E, &v);
	bool ok = match_pattern(E, formal, &v, at) && match_type(E, formal, &v, at);
	bind(E, formal->name, ok ? v : error_value(), at);
	return ok;
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
				fail(E, a->at, "%s takes %d argument%s, this is one more", def->name, nformal, nformal == 1 ? "" : "s");
				return false;
			}
		}
		for (int f = 0; a->name && f < nformal; f++)
			if (!strcmp(def->kid[0]->kid[f]->name, a->name))
				k = f;
		if (k >= 0) {
			if (given[k]) {
				fail(E, a->at, "argument '%s' of %s is given twice", def->kid[0]->kid[k]->name, def->name);
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
	struct building *eq = E->eq;
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
	E->eq = eq;
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
			fail(E, o->at, "%s has no option or parameter '%s'%s", s->def->name, name, no_such_option(E, s->def, s, name));
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
	int64_t classes = v.classes;
	struct tensor *t = materialize(E, v, s->path, at);
	v = t ? tensor_value(E, t) : error_value();
	v.classes = classes;
	return v;
}

/* Run a definition's body; path names the instance. */
static struct value call_definition(struct elaborator *E, const struct node *def, const char *path, struct span at,
				    const struct argument *arg, int n, bool shared)
{
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
		const char *last = strrchr(path, '.');
		s->hint = last ? last + 1 : path;
		s->hint = "value";
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
static struct value call_folded(struct elaborator *E, const struct node *def, const struct node *n, struct argument *arg, int count,
				int positional)
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

static struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer, const struct argument *arg, int count);

/* Inside an init, the initialisers can be called as functions of a tensor: uniform(w, r); uniform(-1, 1) is a draw. */
static const struct node *find_definition(struct elaborator *E, const char *name, bool of_tensor)
{
	bool init = false;
	for (struct scope *s = E->scope; s; s = s->caller)
		init |= s->def && !strcmp(s->def->what, "init");
	const struct node *def = init && of_tensor ? table_get(&E->inits, name) : NULL;
	return def ? def : table_get(&E->defs, name);
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
		     table_get(&E->inits, n->name) ? "an initialiser" : "an optimizer", table_get(&E->inits, n->name) ? "~" : "train");
	else if (near)
		fail(E, n->name_at, "unknown function '%s' (did you mean '%s'?)", n->name, near);
	else
		fail(E, n->name_at, "unknown function '%s'", n->name);
}

/* One call with its first argument given (a pipe's value) or NULL. */
static struct value call_once(struct elaborator *E, const struct node *n, const struct value *first)
{
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)n->n + 1, sizeof *arg);
	int positional = 0, errors = E->ctx->errors;
	for (int i = 0; i < n->n; i++) {
		const struct node *a = n->kid[i];
		bool skip = is_builtin(n->name) && !strcmp(n->name, "grad") && i == 1;
		arg[i] = (struct argument){a->name, i == 0 && first ? *first : skip ? error_value() : eval(E, a->kid[0]), a->at};
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
	if (def)
		return call_folded(E, def, n, arg, n->n, positional);
	if (!is_builtin(n->name)) {
		unknown_function(E, n);
		return error_value();
	}
	struct value *values = arena_array(&E->ctx->arena, (size_t)n->n + 1, sizeof *values);
	for (int i = 0; i < n->n; i++)
		values[i] = arg[i].value;
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

static struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer, const struct argument *arg, int count)
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
			all[k++] = (struct argument){call->kid[i]->name, eval(E, call->kid[i]->kid[0]), call->kid[i]->at};
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

/* ---- params, states, inputs ---- */

/* The shape in a declaration; -1 after an error. */
static int read_dims(struct elaborator *E, const struct node *var, struct axis *axis, bool *batched)
{
	const struct node *dims = var->kid[0];
	int n = 0;
	for (int i = 0; dims && i < dims->n; i++) {
		const struct node *d = dims->kid[i];
		if (d->kind == NODE_DOTS && E->scope->dots >= 0) {
			for (int a = 0; a < E->scope->dots; a++)
				axis[n++] = E->scope->dots_axis[a];
			continue;
		}
		if (i == 0 && d->kind == NODE_NAME && !strcmp(d->name, "batch")) {
			*batched = true;
			axis[n++] = (struct axis){E->g->batch, true};
			continue;
		}
		int64_t extent;
		if (!expect_int(E, d, eval(E, d), "an extent", &extent))
			return -1;
		if (extent < 1) {
			fail(E, d->at, "the extent of an axis is at least 1, not %lld", (long long)extent);
			return -1;
		}
		if (extent > INT64_C(1) << 31) {
			fail(E, d->at, "an axis of %lld is too large", (long long)extent);
			return -1;
		}
		if (n >= 8) {
			fail(E, d->at, "a tensor has at most 8 axes");
			return -1;
		}
		axis[n++] = (struct axis){extent, false};
	}
	return n;
}

static bool read_type(struct elaborator *E, const struct node *var, enum elem *elem, int64_t *classes)
{
	const struct node *type = var->n > 1 ? var->kid[1] : NULL;
	*elem = ELEM_REAL;
	*classes = 0;
	if (!type || !strcmp(type->name, "real"))
		return true;
	*elem = !strcmp(type->name, "bool") ? ELEM_BOOL : ELEM_INT;
	if (!strcmp(type->name, "int") || !strcmp(type->name, "bool"))
		return true;
	if (strcmp(type->name, "class")) {
		fail(E, type->at, "unknown type '%s'; types are real, int, bool and class[n]", type->name);
		return false;
	}
	if (!type->kid[0] || type->kid[0]->n != 1) {
		fail(E, type->at, "class needs the number of classes: class[10]");
		return false;
	}
	if (!expect_int(E, type->kid[0], eval(E, type->kid[0]->kid[0]), "a number of classes", classes))
		return false;
	if (*classes < 1 || *classes > INT32_MAX) {
		fail(E, type->kid[0]->at, "the number of classes is 1 to 2^31 - 1, not %lld", (long long)*classes);
		return false;
	}
	return true;
}

/* A value spread over a shape that is known: `no` and numbers given for a param. */
static struct value constant_of_shape(struct elaborator *E, struct value v, int n, const struct axis *axis)
{
	struct value t = as_tensor(E, &v);
	t.expr = ex_real(E->g, t.expr);
	t.rank = n;
	t.axis = arena_array(&E->ctx->arena, (size_t)n + 1, sizeof *axis);
	memcpy(t.axis, axis, (size_t)n * sizeof *axis);
	return t;
}

static bool use_override(struct elaborator *E, const struct node *var, int n, const struct axis *axis)
{
	struct override *o = table_get(&E->scope->overrides, var->name);
	if (!o)
		return false;
	o->used = true;
	struct value v = o->value;
	struct value shape = {.kind = VAL_TENSOR, .rank = n, .axis = (struct axis *)(uintptr_t)axis};
	if (v.kind == VAL_BOOL && !v.integer) {
		struct value initial = var->n > 2 && var->kid[2] ? eval(E, var->kid[2]) : error_value();
		if (var->n > 3 && var->kid[3]) {
			fail(E, o->at, "'%s=no' reads the initial value, but that of '%s' is random", var->name, var->name);
			initial = error_value();
		}
		v = is_number(&initial) ? constant_of_shape(E, initial, n, axis) : error_value();
	} else if (is_number(&v)) {
		v = constant_of_shape(E, v, n, axis);
	}
	if (v.kind == VAL_TENSOR && !v.indexed) {
		bool same = own_rank(&v) == n && !v.batched;
		for (int i = 0; same && i < n; i++)
			same = own_axis(&v)[i].extent == axis[i].extent;
		if (!same) {
			fail(E, o->at, "'%s' has shape %s%s, but parameter '%s' is %s", var->name, value_shape(E, &v),
			     v.batched ? " per sample" : "", var->name, value_shape(E, &shape));
			v = error_value();
		}
	} else if (v.kind != VAL_ERROR) {
		fail(E, o->at, "parameter '%s' is a tensor of shape %s, not %s", var->name, value_shape(E, &shape), kind_text(&v));
		v = error_value();
	}
	bind(E, var->name, v, o->at);
	return true;
}

/* The equation of part init that gives t its first value. */
static void set_initial(struct elaborator *E, struct tensor *t, struct value v, struct span at, int mark)
{
	v = as_tensor(E, &v);
	if (v.kind != VAL_TENSOR)
		return;
	struct value own = tensor_value(E, t);
	/* a tensor that was made for this value alone is t itself */
	equation_list *list = &E->g->part[PART_INIT];
	struct equation *last = list->n ? list->item[list->n - 1] : NULL;
	if (last && v.expr->op == EX_READ && last->tensor == v.expr->tensor && v.expr->tensor->elem == t->elem &&
	    v.expr->tensor->role == ROLE_VALUE && v.rank == t->rank && ex_is_read_of(v.expr, last->tensor, v.rank) && list->n > mark) {
		bool same = true;
		for (int i = 0; i < t->rank; i++)
			same &= t->axis[i].extent == v.axis[i].extent;
		if (same) {
			last->tensor = t;
			return;
		}
	}
	struct value shaped = lift(E, at, EX_SELECT, 3, (struct value[]){bool_value(true), v, own});
	if (shaped.kind == VAL_ERROR)
		return;
	if (shaped.rank != t->rank) {
		fail(E, at, "the initial value of '%s' has shape %s, the tensor %s", t->name, value_shape(E, &v), value_shape(E, &own));
		return;
	}
	struct index index[64];
	for (int i = 0; i < t->rank; i++)
		index[i] = (struct index){i == 0 && t->batched ? "batch" : arena_printf(&E->ctx->arena, "%c", 'i' + i - t->batched),
					  t->axis[i].extent, t->axis[i].rows};
	struct expr *e = t->elem == ELEM_REAL ? ex_real(E->g, shaped.expr) : shaped.expr;
	list_add(&E->ctx->arena, list, graph_equation(E->g, t, RED_NONE, t->rank, t->rank, index, e, at));
}

/* ~ f(a): the value of initialiser f for tensor t. */
struct value eval_init(struct elaborator *E, const struct node *target, struct tensor *t)
{
	const struct node *def = table_get(&E->inits, target->name);
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
		arg[i + 1] = (struct argument){target->kid[i]->name, eval(E, target->kid[i]->kid[0]), target->kid[i]->at};
	return call_definition(E, def, join_path(E, t->name, "init"), target->at, arg, n + 1, false);
}

/* = e: per element, so that a draw in it is one for each; or a tensor of the shape. */
static struct value eval_initial(struct elaborator *E, const struct node *value, struct tensor *t, bool *done)
{
	struct building b;
	int slot[64];
	struct building *eq = E->eq;
	begin_equation(E, &b);
	for (int i = t->batched; i < t->rank; i++)
		slot[i - t->batched] = add_slot(E, NULL, t->axis[i].extent, false, value->at);
	struct value v = eval(E, value);
	if (v.kind == VAL_TENSOR && v.indexed) {
		*done = true;
		finish_equation(E, v, slot, t->rank - t->batched, t->batched, t, t->name, value->at);
	}
	E->eq = eq;
	return v;
}

static void initialize(struct elaborator *E, const struct node *var, struct tensor *t)
{
	const struct node *value = var->n > 2 ? var->kid[2] : NULL, *target = var->n > 3 ? var->kid[3] : NULL;
	enum part part = E->part;
	E->part = PART_INIT;
	int mark = E->g->part[PART_INIT].n;
	const char *hint = E->scope->hint;
	E->scope->hint = var->name;
	bool done = false;
	struct value v = target ? eval_init(E, target, t) : value ? eval_initial(E, value, t, &done) : int_value(0);
	if (v.kind == VAL_ERROR || done)
		;
	else if (v.kind != VAL_TENSOR && !is_number(&v))
		fail(E, var->at, "the initial value of '%s' is %s, not a number or tensor", var->name, kind_text(&v));
	else if (v.batched && !t->batched)
		fail(E, var->at, "the initial value of '%s' differs from sample to sample", var->name);
	else
		set_initial(E, t, v, var->at, mark);
	E->scope->hint = hint;
	E->part = part;
}

static struct tensor *existing(struct elaborator *E, const struct node *var, const char *full, int n, const struct axis *axis)
{
	struct tensor *t = table_get(&E->params, full);
	if (!t)
		return NULL;
	bool same = t->rank == n;
	for (int i = 0; same && i < n; i++)
		same = t->axis[i].extent == axis[i].extent;
	if (!E->scope->shared) {
		fail(E, var->name_at, "'%s' is declared twice", full);
		report_note(E->ctx, t->at, "first here");
	} else if (!same) {
		struct value a = tensor_value(E, t), b = {.kind = VAL_TENSOR, .rank = n, .axis = (struct axis *)(uintptr_t)axis};
		fail(E, var->at, "'%s' has shape %s here, but %s where it was made", full, value_shape(E, &b), value_shape(E, &a));
	}
	return t;
}

static void bind_state(struct elaborator *E, const struct node *var, struct tensor *t, bool state)
{
	bind(E, var->name, tensor_value(E, t), var->name_at);
	if (state) {
		struct binding *b = find_binding(E->scope, var->name);
		b->state = t;
		b->next = NULL;
	}
}

/* param, frozen param, state */
static void declare_kept(struct elaborator *E, const struct node *var, enum role role)
{
	if (E->eq) {
		fail(E, var->at, "a definition that is called with elements (f(x[i])) cannot have parameters");
		return;
	}
	if (E->graph_text && !declare_graph_state(E, var))
		return;
	struct axis axis[64];
	bool batched = false;
	int n = read_dims(E, var, axis, &batched);
	if (n < 0) {
		bind(E, var->name, error_value(), var->at);
		return;
	}
	struct tensor *w = E->scope->weight;
	if (w && role == ROLE_STATE && !var->kid[0]) {
		n = w->rank;
		memcpy(axis, w->axis, (size_t)n * sizeof *axis);
	}
	if (batched && role != ROLE_STATE) {
		fail(E, var->at, "a parameter is one for all samples and cannot be declared per batch");
		return;
	}
	list_add(&E->ctx->arena, &E->scope->params_seen, var->name);
	if (use_override(E, var, n, axis))
		return;
	const char *own = E->scope == E->file || *E->scope->suffix
				  ? arena_printf(&E->ctx->arena, "%s%s", var->name, E->scope->suffix) : var->name;
	const char *full = w ? join_path(E, w->name, var->name) : join_path(E, E->scope->path, own);
	struct tensor *t = existing(E, var, full, n, axis);
	if (!t && E->second) {
		fail(E, var->at, "'%s' exists only where training = no: training and inference have the same parameters", full);
		return;
	}
	bool made = !t;
	if (made) {
		enum elem elem;
		int64_t classes;
		if (!read_type(E, var, &elem, &classes))
			return;
		if (role == ROLE_PARAM && elem != ELEM_REAL) {
			fail(E, var->at, "a trained parameter is real; a table of integers is a frozen param");
			return;
		}
		t = graph_tensor(E->g, role, full, elem, batched, n, axis, var->name_at);
		t->classes = classes;
		t->layer = E->scope->path;
		if (w) {
			t->rule = var->name;
			t->owner = w;
		}
		table_set(&E->params, full, t);
	}
	if (made && E->graph_text && role == ROLE_STATE)
		note_optimizer(E, var, t);
	else if (made && !E->graph_text)
		initialize(E, var, t);
	bind_state(E, var, t, role == ROLE_STATE);
}

/* input, target, setting */
static void declare_given(struct elaborator *E, const struct node *var, enum role role)
{
	if (E->scope != E->file) {
		fail(E, var->at, "this stands at the top level of a file");
		return;
	}
	struct axis axis[64] = {{E->g->batch, true}};
	bool batched = false, per_sample = role != ROLE_SETTING;
	int n = read_dims(E, var, axis + per_sample, &batched);
	enum elem elem;
	int64_t classes;
	bool ok = n >= 0 && read_type(E, var, &elem, &classes);
	if (ok && role == ROLE_SETTING && n) {
		fail(E, var->at, "a setting is one number");
		ok = false;
	}
	if (!ok) {
		bind(E, var->name, error_value(), var->at);
		return;
	}
	if (batched) { /* batch written out, as the text of a graph does */
		n--;
		memmove(axis + 1, axis + 2, (size_t)n * sizeof *axis);
	}
	struct tensor *t = E->second ? table_get(&E->params, var->name) : NULL;
	if (!t) {
		if (table_get(&E->params, var->name)) {
			fail(E, var->name_at, "'%s' is declared twice", var->name);
			return;
		}
		t = graph_tensor(E->g, role, var->name, elem, per_sample, n + per_sample, axis, var->name_at);
		t->classes = classes;
		t->layer = "";
		table_set(&E->params, var->name, t);
		if (role == ROLE_SETTING && var->n > 2 && var->kid[2]) {
			struct value v = eval(E, var->kid[2]);
			if (is_number(&v))
				t->setting = number_of(&v);
			else if (v.kind != VAL_ERROR)
				fail(E, var->at, "a setting's default is a known number, not %s", kind_text(&v));
		}
	}
	bind(E, var->name, tensor_value(E, t), var->name_at);
}

/* const t[2, 3]: class[4] = [..] in the text of a graph: numbers as they are. */
static void declare_data(struct elaborator *E, const struct node *var)
{
	struct axis axis[64];
	bool batched = false;
	int n = read_dims(E, var, axis, &batched);
	enum elem elem;
	int64_t classes;
	struct value v = n < 0 || !var->kid[2] || !read_type(E, var, &elem, &classes) ? error_value() : eval(E, var->kid[2]);
	if (v.kind == VAL_ERROR)
		return;
	struct tensor *t = graph_tensor(E->g, ROLE_DATA, var->name, elem, batched, n, axis, var->name_at);
	t->classes = classes;
	t->layer = "";
	if (is_number(&v) && n == 0) {
		t->data = arena_alloc(&E->ctx->arena, sizeof *t->data);
		t->data[0] = number_of(&v);
	} else if (v.kind == VAL_TENSOR && v.rank == n) {
		if (batched)
			t->axis[0].extent = E->g->batch = v.axis[0].extent;
		for (int i = 0; i < n; i++)
			if (t->axis[i].extent != v.axis[i].extent)
				fail(E, var->at, "'%s' has %lld elements along axis %d, its value %lld", var->name,
				     (long long)t->axis[i].extent, i + 1, (long long)v.axis[i].extent);
		t->data = v.expr->tensor->data;
	} else {
		fail(E, var->at, "the value of '%s' has another shape", var->name);
		return;
	}
	bind(E, var->name, tensor_value(E, t), var->name_at);
}

static void declare_const(struct elaborator *E, const struct node *var)
{
	if (E->graph_text && var->kid[0]) {
		declare_data(E, var);
		return;
	}
	struct value *defined = table_get(&E->defines, var->name);
	struct value v = defined ? *defined : var->n > 2 && var->kid[2] ? eval(E, var->kid[2]) : error_value();
	if (!defined && !(var->n > 2 && var->kid[2])) {
		fail(E, var->at, "a constant needs a value: const %s = ...", var->name);
	} else if (v.kind == VAL_TENSOR && !(v.expr->op == EX_READ && v.expr->tensor->role == ROLE_DATA)) {
		fail(E, var->at, "a constant is known while compiling; this is a tensor");
		v = error_value();
	} else if (v.kind == VAL_TENSOR) {
		graph_rename(E->g, v.expr->tensor, var->name);
	}
	bind(E, var->name, v, var->name_at);
}

void declare(struct elaborator *E, const struct node *n)
{
	bool top = E->scope == E->file;
	for (int i = 0; i < n->n; i++) {
		const struct node *var = n->kid[i];
		if (top && !strchr("cs", n->name[0]) && find_binding(E->scope, var->name) && find_binding(E->scope, var->name)->at.src &&
		    !table_get(&E->params, join_path(E, "", var->name))) {
			fail(E, var->name_at, "'%s' is assigned already", var->name);
			report_note(E->ctx, find_binding(E->scope, var->name)->at, "here");
			continue;
		}
		if (!strcmp(n->name, "input"))
			declare_given(E, var, ROLE_INPUT);
		else if (!strcmp(n->name, "target"))
			declare_given(E, var, ROLE_TARGET);
		else if (!strcmp(n->name, "setting"))
			declare_given(E, var, ROLE_SETTING);
		else if (!strcmp(n->name, "const"))
			declare_const(E, var);
		else
			declare_kept(E, var, !strcmp(n->name, "param") ? ROLE_PARAM : !strcmp(n->name, "frozen") ? ROLE_FROZEN : ROLE_STATE);
	}
}
