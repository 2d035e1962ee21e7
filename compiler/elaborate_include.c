/* elaborate_include.c - definitions by name, and the texts that hold them: the file and what it includes. */
#include "elaborate.h"
#include "include.h"

#include <string.h>

static const char *hidden_key(struct elaborator *E, const char *what, const char *name)
{
	return arena_printf(&E->ctx->arena, "%s %s", what, name);
}

static const char *what_of(const struct elaborator *E, const struct table *table)
{
	return table == &E->defs ? "def" : table == &E->inits ? "init" : "optimizer";
}

/* A definition, of the library perhaps in outline only. */
static struct node *find_outline(struct elaborator *E, struct table *table, const char *name)
{
	struct node *def = table_get(table, name);
	if (!def && (def = outline_definition(E->ctx, E->library, what_of(E, table), name)))
		table_set(table, def->name, def);
	return def;
}

bool is_defined(struct elaborator *E, struct table *table, const char *name)
{
	return find_outline(E, table, name) != NULL;
}

const struct node *library_definition(struct elaborator *E, struct table *table, const char *name)
{
	struct node *def = find_outline(E, table, name);
	if (def && !def->at.src->builtin)
		def = table_get(&E->hidden, hidden_key(E, def->what, name));
	return def && complete_definition(E->ctx, def) ? def : NULL;
}

const struct node *get_definition(struct elaborator *E, struct table *table, const char *name)
{
	if (E->scope->builtin)
		return library_definition(E, table, name);
	struct node *def = find_outline(E, table, name);
	return def && complete_definition(E->ctx, def) ? def : NULL;
}

static void check_formals(struct elaborator *E, const struct node *def)
{
	struct table seen = {.arena = &E->ctx->arena};
	for (int i = 0; i < def->kid[0]->n; i++) {
		const struct node *formal = def->kid[0]->kid[i];
		if (formal->kind != NODE_VAR)
			continue;
		if (table_get(&seen, formal->name))
			fail(E, formal->name_at, "argument '%s' of %s stands here twice", formal->name, def->name);
		table_set(&seen, formal->name, (void *)(uintptr_t)formal);
	}
}

static void define(struct elaborator *E, const struct node *n)
{
	struct table *table = !strcmp(n->what, "def")	 ? &E->defs
			      : !strcmp(n->what, "init") ? &E->inits
							 : &E->optimizers;
	const struct node *old = find_outline(E, table, n->name);
	check_formals(E, n);
	if (old && !old->at.src->builtin && old != n) {
		fail(E, n->name_at, "%s is defined twice", n->name);
		report_note(E->ctx, old->name_at, "first here");
	} else if (!strcmp(n->what, "def") && is_builtin(n->name)) {
		fail(E, n->name_at, "'%s' is a function of the language and cannot be defined again", n->name);
	} else {
		if (old && old->at.src->builtin)
			table_set(&E->hidden, hidden_key(E, n->what, n->name), (void *)(uintptr_t)old);
		table_set(table, n->name, (void *)(uintptr_t)n);
	}
}

/* Definitions may be used before they are written. */
void collect_definitions(struct elaborator *E, const struct node *block)
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
void run_include(struct elaborator *E, const struct node *n)
{
	struct inclusion *found = find_inclusion(E, n);
	enum run_mark mark = E->second ? RAN_SECOND : RAN_FIRST;
	if (!found || !found->tree || found->ran & mark)
		return;
	found->ran |= mark;
	collect_definitions(E, found->tree);
	run_block(E, found->tree);
}
