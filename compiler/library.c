/* library.c - the standard library as help text: each definition's call, documentation and examples, as written. */
#include "library.h"

#include <string.h>

#include "builtin.h"
#include "syntax.h"

/* The text of a span, on one line: runs of blanks and newlines become one blank. */
static void add_span(struct text *text, struct span at)
{
	bool blank = false;
	for (uint32_t i = at.begin; i < at.end; i++) {
		char c = at.src->text[i];
		if (c == ' ' || c == '\n' || c == '\t') {
			blank = true;
			continue;
		}
		if (blank)
			text_add(text, " ");
		blank = false;
		text_add_bytes(text, &c, 1);
	}
}

/* Its ## lines, each behind four blanks. */
static void add_documentation(struct text *text, const char *doc)
{
	while (doc && *doc) {
		const char *end = strchr(doc, '\n');
		size_t n = end ? (size_t)(end - doc) : strlen(doc);
		text_printf(text, "    %.*s\n", (int)n, doc);
		doc = end ? end + 1 : NULL;
	}
}

static void add_definition(struct text *text, const struct node *define)
{
	bool function = strcmp(define->what, "def") == 0;
	text_printf(text, "%s%s%s(", function ? "" : define->what, function ? "" : " ", define->name);
	const struct node *formals = define->kid[0];
	if (formals->n)
		add_span(text, (struct span){formals->at.src, formals->kid[0]->at.begin,
					     formals->kid[formals->n - 1]->at.end});
	text_add(text, ")\n");
	add_documentation(text, define->doc);
	for (int i = 0; i < define->example.n; i++) {
		text_add(text, "      ");
		add_span(text, define->example.item[i]->at);
		text_add(text, "\n");
	}
	text_add(text, "\n");
}

const char *describe_library(struct context *ctx, const char *name)
{
	struct text text = {.arena = &ctx->arena};
	LIST(const char *) names = {0};
	for (int i = 0; i < builtin_source_count; i++) {
		const struct builtin_source *builtin = &builtin_sources[i];
		struct source *src = add_source(ctx, builtin->name, builtin->text, builtin->size, true);
		const struct node *tree = parse_source(ctx, src);
		if (!tree)
			return NULL;
		if (!name)
			text_printf(&text, "---- %s ----\n\n", builtin->name);
		for (int k = 0; k < tree->n; k++) {
			const struct node *node = tree->kid[k];
			if (node->kind != NODE_DEFINE)
				continue;
			list_add(&ctx->arena, &names, node->name);
			if (!name || strcmp(name, node->name) == 0)
				add_definition(&text, node);
		}
	}
	if (text.at)
		return text.at;
	const char *near = name ? nearest_name(name, names.item, names.n) : NULL;
	report_error(ctx, (struct span){0}, "the standard library has no '%s'%s%s%s", name ? name : "",
		     near ? "; did you mean '" : "; --help=std prints all that it has", near ? near : "",
		     near ? "'?" : "");
	return NULL;
}
