/* elaborate_assign.c - assignments: y = e, y' = e and a, b = e. A tensor on the right gets the name on the left. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

/* To the part that is being made, or the body of the scan that is being run in it. */
void emit_equation(struct elaborator *E, struct equation *eq)
{
	struct scan_frame *scan = E->scans ? E->scan[E->scans - 1] : NULL;
	list_add(&E->ctx->arena, scan && scan->part == E->part ? &scan->body : &E->g->part[E->part], eq);
}

static bool is_own_value(struct elaborator *E, const struct value *v, int mark)
{
	const struct expr *e = v->expr;
	if (!e || e->op != EX_READ || e->tensor->role != ROLE_VALUE)
		return false;
	for (int i = mark; i < E->g->tensors.n; i++)
		if (E->g->tensors.item[i] == e->tensor)
			return true;
	return false;
}

/* Bind a name to a value: tensors become equations of that name. mark: tensors made before the right side. */
static void assign_value(struct elaborator *E, const char *name, struct value v, struct span at, int mark)
{
	if (v.kind == VAL_TENSOR && !v.indexed) {
		const char *full = join_path(E, E->scope->path, name);
		if (is_own_value(E, &v, mark) && is_tensor_itself(&v)) {
			graph_rename(E->g, v.expr->tensor, full);
			v.expr->tensor->at = user_place(E, at);
		} else if (v.expr->n || v.rank || v.expr->op == EX_DRAW) {
			v = settle(E, v, full, at);
		}
	}
	bind(E, name, v, at);
}

static void assign_next(struct elaborator *E, const struct node *lhs, struct value v)
{
	struct binding *b = find_binding(E->scope, lhs->name);
	if (v.kind == VAL_ERROR) {
		if (b && b->carried)
			b->carried->set = true; /* it was meant to be */
		return;
	}
	if (assign_carried(E, lhs, v))
		return;
	if (b && !b->next && table_get(&E->scope->overrides, lhs->name)) {
		/* the state was given as an argument: its next value is one of the graph's, kept nowhere */
		b->next_value = settle(E, v, join_path(E, join_path(E, E->scope->path, lhs->name), "next"), lhs->at);
		b->next = b->next_value.kind == VAL_TENSOR ? b->next_value.expr->tensor : NULL;
		return;
	}
	if (!b || !b->state) {
		fail(E, lhs->name_at, "'%s' is no state: %s' = sets the next value of a state", lhs->name, lhs->name);
		if (b)
			report_note(E->ctx, b->at, "'%s' is assigned here", lhs->name);
		return;
	}
	if (b->next) {
		fail(E, lhs->name_at, "the next value of '%s' is set twice", lhs->name);
		report_note(E->ctx, b->next->at, "the first time here");
		return;
	}
	struct tensor *s = b->state;
	v = as_tensor(E, &v);
	if (is_batched(&v) && !s->batched) {
		fail(E, lhs->at, "'%s' is one for all samples, but this value differs from sample to sample",
		     lhs->name);
		report_note(E->ctx, s->at, "reduce over the batch, or declare it per sample: state %s[batch, ..]",
			    lhs->name);
		return;
	}
	struct value own = tensor_value(E, s);
	struct expr *e = stretch_value(E, lhs->at, v, &own, "next value", lhs->name, "state");
	if (!e)
		return;
	struct tensor *next = graph_tensor(E->g, ROLE_NEXT, arena_printf(&E->ctx->arena, "%s'", s->name), s->elem,
					   s->batched, s->rank, s->axis, user_place(E, lhs->at));
	next->of = s;
	next->layer = s->layer;
	define_whole(E, next, &own, e, next->at);
	b->next = next;
	b->next_value = tensor_value(E, next);
}

static void assign_one(struct elaborator *E, const struct node *lhs, struct value v, int mark)
{
	if (lhs->primed)
		assign_next(E, lhs, v);
	else if (strchr(lhs->name, '.') && !E->graph_text)
		fail(E, lhs->name_at, "a name with a dot is a parameter of an instance and cannot be assigned");
	else if (is_predefined(lhs->name))
		fail(E, lhs->name_at, "'%s' is predefined and cannot name anything else", lhs->name);
	else
		assign_value(E, lhs->name, v, lhs->name_at, mark);
}

void assign_result(struct elaborator *E, const struct node *lhs, struct value v)
{
	if (lhs->primed)
		assign_next(E, lhs, v);
	else
		bind(E, lhs->name, v, lhs->name_at);
}

void run_assignment(struct elaborator *E, const struct node *n)
{
	const struct node *lhs = n->kid[0];
	const struct node *first = lhs->kid[0];
	if (lhs->n == 1 && first->n && first->kid[0]) {
		assign_equation(E, first, n->kid[1]);
		return;
	}
	const char *hint = E->scope->hint;
	E->scope->hint = first->name;
	int mark = E->g->tensors.n;
	struct value v = eval(E, n->kid[1]);
	E->scope->hint = hint;
	if (lhs->n == 1) {
		assign_one(E, first, v.kind == VAL_TUPLE && v.n && !is_known(&v) ? v.item[0] : v, mark);
		return;
	}
	if (v.kind == VAL_TUPLE && v.n != lhs->n) {
		fail(E, n->at, "%d names for %d values%s%s", lhs->n, v.n, is_known(&v) ? ": " : "",
		     is_known(&v) ? value_text(E, &v) : "");
		note_values(E, n->kid[1]);
		v = error_value();
	}
	if (v.kind == VAL_TENSOR) {
		fail(E, n->at, "%d names for one tensor", lhs->n);
		v = error_value();
	}
	for (int i = 0; i < lhs->n; i++)
		assign_one(E, lhs->kid[i], v.kind == VAL_TUPLE ? v.item[i] : v, mark);
}
