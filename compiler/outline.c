/* outline.c - definitions of the standard library by name, without parsing or even reading it.
 *
 * A model uses a few of the library's definitions. Where each of them stands was found when the compiler was built
 * (embed.sh): a line there that begins with neither a blank, "#" nor "}" begins a definition, and the comments directly
 * above it are its documentation. So one is looked for in a list that is ordered by name, and parsed when it is first
 * needed, without its documentation. */
#include "builtin.h"
#include "parse.h"

#include "nn.tab.h"

#include <string.h>

static const struct builtin_definition *find_builtin(const char *what, const char *name)
{
	int from = 0, to = builtin_definition_count;
	while (from < to) {
		int middle = from + (to - from) / 2;
		const struct builtin_definition *at = &builtin_definitions[middle];
		int order = strcmp(name, at->name);
		if (order == 0)
			order = strcmp(what, at->what);
		if (order == 0)
			return at;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

struct node *outline_definition(struct context *ctx, struct source **library, const char *what, const char *name)
{
	const struct builtin_definition *found = find_builtin(what, name);
	if (!found)
		return NULL;
	const struct builtin_source *text = &builtin_sources[found->source];
	struct source *src = library[found->source];
	if (!src)
		src = library[found->source] = add_source(ctx, text->name, text->text, text->size, true);
	struct node *node = arena_alloc(&ctx->arena, sizeof *node);
	node->kind = NODE_DEFINE;
	node->what = found->what;
	node->name = found->name;
	node->name_at = (struct span){src, found->name_at, found->name_at + (uint32_t)strlen(name)};
	node->at = (struct span){src, found->begin, found->end};
	return node;
}

bool complete_definition(struct context *ctx, struct node *node)
{
	if (node->n)
		return true;
	struct node *block = parse_range(ctx, node->at, T_FILE);
	if (!block || block->n != 1 || block->kid[0]->kind != NODE_DEFINE)
		return false;
	*node = *block->kid[0];
	return true;
}
