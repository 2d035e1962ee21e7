/* elaborate.c - tree to graph: statements, names, and the two runs of the text.
 *
 * The file is run twice, with training = yes (parts init, forward, update) and with training = no (part
 * inference). Both runs share params and states, by their full names; everything else is made anew.
 *
 * The work is split by idea: known.c (numbers known while compiling), elaborate_expr.c (expressions),
 * elaborate_equation.c (equations with indices), elaborate_call.c (definitions, params, instances),
 * elaborate_builtin.c (functions the language has), elaborate_train.c (losses, rules, what update does). */
#include "elaborate.h"
#include "builtin.h"
#include "include.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

/* Where the user's text caused what stands at `at`: for the library's text, the call into it. */
struct span user_place(struct elaborator *E, struct span at)
{
	for (struct scope *s = E->scope; s && at.src && at.src->builtin && s->call_at.src; s = s->caller)
		at = s->call_at;
	return at;
}

/* The calls that led into a user's definition: what is wrong there may be their arguments' doing. */
static void note_calls(struct elaborator *E, const struct scope *s, struct span at)
{
	enum { MOST = 3 };
	for (int n = 0; n < MOST && s && s->def; s = s->caller) {
		if (!is_within(at, s->def->at))
			continue;
		at = s->call_at;
		report_note(E->ctx, at, "in this call of %s", s->def->name);
		n++;
	}
}

/* An error inside the standard library is shown where the user's text called it, with a note about the inside. */
void fail(struct elaborator *E, struct span at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct text t = {.arena = &E->ctx->arena};
	text_vprintf(&t, format, args);
	va_end(args);
	struct scope *s = E->scope, *inside = NULL;
	struct span shown = at;
	while (s && shown.src && shown.src->builtin && s->call_at.src) {
		inside = s;
		shown = s->call_at;
		s = s->caller;
	}
	report_error(E->ctx, shown, "%s", t.at);
	if (inside && inside->def)
		report_note(E->ctx, at, "in the definition of %s", inside->def->name);
	note_calls(E, s, shown);
	if (E->eq)
		E->eq->failed = true;
}

const char *join_path(struct elaborator *E, const char *path, const char *name)
{
	return *path ? arena_printf(&E->ctx->arena, "%s.%s", path, name) : name;
}

/* The text of some arithmetic with the values of its names put in, "7 / 2"; at: as far as it is written. */
static void add_arithmetic(struct elaborator *E, const struct node *n, struct text *t, uint32_t *at)
{
	struct binding *b = n->kind == NODE_NAME ? lookup(E, n->name) : NULL;
	if (b && is_number(&b->value)) {
		text_add_bytes(t, n->at.src->text + *at, n->at.begin - *at);
		text_add(t, value_text(E, &b->value));
		*at = n->at.end;
	}
	for (int i = 0; i < n->n && (n->kind == NODE_BINARY || n->kind == NODE_UNARY); i++)
		add_arithmetic(E, n->kid[i], t, at);
}

static void report_fraction(struct elaborator *E, const struct node *n, const struct value *v, const char *what)
{
	struct text t = {.arena = &E->ctx->arena};
	uint32_t at = n->at.begin;
	add_arithmetic(E, n, &t, &at);
	text_add_bytes(&t, n->at.src->text + at, n->at.end - at);
	const char *value = value_text(E, v);
	bool plain = !strcmp(t.at, value) || strchr(t.at, '\n');
	fail(E, n->at, "%s is a whole number, not %s%s%s", what, plain ? "" : t.at, plain ? "" : " = ", value);
	struct binding *b = n->kind == NODE_NAME ? lookup(E, n->name) : NULL;
	if (b && b->at.src)
		report_note(E->ctx, b->at, "'%s' is %s from here", n->name, value);
}

bool expect_int(struct elaborator *E, const struct node *n, struct value v, const char *what, int64_t *out)
{
	if (v.kind == VAL_INT) {
		*out = v.integer;
		return true;
	}
	if (v.kind == VAL_REAL)
		report_fraction(E, n, &v, what);
	else if (v.kind == VAL_TENSOR)
		fail(E, n->at, "%s must be known while compiling; this is a tensor", what);
	else if (v.kind != VAL_ERROR)
		fail(E, n->at, "%s is a whole number, not %s", what, kind_text(&v));
	return false;
}

/* ---- names ---- */

struct binding *find_binding(struct scope *s, const char *name)
{
	struct binding *b = table_get(&s->names, name);
	return b && !b->gone ? b : NULL;
}

/* What a name means here. A def sees its own names, and of the file's (its own file's: the library does not see the
 * user's) only what is known, settings and layers. */
struct binding *lookup(struct elaborator *E, const char *name)
{
	struct binding *b = find_binding(E->scope, name);
	if (b || E->scope == E->file || E->scope->builtin)
		return b;
	b = find_binding(E->file, name);
	if (!b)
		return NULL;
	bool setting = b->value.kind == VAL_TENSOR && b->value.expr->op == EX_READ &&
		       b->value.expr->tensor->role == ROLE_SETTING;
	return is_known(&b->value) || setting || b->value.kind == VAL_LAYER ? b : NULL;
}

void bind(struct elaborator *E, const char *name, struct value v, struct span at)
{
	struct binding *b = table_get(&E->scope->names, name);
	if (!b) {
		b = arena_alloc(&E->ctx->arena, sizeof *b);
		b->name = name;
		table_set(&E->scope->names, name, b);
	}
	b->value = v;
	b->at = at;
	b->state = NULL;
	b->carried = NULL;
	b->gone = false;
}

bool is_predefined(const char *name)
{
	static const char *const names[] = {
		"yes", "no",	"none", "inf",	 "pi",	  "training", "step", "epoch", "steps", "steps_per_epoch",
		"row", "batch", "data", "nrows", "ndata", "last_loss"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

const char *suggest(struct elaborator *E, const char *name)
{
	LIST(const char *) names = {0};
	struct arena *arena = &E->ctx->arena;
	if (E->ctx->distinct >= NNC_MAX_ERRORS) /* nobody will see it */
		return "";
	for (int i = 0; i < E->scope->names.entries.n; i++)
		list_add(arena, &names, E->scope->names.entries.item[i].key);
	if (E->eq)
		for (int i = 1; i < E->eq->n; i++)
			if (E->eq->slot[i].name && E->eq->slot[i].visible && E->eq->slot[i].scope == E->scope)
				list_add(arena, &names, E->eq->slot[i].name);
	if (E->scope != E->file && !E->scope->builtin)
		for (int i = 0; i < E->file->names.entries.n; i++)
			list_add(arena, &names, E->file->names.entries.item[i].key);
	for (int i = 0; i < E->params.entries.n; i++)
		list_add(arena, &names, E->params.entries.item[i].key);
	const char *near = nearest_name(name, names.item, names.n);
	return near ? arena_printf(arena, " (did you mean '%s'?)", near) : "";
}

/* ---- assignments ---- */

/* To the part that is being made, or the body of the scan that is being run in it. */
void emit_equation(struct elaborator *E, struct equation *eq)
{
	struct scan_frame *scan = E->scans ? E->scan[E->scans - 1] : NULL;
	list_add(&E->ctx->arena, scan && scan->part == E->part ? &scan->body : &E->g->part[E->part], eq);
}

static bool is_own_value(struct elaborator *E, const struct value *v, int mark)
{
	const struct expr *e = v->expr;
	if (!e || e->op != EX_READ || e->tensor->role != ROLE_VALUE)
		return false;
	for (int i = mark; i < E->g->tensors.n; i++)
		if (E->g->tensors.item[i] == e->tensor)
			return true;
	return false;
}

/* Bind a name to a value: tensors become equations of that name. mark: tensors made before the right side. */
static void assign_value(struct elaborator *E, const char *name, struct value v, struct span at, int mark)
{
	if (v.kind == VAL_TENSOR && !v.indexed) {
		const char *full = join_path(E, E->scope->path, name);
		if (is_own_value(E, &v, mark) && is_tensor_itself(&v)) {
			graph_rename(E->g, v.expr->tensor, full);
			v.expr->tensor->at = user_place(E, at);
		} else if (v.expr->n || v.rank || v.expr->op == EX_DRAW) {
			v = settle(E, v, full, at);
		}
	}
	bind(E, name, v, at);
}

static void assign_next(struct elaborator *E, const struct node *lhs, struct value v)
{
	struct binding *b = find_binding(E->scope, lhs->name);
	if (v.kind == VAL_ERROR) {
		if (b && b->carried)
			b->carried->set = true; /* it was meant to be */
		return;
	}
	if (assign_carried(E, lhs, v))
		return;
	if (b && !b->next && table_get(&E->scope->overrides, lhs->name)) {
		/* the state was given as an argument: its next value is one of the graph's, kept nowhere */
		b->next_value = settle(E, v, join_path(E, join_path(E, E->scope->path, lhs->name), "next"), lhs->at);
		b->next = b->next_value.kind == VAL_TENSOR ? b->next_value.expr->tensor : NULL;
		return;
	}
	if (!b || !b->state) {
		fail(E, lhs->name_at, "'%s' is no state: %s' = sets the next value of a state", lhs->name, lhs->name);
		if (b)
			report_note(E->ctx, b->at, "'%s' is assigned here", lhs->name);
		return;
	}
	if (b->next) {
		fail(E, lhs->name_at, "the next value of '%s' is set twice", lhs->name);
		report_note(E->ctx, b->next->at, "the first time here");
		return;
	}
	struct tensor *s = b->state;
	v = as_tensor(E, &v);
	if (is_batched(&v) && !s->batched) {
		fail(E, lhs->at, "'%s' is one for all samples, but this value differs from sample to sample",
		     lhs->name);
		report_note(E->ctx, s->at, "reduce over the batch, or declare it per sample: state %s[batch, ..]",
			    lhs->name);
		return;
	}
	struct value own = tensor_value(E, s);
	struct expr *e = stretch_value(E, lhs->at, v, &own, "next value", lhs->name, "state");
	if (!e)
		return;
	struct tensor *next = graph_tensor(E->g, ROLE_NEXT, arena_printf(&E->ctx->arena, "%s'", s->name), s->elem,
					   s->batched, s->rank, s->axis, user_place(E, lhs->at));
	next->of = s;
	next->layer = s->layer;
	define_whole(E, next, &own, e, next->at);
	b->next = next;
	b->next_value = tensor_value(E, next);
}

static void assign_one(struct elaborator *E, const struct node *lhs, struct value v, int mark)
{
	if (lhs->primed)
		assign_next(E, lhs, v);
	else if (strchr(lhs->name, '.') && !E->graph_text)
		fail(E, lhs->name_at, "a name with a dot is a parameter of an instance and cannot be assigned");
	else if (is_predefined(lhs->name))
		fail(E, lhs->name_at, "'%s' is predefined and cannot name anything else", lhs->name);
	else
		assign_value(E, lhs->name, v, lhs->name_at, mark);
}

void assign_result(struct elaborator *E, const struct node *lhs, struct value v)
{
	if (lhs->primed)
		assign_next(E, lhs, v);
	else
		bind(E, lhs->name, v, lhs->name_at);
}

static void assign(struct elaborator *E, const struct node *n)
{
	const struct node *lhs = n->kid[0];
	const struct node *first = lhs->kid[0];
	if (lhs->n == 1 && first->n && first->kid[0]) {
		assign_equation(E, first, n->kid[1]);
		return;
	}
	const char *hint = E->scope->hint;
	E->scope->hint = first->name;
	int mark = E->g->tensors.n;
	struct value v = eval(E, n->kid[1]);
	E->scope->hint = hint;
	if (lhs->n == 1) {
		assign_one(E, first, v.kind == VAL_TUPLE && v.n && !is_known(&v) ? v.item[0] : v, mark);
		return;
	}
	if (v.kind == VAL_TUPLE && v.n != lhs->n) {
		fail(E, n->at, "%d names for %d values", lhs->n, v.n);
		v = error_value();
	}
	if (v.kind == VAL_TENSOR) {
		fail(E, n->at, "%d names for one tensor", lhs->n);
		v = error_value();
	}
	for (int i = 0; i < lhs->n; i++)
		assign_one(E, lhs->kid[i], v.kind == VAL_TUPLE ? v.item[i] : v, mark);
}

/* ---- control ---- */

static bool known_condition(struct elaborator *E, const struct node *n, bool *out)
{
	struct value c = eval(E, n);
	if (c.kind == VAL_BOOL) {
		*out = c.integer;
		return true;
	}
	if (c.kind == VAL_TENSOR)
		fail(E, n->at,
		     "this condition is not known while compiling; choose elements with `if c then a else b`");
	else if (c.kind != VAL_ERROR)
		fail(E, n->at, "a condition is yes or no, not %s", value_text(E, &c));
	return false;
}

/* The names that a block which could not be run assigns: what reads them is no error of its own. */
static void bind_errors(struct elaborator *E, const struct node *n)
{
	if (n->kind == NODE_LHS && !n->primed && !find_binding(E->scope, n->name))
		bind(E, n->name, error_value(), n->name_at);
	bool holds = n->kind == NODE_BLOCK || n->kind == NODE_IFBLOCK || n->kind == NODE_REPEAT ||
		     n->kind == NODE_ASSIGN || n->kind == NODE_ITEMS;
	for (int i = 0; i < n->n && holds; i++)
		if (n->kid[i])
			bind_errors(E, n->kid[i]);
}

static void run_if(struct elaborator *E, const struct node *n)
{
	bool yes;
	if (!known_condition(E, n->kid[0], &yes)) {
		bind_errors(E, n);
		return;
	}
	const struct node *side = yes ? n->kid[1] : n->n > 2 ? n->kid[2] : NULL;
	if (side && side->kind == NODE_IFBLOCK)
		run_if(E, side);
	else if (side)
		run_block(E, side);
}

static void run_repeat(struct elaborator *E, const struct node *n)
{
	int64_t count;
	bool ok = expect_int(E, n->kid[0], eval(E, n->kid[0]), "a repeat count", &count);
	if (ok && (count < 0 || count > 1000000)) {
		fail(E, n->kid[0]->at, "a repeat count is 0 to 1,000,000, not %lld", (long long)count);
		ok = false;
	}
	if (!ok) {
		bind_errors(E, n);
		return;
	}
	struct scope *s = E->scope;
	const char *suffix = s->suffix;
	struct table instances = s->instances, numbers = s->numbers;
	int errors = E->ctx->errors;
	for (int64_t k = 0; k < count && E->ctx->errors == errors && !s->returned; k++) {
		s->suffix = arena_printf(&E->ctx->arena, "%s.%lld", suffix, (long long)k);
		s->instances = s->numbers = (struct table){.arena = &E->ctx->arena};
		if (n->name)
			bind(E, n->name, int_value(k), n->name_at);
		run_block(E, n->kid[1]);
	}
	s->suffix = suffix;
	s->instances = instances;
	s->numbers = numbers;
}

/* The message of an assert with {expression} replaced by its value. */
static const char *assert_message(struct elaborator *E, const struct node *n)
{
	struct text t = {.arena = &E->ctx->arena};
	for (const char *p = n->name; *p; p++) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		if (!end) {
			text_add_bytes(&t, p, 1);
			continue;
		}
		char *inside = arena_copy(&E->ctx->arena, p + 1, (size_t)(end - p - 1));
		char *statement = arena_printf(&E->ctx->arena, "x = %s", inside);
		struct source *src = add_source(E->ctx, "assert", statement, strlen(statement), true);
		struct node *tree = parse_source(E->ctx, src);
		struct value v = tree && tree->n == 1 && tree->kid[0]->kind == NODE_ASSIGN
					 ? eval(E, tree->kid[0]->kid[1])
					 : error_value();
		text_add(&t, value_text(E, &v));
		p = end;
	}
	return t.at ? t.at : "";
}

static void run_assert(struct elaborator *E, const struct node *n)
{
	bool yes;
	if (!known_condition(E, n->kid[0], &yes) || yes)
		return;
	fail(E, n->at, "%s", assert_message(E, n));
	E->scope->returned = E->scope != E->file; /* what follows would only repeat it */
	E->scope->result = error_value();
}

static void run_return(struct elaborator *E, const struct node *n)
{
	if (!E->scope->def) {
		fail(E, n->at, "return stands inside a definition only");
		return;
	}
	if (E->scope->averages) {
		E->part = PART_AVERAGE; /* what inference uses in place of w */
		E->scope->result = eval(E, n->kid[0]);
		E->part = PART_UPDATE;
	} else if (n->n == 1) {
		E->scope->result = eval(E, n->kid[0]);
	} else {
		struct value v = {.kind = VAL_TUPLE,
				  .n = n->n,
				  .item = arena_array(&E->ctx->arena, (size_t)n->n, sizeof *v.item)};
		for (int i = 0; i < n->n; i++) {
			v.item[i] = eval(E, n->kid[i]);
			if (v.item[i].kind == VAL_TENSOR && !v.item[i].indexed)
				v.item[i] = settle(E, v.item[i], join_path(E, E->scope->path, "result"), n->kid[i]->at);
		}
		E->scope->result = v;
	}
	E->scope->returned = true;
}

/* ---- files ---- */

/* A definition by name, its body parsed by now; NULL if there is none. */
const struct node *get_definition(struct elaborator *E, const struct table *table, const char *name)
{
	struct node *def = table_get(table, name);
	return def && complete_definition(E->ctx, def) ? def : NULL;
}

static void define(struct elaborator *E, const struct node *n)
{
	struct table *table = !strcmp(n->what, "def")	 ? &E->defs
			      : !strcmp(n->what, "init") ? &E->inits
							 : &E->optimizers;
	const struct node *old = table_get(table, n->name);
	if (old && !old->at.src->builtin && !n->at.src->builtin && old != n) {
		fail(E, n->name_at, "%s is defined twice", n->name);
		report_note(E->ctx, old->name_at, "first here");
	} else if (!strcmp(n->what, "def") && is_builtin(n->name)) {
		fail(E, n->name_at, "'%s' is a function of the language and cannot be defined again", n->name);
	} else {
		table_set(table, n->name, (void *)(uintptr_t)n);
	}
}

/* Definitions may be used before they are written. */
static void collect_definitions(struct elaborator *E, const struct node *block)
{
	for (int i = 0; i < block->n; i++)
		if (block->kid[i]->kind == NODE_DEFINE)
			define(E, block->kid[i]);
}

/* What an include statement names, read and parsed when it is met first; NULL after an error. */
static struct inclusion *find_inclusion(struct elaborator *E, const struct node *n)
{
	const char *key = arena_printf(&E->ctx->arena, "%s\n%s", n->at.src->name, n->name);
	struct inclusion *found = table_get(&E->named, key);
	if (found)
		return found;
	struct included file = {0};
	if (E->ctx->includes)
		file = read_include(E->ctx->includes, n->at.src->name, n->name);
	if (!file.text) {
		fail(E, n->at, "cannot read \"%s\"", n->name);
		return NULL;
	}
	found = table_get(&E->included, file.key);
	if (!found) {
		struct source *src = add_source(E->ctx, file.path, file.text, file.size, false);
		src->included_at = n->at;
		found = arena_alloc(&E->ctx->arena, sizeof *found);
		found->tree = parse_source(E->ctx, src);
		table_set(&E->included, file.key, found);
	}
	table_set(&E->named, key, found);
	return found;
}

/* A text is included once, however many others name it. */
static void include(struct elaborator *E, const struct node *n)
{
	struct inclusion *found = find_inclusion(E, n);
	enum run_mark mark = E->second ? RAN_SECOND : RAN_FIRST;
	if (!found || !found->tree || found->ran & mark)
		return;
	found->ran |= mark;
	collect_definitions(E, found->tree);
	run_block(E, found->tree);
}

static void run_statement(struct elaborator *E, const struct node *n)
{
	bool top = E->scope == E->file;
	switch (n->kind) {
	case NODE_DECLARE: declare(E, n); return;
	case NODE_ASSIGN: assign(E, n); return;
	case NODE_IFBLOCK: run_if(E, n); return;
	case NODE_REPEAT: run_repeat(E, n); return;
	case NODE_ASSERT: run_assert(E, n); return;
	case NODE_RETURN: run_return(E, n); return;
	case NODE_LAYER:
		if (E->graph_text)
			table_set(&E->instances, n->name, E);
		else
			bind_layer(E, n);
		return;
	case NODE_DEFINE:
		if (!top)
			fail(E, n->at, "definitions stand at the top level of a file");
		return;
	case NODE_SCAN: run_scan(E, n); return;
	default: break;
	}
	if (!top) {
		fail(E, n->at, "this statement stands at the top level of a file");
		return;
	}
	if (E->graph_text && (n->kind == NODE_LOSS || n->kind == NODE_OUTPUT || n->kind == NODE_METRIC)) {
		read_result(E, n);
		return;
	}
	switch (n->kind) {
	case NODE_INCLUDE: include(E, n); return;
	case NODE_LOSS: add_loss(E, n); return;
	case NODE_METRIC: add_metrics(E, n); return;
	case NODE_OUTPUT: add_outputs(E, n); return;
	case NODE_TRAIN:
		if (!E->second)
			list_add(&E->ctx->arena, &E->trains, (struct node *)(uintptr_t)n);
		return;
	case NODE_PART: run_part(E, n); return;
	case NODE_SCATTER: fail(E, n->at, "'+=' is for the text of a graph, inside `part`"); return;
	default: fail(E, n->at, "this is no statement"); return;
	}
}

void run_block(struct elaborator *E, const struct node *block)
{
	struct scope *s = E->scope;
	int errors = E->ctx->errors;
	for (int i = 0; i < block->n && !s->returned; i++) {
		run_statement(E, block->kid[i]);
		if (s->builtin && E->ctx->errors != errors)
			return; /* one message a call of the library */
	}
}

/* ---- the two runs ---- */

static void load_library(struct elaborator *E)
{
	for (int i = 0; i < builtin_source_count; i++) {
		const struct builtin_source *b = &builtin_sources[i];
		struct source *src = add_source(E->ctx, b->name, b->text, b->size, true);
		struct node *tree = outline_source(E->ctx, src);
		if (tree)
			collect_definitions(E, tree);
	}
}

/* -D NAME=VALUE: an assignment of a known value; -D NAME is NAME=yes. */
static void read_defines(struct elaborator *E)
{
	const nnc_options *o = E->ctx->options;
	for (int i = 0; o && o->define && o->define[i]; i++) {
		const char *text = o->define[i];
		if (!strchr(text, '='))
			text = arena_printf(&E->ctx->arena, "%s=yes", text);
		struct source *src = add_source(E->ctx, "<command line>", text, strlen(text), false);
		struct node *tree = parse_source(E->ctx, src);
		if (!tree)
			continue;
		const struct node *n = tree->n ? tree->kid[0] : NULL;
		const struct node *lhs = n && n->kind == NODE_ASSIGN ? n->kid[0]->kid[0] : NULL;
		if (!lhs || tree->n > 1 || n->kid[0]->n > 1 || lhs->kid[0] || lhs->primed || strchr(lhs->name, '.')) {
			fail(E, (struct span){src, 0, (uint32_t)src->size}, "-D takes NAME=VALUE");
			continue;
		}
		struct value *v = arena_alloc(&E->ctx->arena, sizeof *v);
		*v = eval(E, n->kid[1]);
		if (v->kind != VAL_ERROR && !is_known(v))
			fail(E, n->kid[1]->at, "the value of '%s' is not known while compiling", lhs->name);
		table_set(&E->defines, lhs->name, v);
	}
}

static struct scope *file_scope(struct elaborator *E)
{
	struct scope *s = arena_alloc(&E->ctx->arena, sizeof *s);
	*s = (struct scope){.path = "",
			    .suffix = "",
			    .hint = "value",
			    .dots = -1,
			    .shared = E->second,
			    .names = {.arena = &E->ctx->arena},
			    .instances = {.arena = &E->ctx->arena},
			    .numbers = {.arena = &E->ctx->arena},
			    .overrides = {.arena = &E->ctx->arena}};
	return s;
}

static void run_file(struct elaborator *E, const struct node *tree, bool training)
{
	E->training = training;
	E->second = !training;
	E->part = training ? PART_FORWARD : PART_INFERENCE;
	E->file = E->scope = file_scope(E);
	E->goals.n = E->goal_nodes.n = 0;
	run_block(E, tree);
}

/* Names of values are unique within inference and within the rest: the second run starts from the declared ones. */
void forget_value_names(struct graph *g)
{
	struct table kept = {.arena = &g->ctx->arena};
	for (int i = 0; i < g->tensors.n; i++) {
		enum role r = g->tensors.item[i]->role;
		if (r != ROLE_VALUE && r != ROLE_VIEW && r != ROLE_NEXT && r != ROLE_DATA)
			table_set(&kept, g->tensors.item[i]->name, g->tensors.item[i]);
	}
	g->names = kept;
}

/* Training and inference have the same parameters. */
static void check_params(struct elaborator *E)
{
	for (int i = 0; i < E->params.entries.n && !E->ctx->errors; i++) {
		struct tensor *t = E->params.entries.item[i].value;
		if ((t->role == ROLE_PARAM || t->role == ROLE_FROZEN) && !table_get(&E->met, t->name))
			fail(E, t->at,
			     "'%s' exists only where training = yes: training and inference have the same parameters",
			     t->name);
	}
}

static void check_unused_defines(struct elaborator *E)
{
	for (int i = 0; i < E->defines.entries.n; i++) {
		const char *name = E->defines.entries.item[i].key;
		if (!find_binding(E->file, name))
			fail(E, (struct span){0}, "-D %s: the model has no constant of that name%s", name,
			     suggest(E, name));
	}
}

static void set_rows(void *user, struct equation *eq)
{
	for (int k = 0; k < eq->n; k++)
		if (eq->index[k].rows)
			eq->index[k].extent = ((struct graph *)user)->batch;
}

/* The rows of a batch became known last (train line): write them everywhere. */
static void set_batch(struct graph *g, int64_t batch)
{
	g->batch = batch;
	for (int i = 0; i < g->tensors.n; i++)
		for (int a = 0; a < g->tensors.item[i]->rank; a++)
			if (g->tensors.item[i]->axis[a].rows)
				g->tensors.item[i]->axis[a].extent = batch;
	for (int p = 0; p < PART_COUNT; p++)
		visit_equations(g->part[p].item, g->part[p].n, set_rows, g);
}

/* A tensor's bytes, all rows, stay well below what 32-bit offsets of generated code can address. */
static void check_sizes(struct elaborator *E)
{
	struct graph *g = E->g;
	for (int i = 0; i < g->tensors.n; i++) {
		struct tensor *t = g->tensors.item[i];
		int64_t size = 1;
		bool large = false;
		for (int a = 0; a < t->rank; a++)
			large |= __builtin_mul_overflow(size, t->axis[a].extent, &size) || size > INT64_C(1) << 30;
		if (!large)
			continue;
		struct text s = {.arena = &E->ctx->arena};
		for (int a = 0; a < t->rank; a++)
			text_printf(&s, "%s%lld", a ? " * " : "", (long long)t->axis[a].extent);
		fail(E, t->at, "tensor '%s' is too large: %s elements%s, more than 2^30", t->name, s.at,
		     t->batched ? " (the first is the batch)" : "");
		return;
	}
}

struct graph *elaborate(struct context *ctx, const struct node *tree, const struct source *src)
{
	struct arena *arena = &ctx->arena;
	struct elaborator *E = arena_alloc(arena, sizeof *E);
	*E = (struct elaborator){.ctx = ctx,
				 .defs = {.arena = arena},
				 .inits = {.arena = arena},
				 .optimizers = {.arena = arena},
				 .params = {.arena = arena},
				 .included = {.arena = arena},
				 .named = {.arena = arena},
				 .defines = {.arena = arena},
				 .layers = {.arena = arena},
				 .instances = {.arena = arena},
				 .met = {.arena = arena}};
	const nnc_options *o = ctx->options;
	E->g = graph_new(ctx, o && o->prefix ? o->prefix : "model", src, 32);
	E->file = E->scope = file_scope(E);
	load_library(E);
	read_defines(E);
	collect_definitions(E, tree);
	struct inclusion own = {tree, RAN_FIRST | RAN_SECOND}; /* the file itself is there */
	table_set(&E->included, ctx->includes ? file_key(ctx->includes, src->name) : src->name, &own);
	E->graph_text = is_graph_text(tree);
	run_file(E, tree, true);
	if (!ctx->errors && E->graph_text)
		finish_graph_text(E);
	if (!ctx->errors && !E->graph_text)
		drop_totals(E);
	if (!ctx->errors && !E->graph_text) {
		build_training(E);
		set_batch(E->g, o && o->batch > 0 ? o->batch : E->g->batch); /* for the second run's shapes, too */
		if (!ctx->errors) {
			struct table names = E->g->names;
			forget_value_names(E->g);
			run_file(E, tree, false);
			E->g->names = names;
		}
		check_params(E);
		if (!ctx->errors) {
			E->g->inference_loss = total_loss(E);
			default_output(E);
			E->part = PART_INFERENCE;
			finish_metrics(E);
			check_unused_defines(E);
		}
	}
	if (!ctx->errors) {
		set_batch(E->g, E->g->batch);
		check_sizes(E);
	}
	if (!ctx->errors && E->graph_text) { /* it may have been edited */
		const char *fault = verify(E->g);
		if (fault)
			fail(E, (struct span){0}, "this is no sound graph: %s", fault);
	}
	return ctx->errors ? NULL : E->g;
}
