/* elaborate_graph_equation.c - equations in the text of a graph: maps, views, scatters and scans, each with one reducer
 * at most. */
#include "elaborate.h"
#include "elaborate_building.h"
#include "elaborate_graph.h"

#include <string.h>

static void bind_value(struct elaborator *E, const char *name, struct tensor *t, struct span at)
{
	bind(E, name, tensor_value(E, t), at);
}

/* T[q < 8] = view(x)[q] */
static void read_view(struct elaborator *E, const struct node *lhs, const struct node *call)
{
	struct axis axis[64];
	int n = 0;
	struct value of = call->n == 1 ? eval(E, call->kid[0]->kid[0]) : error_value();
	if (of.kind != VAL_TENSOR || of.expr->op != EX_READ) {
		if (of.kind != VAL_ERROR)
			fail(E, call->at, "view takes the name of a tensor");
		return;
	}
	const struct node *items = lhs->n ? lhs->kid[0] : NULL;
	for (int i = 0; items && i < items->n && i < 64; i++) {
		const struct node *k = items->kid[i];
		int64_t extent = 0;
		if (k->kind == NODE_NAME && !strcmp(k->name, "batch")) {
			axis[n++] = (struct axis){E->g->batch, true};
			continue;
		}
		if (k->kind != NODE_BINARY || k->op != OP_LT ||
		    !expect_int(E, k->kid[1], eval(E, k->kid[1]), "an extent", &extent)) {
			fail(E, k->at, "a view's index has its extent written: q < 128");
			return;
		}
		axis[n++] = (struct axis){extent, false};
	}
	struct tensor *base = of.expr->tensor;
	struct tensor *t = graph_tensor(E->g, ROLE_VIEW, lhs->name, base->elem, base->batched, n, axis, lhs->at);
	t->of = base;
	take_type(t, base);
	t->layer = "";
	if (tensor_size(t) != tensor_size(base)) {
		fail(E, lhs->at, "'%s' has %lld elements, '%s' %lld", t->name, (long long)tensor_size(t), base->name,
		     (long long)tensor_size(base));
		return;
	}
	struct equation *eq = arena_alloc(&E->ctx->arena, sizeof *eq);
	*eq = (struct equation){.kind = EQ_VIEW, .tensor = t, .at = lhs->at};
	emit_equation(E, eq);
	bind_value(E, lhs->name, t, lhs->name_at);
}

/* The tensor that an equation's left side names where it exists already; NULL: a new one. */
static struct tensor *existing_target(struct elaborator *E, const struct node *lhs, bool *ok)
{
	struct tensor *t = table_get(&E->params, lhs->name);
	*ok = true;
	if (lhs->primed) {
		if (!t || t->role == ROLE_INPUT || t->role == ROLE_TARGET || t->role == ROLE_SETTING) {
			fail(E, lhs->at, "'%s' is no param and no state, so it has no next value", lhs->name);
			*ok = false;
			return NULL;
		}
		struct tensor *next = graph_tensor(E->g, ROLE_NEXT, arena_printf(&E->ctx->arena, "%s'", t->name),
						   t->elem, t->batched, t->rank, t->axis, lhs->at);
		next->of = t;
		next->layer = t->layer;
		struct binding *b = find_binding(E->scope, lhs->name);
		b->next = next;
		b->next_value = tensor_value(E, next);
		return next;
	}
	if (t && E->part != PART_INIT) {
		fail(E, lhs->at, "'%s' is declared; outside of part init its next value %s' is set", lhs->name,
		     lhs->name);
		*ok = false;
	}
	if (t)
		return t;
	struct tensor *grad = graph_text_grad(E, lhs->name, lhs->at);
	if (grad)
		return grad;
	struct binding *b = find_binding(E->scope, lhs->name);
	if (!b || b->value.kind != VAL_TENSOR)
		return NULL;
	if (b->value.expr->tensor->role == ROLE_GRAD)
		return b->value.expr->tensor;
	fail(E, lhs->name_at, "'%s' is defined twice", lhs->name);
	report_note(E->ctx, b->at, "first here");
	*ok = false;
	return NULL;
}

static bool is_view(const struct node *rhs)
{
	const struct node *call = rhs->kind == NODE_SUBSCRIPT ? rhs->kid[0] : rhs;
	return call->kind == NODE_CALL && !strcmp(call->name, "view");
}

/* declared: the left side's tensor is there already, without its type. */
void read_map(struct elaborator *E, const struct node *lhs, const struct node *rhs, bool declared)
{
	bool ok = true, batch = false;
	int64_t classes = 0;
	if (is_view(rhs)) {
		read_view(E, lhs, rhs->kind == NODE_CALL ? rhs : rhs->kid[0]);
		return;
	}
	if (rhs->kind == NODE_CALL && !strcmp(rhs->name, "class") && rhs->n == 2) {
		if (!expect_int(E, rhs->kid[1], eval(E, rhs->kid[1]->kid[0]), "a number of classes", &classes))
			return;
		rhs = rhs->kid[0]->kid[0];
	}
	if (declared && E->ctx->errors) /* its left side may be what is wrong */
		return;
	struct tensor *into =
		declared ? find_binding(E->scope, lhs->name)->value.expr->tensor : existing_target(E, lhs, &ok);
	ok |= declared;
	struct building b;
	int slot[64], n = 0;
	begin_equation(E, &b);
	if (ok && lhs->n && lhs->kid[0])
		ok = declare_indices(E, lhs->kid[0], false, slot, &n, &batch);
	struct value v = ok ? eval(E, rhs) : error_value();
	if (v.kind != VAL_ERROR)
		v = finish_equation(E, v, slot, n, batch, into, lhs->name, lhs->at);
	E->eq = NULL;
	if (v.kind == VAL_ERROR)
		return;
	struct tensor *t = v.expr->tensor;
	if (into) {
		struct equation *eq = E->g->part[E->part].item[E->g->part[E->part].n - 1];
		bool same = eq->nfree == into->rank;
		for (int i = 0; same && i < into->rank; i++)
			same = eq->index[i].extent == into->axis[i].extent && eq->index[i].rows == into->axis[i].rows;
		if (!same)
			fail(E, lhs->at, "the indices of '%s' are not those of its declaration", lhs->name);
		if (declared) {
			into->elem = eq->value->elem;
			into->classes = classes;
		}
		return;
	}
	if (classes)
		t->classes = classes;
	bind_value(E, lhs->name, t, lhs->name_at);
}

/* T[a < n, j < 5] += sum[batch, j < 5] e */
void read_scatter(struct elaborator *E, const struct node *n)
{
	struct building b;
	const struct node *items = n->kid[0], *rhs = n->kid[1];
	bool batch = false, ok = true;
	int slot[64], count = 0;
	begin_equation(E, &b);
	if (rhs->kind == NODE_REDUCE && !strcmp(rhs->name, "sum")) {
		ok = declare_indices(E, rhs->kid[0], true, slot, &count, &batch);
		rhs = rhs->kid[1];
	}
	struct expr *target[64], *map[64] = {0};
	struct axis axis[64];
	for (int i = 0; i < items->n && ok && i < 64; i++) {
		const struct node *k = items->kid[i];
		bool own = k->kind == NODE_NAME && !strcmp(k->name, "batch");
		axis[i] = (struct axis){own ? E->g->batch : 0, own};
		if (!own && (k->kind != NODE_BINARY || k->op != OP_LT)) {
			fail(E, k->at, "a target's subscript has the axis' extent written: T[a < n] += ...");
			ok = false;
			break;
		}
		struct value extent = own ? error_value() : eval(E, k->kid[1]);
		if (extent.kind == VAL_TENSOR && extent.expr->op == EX_RUN && extent.expr->run == RUN_ROWS)
			axis[i] = (struct axis){E->g->batch, true};
		else if (!own)
			ok = expect_int(E, k->kid[1], extent, "an extent", &axis[i].extent);
		struct value s = own ? (struct value){.kind = VAL_TENSOR, .expr = ex_index(E->g, 0), .indexed = true}
				     : eval(E, k->kid[0]);
		ok = ok && s.kind != VAL_ERROR && to_indexed(E, k->at, &s);
		target[i] = s.expr;
	}
	struct value v = ok ? eval(E, rhs) : error_value();
	ok = v.kind != VAL_ERROR && to_indexed(E, n->at, &v) && check_extents(E);
	E->eq = NULL;
	if (!ok)
		return;
	struct binding *old = find_binding(E->scope, n->name);
	struct tensor *t = old && old->value.kind == VAL_TENSOR ? old->value.expr->tensor
								: graph_text_grad(E, n->name, n->name_at);
	if (!t) {
		t = graph_tensor(E->g, ROLE_VALUE, n->name, v.expr->elem, items->n && axis[0].rows, items->n, axis,
				 n->at);
		t->layer = "";
		bind_value(E, n->name, t, n->name_at);
	}
	if (t->rank != items->n) {
		fail(E, n->at, "'%s' has %d axes, not %d", n->name, t->rank, items->n);
		return;
	}
	struct equation *eq = arena_alloc(&E->ctx->arena, sizeof *eq);
	*eq = (struct equation){.kind = EQ_SCATTER, .tensor = t, .red = RED_NONE, .at = n->at};
	eq->index = arena_array(&E->ctx->arena, (size_t)count + 2, sizeof *eq->index);
	if (batch) {
		map[0] = ex_index(E->g, eq->n);
		eq->index[eq->n++] = (struct index){"batch", E->g->batch, true};
	}
	for (int i = 0; i < count; i++) {
		struct slot *s = &b.slot[slot[i]];
		map[slot[i]] = ex_index(E->g, eq->n);
		eq->index[eq->n++] = (struct index){s->name, s->extent, s->rows};
	}
	eq->value = ex_substitute(E->g, v.expr, map, b.n);
	eq->target = arena_array(&E->ctx->arena, (size_t)t->rank + 1, sizeof *eq->target);
	for (int i = 0; i < t->rank; i++)
		eq->target[i] = ex_substitute(E->g, target[i], map, b.n);
	emit_equation(E, eq);
}

/* ---- scans ---- */

/* Equations of a scan read each other's earlier steps: their tensors are declared first, from left sides that have
 * every extent written. */
static void declare_left_side(struct elaborator *E, const struct node *lhs)
{
	struct axis axis[64];
	int n = 0;
	const struct node *items = lhs->n ? lhs->kid[0] : NULL;
	for (int i = 0; items && i < items->n && i < 64; i++) {
		const struct node *k = items->kid[i];
		if (k->kind == NODE_NAME && !strcmp(k->name, "batch")) {
			axis[n++] = (struct axis){E->g->batch, true};
			continue;
		}
		int64_t extent = 0;
		if (k->kind != NODE_BINARY || k->op != OP_LT ||
		    !expect_int(E, k->kid[1], eval(E, k->kid[1]), "an extent", &extent)) {
			fail(E, k->at, "inside a scan every index on the left has its extent written: i < 8");
			return;
		}
		axis[n++] = (struct axis){extent, false};
	}
	if (find_binding(E->scope, lhs->name)) {
		fail(E, lhs->name_at, "'%s' is defined twice", lhs->name);
		return;
	}
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, lhs->name, ELEM_REAL, n && axis[0].rows, n, axis, lhs->at);
	t->layer = "";
	bind_value(E, lhs->name, t, lhs->name_at);
}

void declare_body(struct elaborator *E, const struct node *block)
{
	for (int i = 0; i < block->n; i++) {
		const struct node *n = block->kid[i];
		if (n->kind == NODE_SCAN)
			declare_body(E, n->kid[2]);
		else if (n->kind == NODE_ASSIGN && !is_view(n->kid[1]))
			declare_left_side(E, n->kid[0]->kid[0]);
	}
}

static void read_body(struct elaborator *E, const struct node *n, int depth);

void read_scan(struct elaborator *E, const struct node *n, int depth)
{
	struct scan *scan = arena_alloc(&E->ctx->arena, sizeof *scan);
	*scan = (struct scan){.index = n->name, .depth = depth};
	if (!expect_int(E, n->kid[0], eval(E, n->kid[0]), "the number of steps", &scan->trips))
		return;
	for (int i = 0; i < n->kid[1]->n; i++)
		scan->reverse |= !strcmp(n->kid[1]->kid[i]->name, "reverse");
	equation_list *list = &E->g->part[E->part];
	int mark = list->n;
	read_body(E, n->kid[2], depth + 1);
	scan->n = list->n - mark;
	scan->body = arena_array(&E->ctx->arena, (size_t)scan->n + 1, sizeof *scan->body);
	if (scan->n)
		memcpy(scan->body, list->item + mark, (size_t)scan->n * sizeof *scan->body);
	list->n = mark;
	struct equation *eq = arena_alloc(&E->ctx->arena, sizeof *eq);
	*eq = (struct equation){.kind = EQ_SCAN, .scan = scan, .at = n->at};
	emit_equation(E, eq);
}

static void read_body(struct elaborator *E, const struct node *block, int depth)
{
	for (int i = 0; i < block->n; i++) {
		const struct node *n = block->kid[i];
		if (n->kind == NODE_SCAN)
			read_scan(E, n, depth);
		else if (n->kind == NODE_ASSIGN && n->kid[0]->n == 1)
			read_map(E, n->kid[0]->kid[0], n->kid[1], true);
		else
			fail(E, n->at, "a scan holds equations only");
	}
}
