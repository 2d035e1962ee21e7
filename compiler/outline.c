/* outline.c - find the definitions of a library without parsing it.
 *
 * A model uses a few of the library's definitions, and parsing all of them would take longer than everything else
 * together. So the library is laid out such that a line scan suffices: a line that begins with neither a blank,
 * "#" nor "}" begins a definition. Each is parsed when it is first needed, without the documentation above it. A
 * text that is laid out otherwise is parsed whole. */
#include "parse.h"

#include "nn.tab.h"

#include <string.h>

static uint32_t next_line(const struct source *src, uint32_t line)
{
	const char *end = memchr(src->text + line, '\n', src->size - line);
	return end ? (uint32_t)(end + 1 - src->text) : (uint32_t)src->size;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* A DEFINE without kids from a line such as "def f(...", or NULL. */
static struct node *outline_definition(struct context *ctx, const struct source *src, uint32_t line)
{
	static const char *const what[] = {"def", "init", "optimizer"};
	const char *text = src->text + line;
	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		size_t n = strlen(what[i]), end;
		if (strncmp(text, what[i], n) != 0 || text[n] != ' ' || !is_letter(text[n + 1]))
			continue;
		for (end = n + 1; is_letter(text[end]) || (text[end] >= '0' && text[end] <= '9');)
			end++;
		if (text[end] != '(')
			return NULL;
		struct node *node = arena_alloc(&ctx->arena, sizeof *node);
		node->kind = NODE_DEFINE;
		node->what = what[i];
		node->name = arena_copy(&ctx->arena, text + n + 1, end - n - 1);
		node->name_at = (struct span){src, line + (uint32_t)n + 1, line + (uint32_t)end};
		return node;
	}
	return NULL;
}

struct node *outline_source(struct context *ctx, const struct source *src)
{
	struct node *block = arena_alloc(&ctx->arena, sizeof *block);
	LIST(struct node *) found = {0};
	uint32_t begin = 0; /* of the comments directly above this line */
	for (uint32_t line = 0, next; line < src->size; line = next) {
		char first = src->text[line];
		next = next_line(src, line);
		if (first == '#')
			continue;
		if (!strchr(" \t\r\n}", first)) {
			struct node *node = outline_definition(ctx, src, line);
			if (!node)
				return parse_source(ctx, src);
			node->at = (struct span){src, line, (uint32_t)src->size};
			if (found.n)
				found.item[found.n - 1]->at.end = begin;
			list_add(&ctx->arena, &found, node);
		}
		begin = next;
	}
	block->kind = NODE_BLOCK;
	block->at = (struct span){src, 0, (uint32_t)src->size};
	block->kid = found.item;
	block->n = found.n;
	return block;
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
