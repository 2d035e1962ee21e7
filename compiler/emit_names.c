/* emit_names.c - C identifiers from the model's names, each distinct within its scope.
 *
 * Dots become underscores. What C, C++ or the headers that the file includes reserve gets a 2 like any name that is
 * taken; so a model may call a parameter `new` or `unix`. */
#include "emit_parts.h"

#include <ctype.h>
#include <string.h>

/* Families of macros. */
static bool has_reserved_start(const char *name)
{
	static const char *const starts[] = {"_",   "INT", "UINT", "SIZE_", "PTRDIFF_",
					     "FP_", "M_",  "NN_",  "nn_",   "HUGE_"};

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (*name == *starts[i] && strncmp(name, starts[i], strlen(starts[i])) == 0) /* most differ at once */
			return true;
	return false;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Letters, digits and underscores, "x" before what may not stand first. */
static char *identifier(struct emitter *e, const char *name)
{
	size_t n = strlen(name), k = 0;
	char *out = arena_alloc(e->arena, n + 3);

	if (is_digit(name[0]) || has_reserved_start(name))
		out[k++] = 'x';
	for (size_t i = 0; i < n; i++) {
		if (is_letter(name[i]) || is_digit(name[i]))
			out[k++] = name[i];
		else if (name[i] != '\'' && (k == 0 || out[k - 1] != '_' || name[i] == '_'))
			out[k++] = '_';
	}
	while (k > 1 && out[k - 1] == '_')
		k--;
	if (k == 0)
		out[k++] = 'x';
	out[k] = 0;
	return out;
}

const char *upper_case(struct emitter *e, const char *name)
{
	char *upper = identifier(e, name);

	for (char *c = upper; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	return upper;
}

void use_name(struct emitter *e, struct scope *scope, const char *name)
{
	scope->used.arena = e->arena;
	table_set(&scope->used, name, (void *)name);
	list_add(e->arena, &scope->names, name);
}

void release_names(struct scope *scope, int n)
{
	while (scope->names.n > n) {
		const char *name = scope->names.item[--scope->names.n];

		if (name)
			table_set(&scope->used, name, NULL);
	}
}

static const char *numbered_name(struct emitter *e, const char *base, int i)
{
	if (i == 1)
		return base;
	return arena_printf(e->arena, "%s%s%d", base, is_digit(base[strlen(base) - 1]) ? "_" : "", i);
}

static bool is_taken(const struct emitter *e, const struct scope *scope, const char *name)
{
	return table_get(&scope->used, name) || table_get(&e->globals.used, name) || is_reserved_in_c(name);
}

/* In process nobody reads them: the same few names in all functions, which no model has. */
static const char *new_number(struct emitter *e, struct scope *scope)
{
	list_add(e->arena, &scope->names, NULL);
	return arena_printf(e->arena, "_%d", scope->names.n);
}

const char *new_name(struct emitter *e, struct scope *scope, const char *want)
{
	const char *base, *name;
	int taken = 0, free = 1;

	if (e->options->freestanding && scope != &e->globals)
		return new_number(e, scope);
	base = identifier(e, want);
	scope->used.arena = e->arena;
	/* by leaps, then halving the gap: there may be thousands */
	while (is_taken(e, scope, numbered_name(e, base, free))) {
		taken = free;
		free += free < 8 ? 1 : free;
	}
	while (free - taken > 1) {
		int middle = taken + (free - taken) / 2;

		if (is_taken(e, scope, numbered_name(e, base, middle)))
			taken = middle;
		else
			free = middle;
	}
	name = numbered_name(e, base, free);
	use_name(e, scope, name);
	return name;
}

const char *short_name(struct emitter *e, const struct tensor *t)
{
	size_t n;

	if (t->role == ROLE_NEXT)
		t = t->of;
	n = t->layer ? strlen(t->layer) : 0;
	if (n && strncmp(t->name, t->layer, n) == 0 && t->name[n] == '.')
		return identifier(e, t->name + n + 1);
	return identifier(e, t->name);
}

const char *math_name(struct emitter *e, const char *name, int n_args)
{
	const char *full = arena_printf(e->arena, "%s%s", name, e->math_suffix);

	if (!table_get(&e->libm, full))
		table_set(&e->libm, full, n_args == 1 ? (void *)"1" : (void *)"2");
	return full;
}

const char *help(struct emitter *e, enum helper helper)
{
	static const char *const names[] = {
		[HELP_SMALLER] = "smaller",	[HELP_LARGER] = "larger",	[HELP_DIVIDE] = "divide",
		[HELP_MODULO] = "modulo",	[HELP_RANDOM] = "random_words", [HELP_UNIFORM] = "uniform",
		[HELP_NORMAL] = "normal",	[HELP_ERFINV] = "inverse_erf",	[HELP_SHARE] = "share_start",
		[HELP_ADD_LANES] = "add_lanes",
	};

	e->helps[helper] = true;
	return names[helper];
}

const char *elem_type(const struct emitter *e, enum elem elem) { return elem == ELEM_REAL ? e->real : "int32_t"; }

/* Whether a place stands in a comment: the last mark of one before it opens one. */
static bool in_comment(const char *text, const char *at)
{
	while (--at > text) {
		if (at[-1] == '/' && at[0] == '*')
			return true;
		if (at[-1] == '*' && at[0] == '/')
			return false;
	}
	return false;
}

bool mentions(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; at && (at = strstr(at, name)); at++)
		if ((at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_')) &&
		    !(isalnum((unsigned char)at[n]) || at[n] == '_') && !in_comment(text, at))
			return true;
	return false;
}
