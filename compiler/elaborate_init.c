/* elaborate_init.c - first values of params and states: = e, for each element or of a whole tensor, and ~ f. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

/* The equation of part init that gives t its first value. */
void set_initial(struct elaborator *E, struct tensor *t, struct value v, struct span at, int mark)
{
	v = as_tensor(E, &v);
	if (v.kind != VAL_TENSOR)
		return;
	struct value own = tensor_value(E, t);
	/* a tensor that was made for this value alone is t itself */
	equation_list *list = &E->g->part[PART_INIT];
	struct equation *last = list->n ? list->item[list->n - 1] : NULL;
	bool own_equation = last && list->n > mark && is_tensor_itself(&v) && last->tensor == v.expr->tensor &&
			    last->tensor->role == ROLE_VALUE && last->tensor->elem == t->elem && v.rank == t->rank;
	for (int i = 0; own_equation && i < t->rank; i++)
		own_equation = t->axis[i].extent == v.axis[i].extent;
	if (own_equation) {
		last->tensor = t;
		return;
	}
	struct expr *e = stretch_value(E, at, v, &own, "initial value", t->name, "tensor");
	if (e)
		define_whole(E, t, &own, e, at);
}

/* ---- ~ f ---- */

struct search {
	const struct tensor *tensor;
	bool found;
};

static struct expr *note_tensor(void *user, struct expr *read)
{
	struct search *s = user;
	s->found |= read->tensor == s->tensor;
	return read;
}

static bool reads_tensor(struct elaborator *E, struct expr *e, const struct tensor *t)
{
	struct search s = {t, false};
	ex_map_reads(E->g, e, note_tensor, &s);
	return s.found;
}

/* ~ f(a): the value of initialiser f for tensor t. */
static struct value eval_init(struct elaborator *E, const struct node *target, struct tensor *t)
{
	const struct node *def = get_definition(E, &E->inits, target->name);
	if (!def) {
		fail(E, target->at, "unknown initialiser '%s'%s", target->name,
		     suggest_definition(E, target->name, &E->inits));
		return error_value();
	}
	int n = target->kind == NODE_CALL ? target->n : 0;
	struct argument *arg = arena_array(&E->ctx->arena, (size_t)n + 1, sizeof *arg);
	arg[0] = (struct argument){NULL, tensor_value(E, t), target->at};
	for (int i = 0; i < n; i++)
		arg[i + 1] =
			(struct argument){target->kid[i]->name, eval(E, target->kid[i]->kid[0]), target->kid[i]->at};
	int mark = E->g->part[PART_INIT].n;
	struct value v = inline_definition(E, def, join_path(E, t->name, "init"), target->at, arg, n + 1, false);
	bool reads = v.kind == VAL_TENSOR && reads_tensor(E, v.expr, t);
	for (int i = mark; i < E->g->part[PART_INIT].n && !reads; i++)
		reads = E->g->part[PART_INIT].item[i]->kind == EQ_MAP &&
			reads_tensor(E, E->g->part[PART_INIT].item[i]->value, t);
	if (!reads)
		return v;
	fail(E, target->at, "initialiser %s reads the values of its tensor; only the shape is there yet", def->name);
	return error_value();
}

/* ---- = e ---- */

/* = e: per element, so that a draw in it is one for each; or a tensor of the shape. */
static struct value eval_initial(struct elaborator *E, const struct node *value, struct tensor *t, bool *done)
{
	struct building b;
	int slot[64];
	struct building *eq = E->eq;
	begin_equation(E, &b);
	for (int i = t->batched; i < t->rank; i++)
		slot[i - t->batched] = add_slot(E, NULL, t->axis[i].extent, false, value->at);
	struct value v = eval(E, value);
	if (v.kind == VAL_TENSOR && v.indexed) {
		*done = true;
		finish_equation(E, v, slot, t->rank - t->batched, t->batched, t, t->name, value->at);
	}
	E->eq = eq;
	return v;
}

void initialize(struct elaborator *E, const struct node *var, const char *name, struct tensor *t)
{
	const struct node *value = var->n > 2 ? var->kid[2] : NULL, *target = var->n > 3 ? var->kid[3] : NULL;
	enum part part = E->part;
	int scans = E->scans; /* the first value is one for all steps */
	E->part = PART_INIT;
	E->scans = 0;
	int mark = E->g->part[PART_INIT].n;
	const char *hint = E->scope->hint;
	E->scope->hint = name;
	bool done = false;
	struct value v = target ? eval_init(E, target, t) : value ? eval_initial(E, value, t, &done) : int_value(0);
	if (v.kind == VAL_ERROR || done)
		;
	else if (v.kind != VAL_TENSOR && !is_number(&v))
		fail(E, var->at, "the initial value of '%s' is %s, not a number or tensor", name, kind_text(&v));
	else if (is_batched(&v) && !t->batched)
		fail(E, var->at, "the initial value of '%s' differs from sample to sample", name);
	else
		set_initial(E, t, v, var->at, mark);
	E->scope->hint = hint;
	E->part = part;
	E->scans = scans;
}
