/* parse.c - a source becomes a tree: drives the parser, and makes the nodes that the grammar asks for. */
#include "parse.h"

#include "nn.tab.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at text, 1 to 4 bytes, or 0 if there is none (RFC 3629). The 0 behind the
 * text stops a character that is cut off. */
static int character_size(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	int size = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	unsigned low = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
	unsigned high = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
	if (c[1] < low || c[1] > high)
		return 0;
	for (int i = 2; i < size; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

static bool is_control(char byte)
{
	unsigned char c = (unsigned char)byte;
	return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

/* Report the bytes that are no text, each run of them once, and not many runs: a binary file has too many. */
static bool check_text(struct context *ctx, const struct source *src)
{
	int runs = 0;
	uint32_t bad_end = UINT32_MAX; /* end of the run before */
	for (uint32_t i = 0; i < src->size && runs < 3;) {
		char c = src->text[i];
		int size = (c >= ' ' && c <= '~') || c == '\n' ? 1 : character_size(src->text + i);
		struct span at = {src, i, i + 1};
		i += size ? (uint32_t)size : 1;
		if (size && !is_control(c))
			continue;
		if (bad_end != at.begin && size == 0)
			report_error(ctx, at, "byte 0x%02x is no text: the file is not UTF-8", (unsigned char)c);
		else if (bad_end != at.begin)
			report_error(ctx, at, "byte 0x%02x is no text but a control character", (unsigned char)c);
		runs += bad_end != at.begin;
		bad_end = i;
	}
	return runs == 0;
}

/* Parse a range of a source as a file or as an example (the pseudo token start). */
struct node *parse_range(struct context *ctx, struct span range, int start)
{
	struct parser p = {.ctx = ctx, .src = range.src, .begin = range.begin, .start = start};
	int errors = ctx->errors;
	p.in_example = start == T_EXAMPLE;
	p.doc_line = -2;
	p.last_end = range.begin;
	p.doc.arena = &ctx->arena;
	begin_scan(&p, range.begin, range.end);
	int failed = nnparse(&p);
	return failed || ctx->errors > errors ? NULL : p.result;
}

struct node *parse_source(struct context *ctx, const struct source *src)
{
	uint32_t begin = strncmp(src->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
	int errors = ctx->errors;
	if (!check_text(ctx, src))
		return NULL;
	struct node *tree = parse_range(ctx, (struct span){src, begin, (uint32_t)src->size}, T_FILE);
	return ctx->errors > errors ? NULL : tree;
}

/* Once a parse; the rest of the input is not read. */
void report_too_deep(struct parser *p, struct span at)
{
	if (!p->stopped)
		report_error(p->ctx, at, "this is nested deeper than %d levels", MAX_DEPTH);
	p->stopped = true;
}

struct node_list *add_node(struct parser *p, struct node_list *list, struct node *node)
{
	if (!list)
		list = arena_alloc(&p->ctx->arena, sizeof *list);
	list_add(&p->ctx->arena, list, node);
	return list;
}

struct node_list *prepend_node(struct parser *p, struct node *node, struct node_list *list)
{
	struct node_list *longer = add_node(p, NULL, node);
	for (int i = 0; list && i < list->n; i++)
		add_node(p, longer, list->item[i]);
	return longer;
}

/* The node on the other side of a pipe's last link, if this is one. */
static const struct node *piped_value(const struct node *node)
{
	return node->kind == NODE_CALL && node->piped ? node->kid[0]->kid[0] : NULL;
}

/* One more than the deepest kid, or the same where a node only holds a list or a label, and along a pipe:
 * what counts is the nesting that the text has. */
static int find_depth(const struct node *node)
{
	int depth = 0;
	const struct node *value = piped_value(node);
	bool chained = value && piped_value(value);
	for (int i = chained; i < node->n; i++)
		if (node->kid[i] && node->kid[i]->depth > depth)
			depth = node->kid[i]->depth;
	depth += node->kind != NODE_ARG && node->kind != NODE_ITEMS && node->kind != NODE_BLOCK;
	return chained && value->depth > depth ? value->depth : depth;
}

static void set_depth(struct parser *p, struct node *node)
{
	node->depth = find_depth(node);
	if (node->depth > MAX_DEPTH)
		report_too_deep(p, node->at);
}

struct node *make_node(struct parser *p, enum node_kind kind, struct span at, int n, struct node *const *kid)
{
	struct node *node = arena_alloc(&p->ctx->arena, sizeof *node);
	node->kind = kind;
	node->at = at;
	node->n = n;
	if (n) {
		node->kid = arena_array(&p->ctx->arena, (size_t)n, sizeof *kid);
		memcpy(node->kid, kid, (size_t)n * sizeof *kid);
	}
	for (int i = 0; i < n; i++)
		node->has_grad |= kid[i] && kid[i]->has_grad;
	set_depth(p, node);
	return node;
}

struct node *make_list(struct parser *p, enum node_kind kind, struct span at, const struct node_list *kids)
{
	return make_node(p, kind, at, kids ? kids->n : 0, kids ? kids->item : NULL);
}

struct node *set_name(struct node *node, const char *name, struct span at)
{
	node->name = name;
	node->name_at = at;
	node->has_grad |= node->kind == NODE_CALL && strcmp(name, "grad") == 0;
	return node;
}

bool is_reducer(const char *name)
{
	static const char *const reducers[] = {"sum", "mean", "prod", "max", "min", "argmax", "argmin"};
	for (size_t i = 0; i < sizeof reducers / sizeof *reducers; i++)
		if (*name == *reducers[i] && strcmp(name, reducers[i]) == 0)
			return true;
	return false;
}

struct node *set_tensor_name(struct parser *p, struct node *node, const char *name, struct span at)
{
	if (is_reducer(name))
		report_error(p->ctx, at, "\"%s\" is a reducer's name, so it cannot name a tensor", name);
	return set_name(node, name, at);
}

struct node *make_operation(struct parser *p, struct span at, enum node_op op, struct span op_at, struct node *left,
			    struct node *right)
{
	struct node *kid[] = {left, right};
	struct node *node = make_node(p, right ? NODE_BINARY : NODE_UNARY, at, right ? 2 : 1, kid);
	node->op = op;
	node->name_at = op_at;
	return node;
}

/* An integer when it has neither point nor exponent. */
struct node *make_number(struct parser *p, struct span at, const char *digits, size_t n)
{
	struct arena *arena = &p->ctx->arena;
	struct node *node = set_name(LEAF(NUMBER, at), arena_copy(arena, digits, n), at);
	node->is_integer = !strpbrk(node->name, ".eE");
	if (node->is_integer) {
		errno = 0;
		node->integer = strtoll(node->name, NULL, 10);
		node->real = (double)node->integer;
		if (errno == ERANGE)
			report_error(p->ctx, at, "the integer %s does not fit in 64 bits", node->name);
	} else {
		node->real = read_real(arena, digits, n);
		if (isinf(node->real))
			report_error(p->ctx, at, "the number %s is larger than the largest double", node->name);
	}
	return node;
}

/* Arguments by position come before those by name. */
struct node *make_call(struct parser *p, struct span at, const char *name, struct span name_at, struct node_list *args)
{
	for (int i = 1; args && i < args->n; i++)
		if (!args->item[i]->name && args->item[i - 1]->name) {
			report_error(p->ctx, args->item[i]->at,
				     "an argument without a name stands after one with a name");
			break;
		}
	return set_name(LIST_NODE(CALL, at, args), name, name_at);
}

/* `value -> label: target`: the value is the first argument. */
struct node *make_pipe(struct parser *p, struct span at, struct node *value, const char *label, struct node *target)
{
	struct node_list *args = add_node(p, NULL, NODE(ARG, value->at, value));
	for (int i = 0; target->kind == NODE_CALL && i < target->n; i++)
		add_node(p, args, target->kid[i]);
	struct node *call = arena_alloc(&p->ctx->arena, sizeof *call);
	*call = (struct node){
		.kind = NODE_CALL, .at = at, .label = label, .piped = true, .n = args->n, .kid = args->item};
	call->has_grad = value->has_grad || target->has_grad;
	set_depth(p, call);
	return set_name(call, target->name, target->name_at);
}

/* `base.a.b` is a member of a member. */
struct node *make_member(struct parser *p, struct span at, struct node *base, const char *path, struct span path_at)
{
	for (const char *part = path;; part++) {
		size_t n = strcspn(part, ".");
		struct span name_at = {p->src, path_at.begin + (uint32_t)(part - path), 0};
		name_at.end = name_at.begin + (uint32_t)n;
		base = NODE(MEMBER, ((struct span){p->src, at.begin, name_at.end}), base);
		set_name(base, arena_copy(&p->ctx->arena, part, n), name_at);
		part += n;
		if (!*part)
			return base;
	}
}

struct node *make_type(struct parser *p, struct span at, const char *name, struct span name_at, struct node *dims)
{
	bool is_class = strcmp(name, "class") == 0;
	at.begin = name_at.begin; /* without the colon */
	if (!is_class && strcmp(name, "int") != 0 && strcmp(name, "real") != 0 && strcmp(name, "bool") != 0)
		report_error(p->ctx, name_at, "unknown type \"%s\": there are real, int, bool and class[n]", name);
	else if (is_class && (!dims || dims->n != 1))
		report_error(p->ctx, at, "a class type has its number of classes in brackets: class[10]");
	else if (!is_class && dims)
		report_error(p->ctx, dims->at, "the shape stands after the name, not after the type: x[3]: %s", name);
	return set_name(NODE(TYPE, at, dims), name, name_at);
}

/* node came with the keyword, and holds the documentation. */
struct node *make_definition(struct parser *p, struct node *node, struct span at, const char *name, struct span name_at,
			     struct node *formals, struct node *body)
{
	struct node *whole = NODE(DEFINE, at, formals, body);
	whole->what = node->what;
	whole->doc = node->doc;
	memcpy(&whole->example, &node->example, sizeof node->example);
	return set_name(whole, name, name_at);
}
