/* elaborate_expr.c - expressions: which kind of node, on known numbers or on tensors, is evaluated by whom. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

static struct value tensor_binary(struct elaborator *E, const struct node *n, struct value a, struct value b)
{
	static const struct {
		enum node_op op;
		enum ex ex;
		bool swap, negate;
	} table[] = {
		{OP_ADD, EX_ADD, 0, 0},
		{OP_SUB, EX_SUB, 0, 0},
		{OP_MUL, EX_MUL, 0, 0},
		{OP_DIV, EX_DIV, 0, 0},
		{OP_FLOORDIV, EX_FLOORDIV, 0, 0},
		{OP_MOD, EX_MOD, 0, 0},
		{OP_POW, EX_POW, 0, 0},
		{OP_LT, EX_LT, 0, 0},
		{OP_GT, EX_LT, 1, 0},
		{OP_LE, EX_LE, 0, 0},
		{OP_GE, EX_LE, 1, 0},
		{OP_EQ, EX_EQ, 0, 0},
		{OP_NE, EX_NE, 0, 0},
		{OP_AND, EX_AND, 0, 0},
		{OP_OR, EX_OR, 0, 0},
	};
	if (n->op == OP_MATMUL)
		return matmul(E, n, a, b);
	if ((n->op == OP_DIV || n->op == OP_FLOORDIV || n->op == OP_MOD) && is_number(&b) && number_of(&b) == 0 &&
	    !E->graph_text) {
		fail(E, n->at, "division by zero: the right side of '%s' is %s", operator_text(n->op),
		     value_text(E, &b));
		note_values(E, n->kid[1]);
		return error_value();
	}
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].op == n->op)
			return lift(E, n->at, table[i].ex, 2,
				    table[i].swap ? (struct value[]){b, a} : (struct value[]){a, b});
	return error_value();
}

static struct value eval_binary(struct elaborator *E, const struct node *n)
{
	/* a chain a + b + c ... leans to the left: walk it without recursion */
	LIST(const struct node *) spine = {0};
	const struct node *left = n;
	for (; left->kind == NODE_BINARY; left = left->kid[0])
		list_add(&E->ctx->arena, &spine, left);
	struct value a = eval(E, left);
	for (int i = spine.n - 1; i >= 0; i--) {
		const struct node *at = spine.item[i];
		bool known_a = is_known(&a);
		/* a known left side of and/or decides without the right */
		if (known_a && a.kind == VAL_BOOL &&
		    ((at->op == OP_AND && !a.integer) || (at->op == OP_OR && a.integer)))
			continue;
		if (a.kind == VAL_ERROR && (at->op == OP_AND || at->op == OP_OR))
			continue; /* the right side may make sense only if the left holds */
		struct value b = eval(E, at->kid[1]);
		if (a.kind == VAL_ERROR || b.kind == VAL_ERROR)
			a = error_value();
		else if (known_a && is_known(&b))
			a = known_binary(E, at, at->op, a, b);
		else if ((at->op == OP_EQ || at->op == OP_NE) &&
			 (a.kind == VAL_NONE || b.kind == VAL_NONE || a.kind == VAL_STRING || b.kind == VAL_STRING))
			a = bool_value(at->op == OP_NE); /* a tensor is never none or a string */
		else
			a = tensor_binary(E, at, a, b);
	}
	return a;
}

static struct value eval_if(struct elaborator *E, const struct node *n)
{
	struct value c = eval(E, n->kid[0]);
	if (c.kind == VAL_BOOL)
		return eval(E, n->kid[c.integer ? 1 : 2]);
	if (c.kind == VAL_ERROR)
		return c;
	if (c.kind != VAL_TENSOR) {
		report_value(E, n->kid[0], &c, "a condition is yes or no");
		return error_value();
	}
	if (c.expr->elem != ELEM_BOOL) {
		fail(E, n->kid[0]->at, "a condition is yes or no: compare, as in x > 0");
		return error_value();
	}
	struct value a = eval(E, n->kid[1]), b = eval(E, n->kid[2]);
	if (a.kind == VAL_ERROR || b.kind == VAL_ERROR)
		return error_value();
	return lift(E, n->at, EX_SELECT, 3, (struct value[]){c, a, b});
}

static struct value eval_subscript(struct elaborator *E, const struct node *n)
{
	struct value base = eval(E, n->kid[0]);
	const struct node *items = n->kid[1];
	if (base.kind == VAL_ERROR)
		return base;
	if (base.kind == VAL_TUPLE && !is_known(&base))
		base = as_tensor(E, &base);
	if (base.kind == VAL_TUPLE && items->n == 1) {
		int64_t at;
		if (!expect_int(E, items->kid[0], eval(E, items->kid[0]), "a subscript", &at))
			return error_value();
		if (at >= 0 && at < base.n)
			return base.item[at];
		fail(E, n->at, "item %lld of a tuple of %d", (long long)at, base.n);
		return error_value();
	}
	if (is_number(&base)) /* a number has the same value at every place */
		return base;
	if (base.kind != VAL_TENSOR) {
		fail(E, n->at, "%s has no elements", kind_text(&base));
		return error_value();
	}
	if (base.indexed) {
		if (items->n == 1 && items->kid[0]->kind == NODE_DOTS)
			return base;
		fail(E, n->at, "this is a scalar already and takes no subscript");
		return error_value();
	}
	if (E->eq)
		return eval_read(E, n, base);
	return n->n > 2 && n->kid[2] ? eval_read_alone(E, n, base) : slice(E, n, base);
}

static struct value eval_tuple(struct elaborator *E, const struct node *n)
{
	struct value v = {
		.kind = VAL_TUPLE, .n = n->n, .item = arena_array(&E->ctx->arena, (size_t)n->n, sizeof *v.item)};
	for (int i = 0; i < n->n; i++) {
		if (n->kid[i]->kind == NODE_DOTS)
			v.item[i] = (struct value){.kind = VAL_STRING, .string = ".."};
		else
			v.item[i] = eval(E, n->kid[i]);
		if (v.item[i].kind == VAL_ERROR)
			return error_value();
	}
	return v;
}

static struct value eval_inner(struct elaborator *E, const struct node *n)
{
	switch (n->kind) {
	case NODE_NAME: return eval_name(E, n);
	case NODE_PRIMED: return eval_primed(E, n);
	case NODE_NUMBER: return n->is_integer ? int_value(n->integer) : real_value(n->real);
	case NODE_STRING: return (struct value){.kind = VAL_STRING, .string = n->name};
	case NODE_TUPLE: return eval_tuple(E, n);
	case NODE_ARRAY: return array_value(E, n);
	case NODE_CALL: return eval_call(E, n);
	case NODE_IF: return eval_if(E, n);
	case NODE_BINARY: return eval_binary(E, n);
	case NODE_REDUCE: return eval_reduce(E, n);
	case NODE_SUBSCRIPT: return eval_subscript(E, n);
	case NODE_MEMBER:
		if (!strcmp(n->name, "T"))
			return transpose(E, n->at, eval(E, n->kid[0]));
		fail(E, n->at, "a value has no member '%s'", n->name);
		return error_value();
	case NODE_UNARY: {
		struct value a = eval(E, n->kid[0]);
		if (a.kind == VAL_ERROR)
			return a;
		if (a.kind != VAL_TENSOR)
			return known_unary(E, n, n->op, a);
		return lift(E, n->at, n->op == OP_NEG ? EX_NEG : EX_NOT, 1, &a);
	}
	default: fail(E, n->at, "this cannot stand in an expression"); return error_value();
	}
}

struct value eval(struct elaborator *E, const struct node *n)
{
	if (E->depth >= MAX_EXPR_DEPTH) {
		fail(E, n->at, "nested too deeply");
		return error_value();
	}
	E->depth++;
	struct value v = eval_inner(E, n);
	E->depth--;
	return v;
}
