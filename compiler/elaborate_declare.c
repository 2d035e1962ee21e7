/* elaborate_declare.c - inputs, targets, settings, constants, params and states: their shapes, types and names. */
#include "elaborate.h"
#include "elaborate_graph.h"

#include <string.h>

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
			report_value(E, d, &(struct value){.kind = VAL_INT, .integer = extent},
				     "the extent of an axis is at least 1");
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

/* An argument of the call, by the param's name or label, in place of the param. */
static bool use_override(struct elaborator *E, const struct node *var, const char *name, int n, const struct axis *axis)
{
	struct override *o = table_get(&E->scope->overrides, name);
	if (!o)
		return false;
	o->used = true;
	struct value v = o->value;
	struct value shape = {.kind = VAL_TENSOR, .rank = n, .axis = (struct axis *)(uintptr_t)axis};
	if (v.kind == VAL_BOOL && !v.integer) {
		struct value initial = var->n > 2 && var->kid[2] ? eval(E, var->kid[2]) : error_value();
		if (var->n > 3 && var->kid[3]) {
			fail(E, o->at, "'%s=no' reads the initial value, but that of '%s' is random", name, name);
			initial = error_value();
		}
		v = is_number(&initial) ? constant_of_shape(E, initial, n, axis) : error_value();
	} else if (is_number(&v)) {
		v = constant_of_shape(E, v, n, axis);
	}
	if (v.kind == VAL_TENSOR && !v.indexed) {
		bool same = own_rank(&v) == n && !v.lead;
		for (int i = 0; same && i < n; i++)
			same = own_axis(&v)[i].extent == axis[i].extent;
		if (!same) {
			fail(E, o->at, "'%s' has shape %s%s, but parameter '%s' is %s", name, value_shape(E, &v),
			     is_batched(&v) ? " per sample" : "", name, value_shape(E, &shape));
			note_origin(E, o->at, &v);
			v = error_value();
		}
	} else if (v.kind != VAL_ERROR) {
		fail(E, o->at, "parameter '%s' is a tensor of shape %s, not %s", name, value_shape(E, &shape),
		     kind_text(&v));
		v = error_value();
	}
	bind(E, var->name, v, o->at);
	return true;
}

static struct tensor *existing(struct elaborator *E, const struct node *var, const char *full, int n,
			       const struct axis *axis, bool batched)
{
	struct tensor *t = table_get(&E->params, full);
	if (!t)
		return NULL;
	bool same = t->rank == n && t->batched == batched;
	for (int i = 0; same && i < n; i++)
		same = t->axis[i].extent == axis[i].extent;
	if (E->second)
		table_set(&E->met, full, t);
	if (!E->scope->shared) {
		fail(E, var->name_at, "'%s' is declared twice", full);
		report_note(E->ctx, t->at, "first here");
	} else if (!same) {
		struct value a = tensor_value(E, t), b = {.kind = VAL_TENSOR,
							  .lead = batched,
							  .rank = n,
							  .axis = (struct axis *)(uintptr_t)axis};
		fail(E, var->at, "'%s' has shape %s here, but %s where it was made", full, value_shape(E, &b),
		     value_shape(E, &a));
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
	bind(E, var->name, error_value(), var->name_at); /* until all is well */
	bool valued = (var->n > 2 && var->kid[2]) || (var->n > 3 && var->kid[3]);
	if (!valued && !E->graph_text) {
		fail(E, var->at, "'%s' needs a first value: = 0, or ~ glorot", var->name);
		return;
	}
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
	const char *text = var->label ? var->label : var->name, *own = filled_text(E, text, var->at);
	if (!own)
		return;
	list_add(&E->ctx->arena, &E->scope->params_seen, own);
	if (use_override(E, var, own, n, axis))
		return;
	const char *full = w ? join_path(E, w->name, own) : saved_path(E, text, own, var->at);
	if (!full)
		return;
	struct tensor *t = existing(E, var, full, n, axis, batched);
	if (!t && E->second) {
		fail(E, var->at,
		     "'%s' exists only where training = no: training and inference have the same parameters", full);
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
		t = graph_tensor(E->g, role, full, elem, batched, n, axis, user_place(E, var->name_at));
		t->classes = classes;
		t->layer = E->scope->path;
		if (w && w->role == ROLE_PARAM) {
			t->rule = own;
			t->owner = w;
		}
		table_set(&E->params, full, t);
	}
	if (made && E->graph_text && role == ROLE_STATE)
		note_optimizer(E, var, t);
	else if (made && !E->graph_text)
		initialize(E, var, own, t);
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
	if (ok && role != ROLE_SETTING && var->n > 2 && var->kid[2]) {
		fail(E, var->kid[2]->at, "%s '%s' has no value in the model: each sample brings its own",
		     role == ROLE_INPUT ? "input" : "target", var->name);
		ok = false;
	}
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
			struct tensor *first = table_get(&E->params, var->name);
			fail(E, var->name_at, "'%s' is declared twice", var->name);
			report_note(E->ctx, first->at, "first here");
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
	struct value v =
		n < 0 || !var->kid[2] || !read_type(E, var, &elem, &classes) ? error_value() : eval(E, var->kid[2]);
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
	struct override *defined = table_get(&E->defines, var->name);
	struct binding *old = find_binding(E->scope, var->name);
	struct value v = defined ? defined->value : var->n > 2 && var->kid[2] ? eval(E, var->kid[2]) : error_value();
	if (!defined && !(var->n > 2 && var->kid[2])) {
		fail(E, var->at, "a constant needs a value: const %s = ...", var->name);
	} else if (v.kind == VAL_TENSOR && !(v.expr->op == EX_READ && v.expr->tensor->role == ROLE_DATA)) {
		fail(E, var->at, "a constant is known while compiling; this is a tensor");
		v = error_value();
	} else if (v.kind == VAL_TENSOR) {
		graph_rename(E->g, v.expr->tensor, var->name);
	}
	bool again = old && old->at.begin == var->name_at.begin && old->at.src == var->name_at.src; /* in a repeat */
	if (old && old->at.src && !again && !defined) {
		fail(E, var->name_at, "constant '%s' has a value already", var->name);
		note_binding(E, var->name, old, &old->value);
	}
	bind(E, var->name, v, defined ? defined->at : var->name_at);
}

void declare(struct elaborator *E, const struct node *n)
{
	for (int i = 0; i < n->n; i++)
		if (is_predefined(n->kid[i]->name)) {
			fail(E, n->kid[i]->name_at, "'%s' is predefined and cannot name anything else",
			     n->kid[i]->name);
			return;
		}
	int errors = E->ctx->errors;
	bool top = E->scope == E->file;
	for (int i = 0; i < n->n; i++) {
		if (errors != E->ctx->errors && E->scope->builtin)
			return;
		const struct node *var = n->kid[i];
		if (top && !strchr("cs", n->name[0]) && !*E->scope->suffix && find_binding(E->scope, var->name) &&
		    find_binding(E->scope, var->name)->at.src && !table_get(&E->params, join_path(E, "", var->name))) {
			fail(E, var->name_at, "'%s' is assigned already", var->name);
			report_note(E->ctx, find_binding(E->scope, var->name)->at, "here");
			continue;
		}
		if (var->label && strcmp(n->name, "param") && strcmp(n->name, "frozen") && strcmp(n->name, "state"))
			fail(E, var->at, "params and states have names in saved files, %s is neither",
			     !strcmp(n->name, "input") ? "an input" : arena_printf(&E->ctx->arena, "a %s", n->name));
		if (!strcmp(n->name, "input"))
			declare_given(E, var, ROLE_INPUT);
		else if (!strcmp(n->name, "target"))
			declare_given(E, var, ROLE_TARGET);
		else if (!strcmp(n->name, "setting"))
			declare_given(E, var, ROLE_SETTING);
		else if (!strcmp(n->name, "const"))
			declare_const(E, var);
		else
			declare_kept(E, var,
				     !strcmp(n->name, "param")	  ? ROLE_PARAM
				     : !strcmp(n->name, "frozen") ? ROLE_FROZEN
								  : ROLE_STATE);
	}
}
