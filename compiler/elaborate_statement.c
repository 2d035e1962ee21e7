/* elaborate_statement.c - statements: conditions, repetitions, asserts, and what stands at the top of a file only. */
#include "elaborate.h"
#include "elaborate_graph.h"
#include "elaborate_train.h"

#include <string.h>

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
		report_value(E, n, &c, "a condition is yes or no");
	return false;
}

void bind_errors(struct elaborator *E, const struct node *n)
{
	if ((n->kind == NODE_LHS || n->kind == NODE_CARRY) && !n->primed && !find_binding(E->scope, n->name))
		bind(E, n->name, error_value(), n->name_at);
	bool holds = n->kind == NODE_BLOCK || n->kind == NODE_IFBLOCK || n->kind == NODE_REPEAT ||
		     n->kind == NODE_ASSIGN || n->kind == NODE_ITEMS || n->kind == NODE_SCAN;
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
		report_value(E, n->kid[0], &(struct value){.kind = VAL_INT, .integer = count},
			     "a repeat count is 0 to 1,000,000");
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

/* The text of an assert or a label with each {expression} replaced by its value; NULL after an error. */
const char *filled_text(struct elaborator *E, const char *text, struct span at)
{
	struct text t = {.arena = &E->ctx->arena};
	int errors = E->ctx->errors;
	if (!strchr(text, '{'))
		return text;
	for (const char *p = text; *p; p++) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		if (!end) {
			text_add_bytes(&t, p, 1);
			continue;
		}
		char *inside = arena_copy(&E->ctx->arena, p + 1, (size_t)(end - p - 1));
		char *statement = arena_printf(&E->ctx->arena, "x = %s", inside);
		struct source *src = add_source(E->ctx, "text", statement, strlen(statement), true);
		struct node *tree = parse_source(E->ctx, src);
		struct value v = tree && tree->n == 1 && tree->kid[0]->kind == NODE_ASSIGN
					 ? eval(E, tree->kid[0]->kid[1])
					 : error_value();
		text_add(&t, v.kind == VAL_STRING ? v.string : value_text(E, &v));
		p = end;
	}
	if (E->ctx->errors == errors)
		return t.at ? t.at : "";
	report_note(E->ctx, at, "in the braces of this text");
	return NULL;
}

static void run_assert(struct elaborator *E, const struct node *n)
{
	bool yes;
	if (!known_condition(E, n->kid[0], &yes) || yes)
		return;
	const char *message = filled_text(E, n->name, n->at);
	fail(E, n->at, "%s", message ? message : n->name);
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
			if (v.item[i].kind == VAL_ERROR && E->scope->builtin)
				break; /* one message a call of the library */
			if (v.item[i].kind == VAL_TENSOR && !v.item[i].indexed)
				v.item[i] = settle(E, v.item[i], join_path(E, E->scope->path, "result"), n->kid[i]->at);
		}
		E->scope->result = v;
	}
	E->scope->returned = true;
}

static void run_statement(struct elaborator *E, const struct node *n)
{
	bool top = E->scope == E->file;
	switch (n->kind) {
	case NODE_DECLARE: declare(E, n); return;
	case NODE_ASSIGN: run_assignment(E, n); return;
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
	case NODE_INCLUDE: run_include(E, n); return;
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

/* Repetitions and calls can ask for more than any machine has: the first statement beyond is an error. */
static bool may_go_on(struct elaborator *E, const struct node *n)
{
	bool tensors = E->g->tensors.n > MAX_TENSORS;
	if (++E->statements <= MAX_STATEMENTS && !tensors)
		return E->ctx->distinct < ENOUGH_ERRORS;
	if (E->statements < 2 * MAX_STATEMENTS)
		fail(E, n->at, "this model %s more than %d %s: what repeats or calls itself out so often?",
		     tensors ? "has" : "runs", tensors ? MAX_TENSORS : MAX_STATEMENTS,
		     tensors ? "tensors" : "statements");
	E->statements = 2 * MAX_STATEMENTS;
	return false;
}

void run_block(struct elaborator *E, const struct node *block)
{
	struct scope *s = E->scope;
	int errors = E->ctx->errors;
	for (int i = 0; i < block->n && !s->returned; i++) {
		if (!may_go_on(E, block->kid[i])) {
			s->returned = true;
			s->result = error_value();
			return;
		}
		run_statement(E, block->kid[i]);
		if (s->builtin && E->ctx->errors != errors)
			return; /* one message a call of the library */
	}
}
