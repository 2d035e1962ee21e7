/* elaborate_name.c - names: what one means in a scope, what it is bound to, and what was probably meant. */
#include "builtin.h"
#include "elaborate.h"
#include "elaborate_building.h"
#include "elaborate_graph.h"

#include <string.h>

const char *join_path(struct elaborator *E, const char *path, const char *name)
{
	return *path ? arena_printf(&E->ctx->arena, "%s.%s", path, name) : name;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* Whether a path can be read back: names or numbers between dots, the first a name. */
static bool is_path(const char *path)
{
	for (const char *at = path;; at++) {
		const char *first = at;
		bool letters = false;
		for (; is_letter(*at) || is_digit(*at); at++)
			letters |= is_letter(*at);
		if (at == first || (is_digit(*first) && (letters || first == path)))
			return false;
		if (!*at)
			return true;
		if (*at != '.')
			return false;
	}
}

/* What a label or name is called in saved files, with all around it; `own` is its text with the values in its braces
 * filled in, NULL after an error. Where it has braces it says the round of a repeat itself. NULL if it cannot be one.
 */
const char *saved_path(struct elaborator *E, const char *text, const char *own, struct span at)
{
	const char *suffix = strchr(text, '{') ? "" : E->scope->suffix;
	if (!own)
		return NULL;
	const char *path =
		join_path(E, E->scope->path, *suffix ? arena_printf(&E->ctx->arena, "%s%s", own, suffix) : own);
	if (is_path(path))
		return path;
	fail(E, at,
	     "'%s' cannot be a name in saved files: it is of letters, digits and _ with dots between, and begins with no digit",
	     path);
	return NULL;
}

const char *role_name(struct elaborator *E, const char *role)
{
	const char *hint = E->scope->hint;
	return join_path(E, strcmp(hint, "value") ? join_path(E, E->scope->path, hint) : E->scope->path, role);
}

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
		if (*name == *names[i] && !strcmp(names[i], name)) /* most differ at once */
			return true;
	return false;
}

const char *suggest_of(struct elaborator *E, const char *name, const char *const *names, int n)
{
	const char *near = nearest_name(name, names, n);
	return near ? arena_printf(&E->ctx->arena, " (did you mean '%s'?)", near) : "";
}

const char *suggest_definition(struct elaborator *E, const char *name, const struct table *definitions)
{
	LIST(const char *) names = {0};
	const char *what = definitions == &E->defs ? "def" : definitions == &E->inits ? "init" : "optimizer";
	for (int i = 0; i < builtin_definition_count; i++)
		if (!strcmp(builtin_definitions[i].what, what))
			list_add(&E->ctx->arena, &names, builtin_definitions[i].name);
	for (int i = 0; i < definitions->entries.n; i++)
		list_add(&E->ctx->arena, &names, definitions->entries.item[i].key);
	return suggest_of(E, name, names.item, names.n);
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
	return suggest_of(E, name, names.item, names.n);
}

/* ---- a name in an expression ---- */

/* To rules and schedules a step is an update, which may take several. */
static struct expr *count_updates(struct elaborator *E, enum run run)
{
	struct expr *e = ex_run(E->g, run);
	bool steps = run == RUN_STEP || run == RUN_STEPS || run == RUN_STEPS_PER_EPOCH;
	if (E->part != PART_UPDATE || E->updates_every <= 1 || !steps)
		return e;
	return ex2(E->g, EX_FLOORDIV, e, ex_int(E->g, E->updates_every));
}

static struct value special_name(struct elaborator *E, const struct node *n, bool *found)
{
	static const struct {
		const char *name;
		enum run run;
	} runs[] = {{"step", RUN_STEP},	     {"epoch", RUN_EPOCH},
		    {"steps", RUN_STEPS},    {"steps_per_epoch", RUN_STEPS_PER_EPOCH},
		    {"last_loss", RUN_LOSS}, {"ndata", RUN_DATA},
		    {"nrows", RUN_ROWS}};
	*found = true;
	if (!strcmp(n->name, "yes"))
		return bool_value(true);
	if (!strcmp(n->name, "no"))
		return bool_value(false);
	if (!strcmp(n->name, "none"))
		return (struct value){.kind = VAL_NONE};
	if (!strcmp(n->name, "pi"))
		return real_value(3.14159265358979323846);
	if (!strcmp(n->name, "inf"))
		return real_value(__builtin_inf());
	if (!strcmp(n->name, "training")) {
		for (struct scope *s = E->scope; s; s = s->caller) {
			struct override *o = table_get(&s->overrides, "training");
			if (o) {
				o->used = true;
				return o->value;
			}
		}
		return bool_value(E->training);
	}
	if (!strcmp(n->name, "row")) {
		struct value v = {.kind = VAL_TENSOR, .lead = 1, .rank = 1, .expr = ex_index(E->g, 0)};
		v.axis = arena_alloc(&E->ctx->arena, sizeof *v.axis);
		v.axis[0] = (struct axis){E->g->batch, true};
		return v;
	}
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
		if (!strcmp(n->name, runs[i].name))
			return (struct value){.kind = VAL_TENSOR, .expr = count_updates(E, runs[i].run)};
	*found = false;
	return error_value();
}

/* A param or state by its path from this instance: wte.weight. */
static struct tensor *find_param(struct elaborator *E, const char *name)
{
	struct tensor *t = table_get(&E->params, join_path(E, E->scope->path, name));
	if (!t && E->scope != E->file && !E->scope->builtin) {
		const char *first = strchr(name, '.');
		char *head = first ? arena_copy(&E->ctx->arena, name, (size_t)(first - name)) : NULL;
		if (head && table_get(&E->layers, head))
			t = table_get(&E->params, name);
	}
	return t;
}

/* x.shape, where x is something and shape a function. */
static bool is_function_of(struct elaborator *E, const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && lookup(E, arena_copy(&E->ctx->arena, name, (size_t)(dot - name))) &&
	       (is_builtin(dot + 1) || is_defined(E, &E->defs, dot + 1));
}

struct value eval_name(struct elaborator *E, const struct node *n)
{
	if (E->eq) {
		int slot = find_slot(E, n->name);
		if (slot >= 0)
			return (struct value){.kind = VAL_TENSOR, .expr = ex_index(E->g, slot), .indexed = true};
	}
	struct binding *b = lookup(E, n->name);
	if (b)
		return b->value;
	if (E->graph_text && E->eq && !strcmp(n->name, "batch"))
		return (struct value){.kind = VAL_TENSOR, .expr = ex_index(E->g, E->eq->batch_slot), .indexed = true};
	struct tensor *grad = E->graph_text ? graph_text_grad(E, n->name, n->at) : NULL;
	if (grad)
		return tensor_value(E, grad);
	bool found;
	struct value v = special_name(E, n, &found);
	if (found)
		return v;
	struct tensor *t = strchr(n->name, '.') ? find_param(E, n->name) : NULL;
	if (t)
		return tensor_value(E, t);
	size_t len = strlen(n->name);
	if (len > 2 && !strcmp(n->name + len - 2, ".T")) {
		struct node inner = *n;
		inner.name = arena_copy(&E->ctx->arena, n->name, len - 2);
		return transpose(E, n->at, eval_name(E, &inner));
	}
	char *dot = strchr(n->name, '.');
	if (dot) {
		const char *head = arena_copy(&E->ctx->arena, n->name, (size_t)(dot - n->name));
		struct layer *layer = table_get(&E->layers, join_path(E, E->scope->path, head));
		if (layer && !layer->used) {
			fail(E, n->at, "'%s' has no parameters before its first call", head);
			return error_value();
		}
	}
	struct binding *outside = E->scope != E->file && !E->scope->builtin ? find_binding(E->file, n->name) : NULL;
	if (outside)
		fail(E, n->at,
		     "'%s' is a value of the file; a definition sees its arguments, constants and settings only",
		     n->name);
	else if (!strcmp(n->name, "data"))
		fail(E, n->at, "`data` is an index of metrics: sum[data] x");
	else if (E->eq && E->scope->def == NULL)
		fail(E, n->at, "unknown name '%s'%s; an index must stand on the left or under a reducer", n->name,
		     suggest(E, n->name));
	else if (E->eq)
		fail(E, n->at, "'%s' is no known name and no index of this equation%s", n->name, suggest(E, n->name));
	else if (is_function_of(E, n->name))
		fail(E, n->at, "unknown name '%s' (did you mean '%s(%.*s)'?)", n->name, strrchr(n->name, '.') + 1,
		     (int)(strrchr(n->name, '.') - n->name), n->name);
	else
		fail(E, n->at, "unknown name '%s'%s", n->name, suggest(E, n->name));
	return error_value();
}

struct value eval_primed(struct elaborator *E, const struct node *n)
{
	struct binding *b = find_binding(E->scope, n->name);
	if (b && b->next)
		return b->next_value;
	if (b && (b->state || b->carried))
		fail(E, n->at, "%s' is read before it is set", n->name);
	else
		fail(E, n->at, "'%s' is no state, so it has no next value%s", n->name, b ? "" : suggest(E, n->name));
	return error_value();
}
