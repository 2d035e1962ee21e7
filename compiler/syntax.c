/* syntax.c - the tree as text. */
#include "syntax.h"

#include <string.h>

const char *operator_text(enum node_op op)
{
	static const char *const text[] = {
		[OP_ADD] = "+", [OP_SUB] = "-",	   [OP_MUL] = "*",   [OP_DIV] = "/", [OP_FLOORDIV] = "//",
		[OP_MOD] = "%", [OP_MATMUL] = "@", [OP_POW] = "^",   [OP_LT] = "<",  [OP_GT] = ">",
		[OP_LE] = "<=", [OP_GE] = ">=",	   [OP_EQ] = "==",   [OP_NE] = "!=", [OP_AND] = "and",
		[OP_OR] = "or", [OP_NEG] = "-",	   [OP_NOT] = "not",
	};
	return text[op];
}

/* The word for a kind in dumps. Kinds that print by their own rule have none. */
static const char *kind_word(enum node_kind kind)
{
	static const char *const word[] = {
		[NODE_TUPLE] = "tuple",	    [NODE_ARRAY] = "array",	[NODE_CALL] = "call",
		[NODE_ARG] = "arg",	    [NODE_IF] = "if",		[NODE_REDUCE] = "reduce",
		[NODE_SUBSCRIPT] = "at",    [NODE_MEMBER] = "member",	[NODE_ITEMS] = "items",
		[NODE_SLICE] = "slice",	    [NODE_MATCH] = "match",	[NODE_BLOCK] = "block",
		[NODE_DECLARE] = "declare", [NODE_VAR] = "var",		[NODE_TYPE] = "type",
		[NODE_OUTPUT] = "output",   [NODE_METRIC] = "metric",	[NODE_LAYER] = "layer",
		[NODE_LOSS] = "loss",	    [NODE_TRAIN] = "train",	[NODE_INCLUDE] = "include",
		[NODE_ASSERT] = "assert",   [NODE_DEFINE] = "define",	[NODE_ASSIGN] = "assign",
		[NODE_LHS] = "lhs",	    [NODE_SCATTER] = "scatter", [NODE_RETURN] = "return",
		[NODE_REPEAT] = "repeat",   [NODE_SCAN] = "scan",	[NODE_CARRY] = "carry",
		[NODE_IFBLOCK] = "ifblock", [NODE_PART] = "part",	[NODE_EXAMPLE] = "example",
	};
	return word[kind];
}

static void dump(const struct node *node, struct text *text, int level);

static void add_quoted(struct text *text, const char *string)
{
	text_add(text, "\"");
	for (const char *c = string; *c; c++)
		if (*c == '\n')
			text_add(text, "\\n");
		else
			text_printf(text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	text_add(text, "\"");
}

static void start_line(struct text *text, int level)
{
	text_add(text, "\n");
	for (int i = 0; i < level; i++)
		text_add(text, "  ");
}

/* A pipe of any length, without recursion over its links: (pipe x (f ...) (g ...)). */
static void dump_pipe(const struct node *last, struct text *text, int level)
{
	LIST(const struct node *) link = {0};
	const struct node *node = last;
	for (; node->kind == NODE_CALL && node->piped; node = node->kid[0]->kid[0])
		list_add(text->arena, &link, node);
	text_add(text, "(pipe ");
	dump(node, text, level);
	for (int i = link.n - 1; i >= 0; i--) {
		node = link.item[i];
		text_printf(text, " (%s%s%s", node->label ? node->label : "", node->label ? ": " : "", node->name);
		for (int k = 1; k < node->n; k++) {
			text_add(text, " ");
			dump(node->kid[k], text, level);
		}
		text_add(text, ")");
	}
	text_add(text, ")");
}

/* What a node says beside its kids, after the word for its kind. */
static void add_attributes(const struct node *node, struct text *text)
{
	bool quoted = node->kind == NODE_ASSERT || node->kind == NODE_INCLUDE || node->kind == NODE_EXAMPLE;
	if (node->what)
		text_printf(text, " %s", node->what);
	if (node->maximize)
		text_add(text, " maximize");
	if (node->name)
		text_add(text, " ");
	if (node->name && quoted)
		add_quoted(text, node->name);
	else if (node->name)
		text_printf(text, "%s%s", node->name, node->primed ? "'" : "");
	if (node->doc) {
		text_add(text, " ");
		add_quoted(text, node->doc);
	}
}

static bool is_atom(const struct node *node, struct text *text)
{
	switch (node->kind) {
	case NODE_NAME:
	case NODE_NUMBER: text_add(text, node->name); return true;
	case NODE_PRIMED: text_printf(text, "%s'", node->name); return true;
	case NODE_STRING: add_quoted(text, node->name); return true;
	case NODE_DOTS: text_add(text, ".."); return true;
	default: return false;
	}
}

static void dump(const struct node *node, struct text *text, int level)
{
	if (!node) {
		text_add(text, "-");
		return;
	}
	if (is_atom(node, text))
		return;
	if (node->kind == NODE_CALL && node->piped) {
		dump_pipe(node, text, level);
		return;
	}
	if (node->kind == NODE_BINARY || node->kind == NODE_UNARY)
		text_printf(text, "(%s", node->op == OP_NEG ? "neg" : operator_text(node->op));
	else
		text_printf(text, "(%s", kind_word(node->kind));
	add_attributes(node, text);
	for (int i = 0; i < node->example.n; i++) {
		start_line(text, level + 1);
		dump(node->example.item[i], text, level + 1);
	}
	for (int i = 0; i < node->n; i++) {
		if (node->kind == NODE_BLOCK)
			start_line(text, level + 1);
		else
			text_add(text, " ");
		dump(node->kid[i], text, level + (node->kind == NODE_BLOCK));
	}
	text_add(text, ")");
}

void dump_tree(const struct node *node, struct text *text) { dump(node, text, 0); }
