/* verify_equation.c - is an equation sound: types, indices, subscripts; and is what it reads there when it runs? */
#include "expr.h"
#include "verify.h"

#include <string.h>

/* ---- types ---- */

/* How an operator's arguments and result are typed; see the list in graph.h. */
static bool arguments_are(const struct expr *e, int n, enum elem elem)
{
	if (e->n != n)
		return false;
	for (int i = 0; i < n; i++)
		if (e->arg[i]->elem != elem)
			return false;
	return true;
}

static bool types_fit(const struct expr *e)
{
	switch (e->op) {
	case EX_NUM:
	case EX_DRAW: return e->elem == ELEM_REAL && e->n == 0;
	case EX_INT: return e->elem != ELEM_REAL && e->n == 0;
	case EX_RUN: return e->elem == (e->run == RUN_LOSS ? ELEM_REAL : ELEM_INT) && e->n == 0;
	case EX_INDEX: return e->elem == ELEM_INT && e->n == 0;
	case EX_READ: return true; /* check_read */
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_MIN:
	case EX_MAX: return e->elem != ELEM_BOOL && arguments_are(e, 2, e->elem);
	case EX_FLOORDIV:
	case EX_MOD: return e->elem == ELEM_INT && arguments_are(e, 2, ELEM_INT);
	case EX_DIV:
	case EX_POW: return e->elem == ELEM_REAL && arguments_are(e, 2, ELEM_REAL);
	case EX_NEG:
	case EX_ABS: return e->elem != ELEM_BOOL && arguments_are(e, 1, e->elem);
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: return e->elem == ELEM_BOOL && (arguments_are(e, 2, ELEM_REAL) || arguments_are(e, 2, ELEM_INT));
	case EX_AND:
	case EX_OR: return e->elem == ELEM_BOOL && arguments_are(e, 2, ELEM_BOOL);
	case EX_NOT: return e->elem == ELEM_BOOL && arguments_are(e, 1, ELEM_BOOL);
	case EX_SELECT:
		return e->n == 3 && e->arg[0]->elem == ELEM_BOOL && e->arg[1]->elem == e->elem &&
		       e->arg[2]->elem == e->elem;
	case EX_ISNAN: return e->elem == ELEM_BOOL && arguments_are(e, 1, ELEM_REAL);
	case EX_TO_INT: return e->elem == ELEM_INT && e->n == 1 && e->arg[0]->elem != ELEM_INT;
	case EX_TO_REAL: return e->elem == ELEM_REAL && e->n == 1 && e->arg[0]->elem != ELEM_REAL;
	default: return e->op < EX_COUNT && e->elem == ELEM_REAL && arguments_are(e, 1, ELEM_REAL);
	}
}

/* ---- reads ---- */

bool is_value_of(const struct verifier *v, const struct tensor *t, enum part part)
{
	const struct status *s = &v->status[t->id];

	return (s->mapped | s->added) >> part & 1;
}

/* Whether t exists when the current equation runs. */
bool is_readable(const struct verifier *v, const struct tensor *t)
{
	switch (t->role) {
	case ROLE_DATA:
	case ROLE_SETTING: return true;
	case ROLE_INPUT:
	case ROLE_TARGET: return v->part != PART_INIT && v->part != PART_UPDATE && v->part != PART_AVERAGE;
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_STATE: return v->part != PART_INIT || is_value_of(v, t, PART_INIT);
	case ROLE_GRAD: return is_value_of(v, t, v->part) || v->part == PART_UPDATE;
	default: return is_value_of(v, t, v->part) || (v->part == PART_BACKWARD && is_value_of(v, t, PART_FORWARD));
	}
}

/* In a scan: whether the read e is of an earlier step, whose values are all there. The steps of the scans around come
 * first, as in the order of running. */
static bool reads_earlier_step(struct verifier *v, const struct expr *e)
{
	const struct tensor *t = e->tensor, *into = v->eq->tensor;

	for (int d = 0; d < v->scans && v->status[t->id].scans >> d & 1; d++) {
		int64_t steps;

		if (t->rank <= t->batched + d || into->rank <= into->batched + d) {
			fault(v, "%s takes part in a scan but has no axis for its steps", t->name);
			return true;
		}
		if (!affine_difference(e->arg[t->batched + d], ex_index(v->g, into->batched + d), &steps)) {
			fault(v, "%s is read at a step that may not be done", t->name);
			return true;
		}
		if (v->scan[d]->reverse)
			steps = -steps;
		if (steps > 0)
			fault(v, "%s is read at a later step", t->name);
		if (steps != 0)
			return true;
	}
	return false;
}

/* Marks t, and what it is a view of, as read by the current part. */
static void note_read(struct verifier *v, const struct tensor *t)
{
	if (!is_readable(v, t))
		fault(v, "%s is read, which is not defined yet, or not for this part", t->name);
	for (; t; t = t->role == ROLE_VIEW ? t->of : NULL)
		v->status[t->id].read |= (uint8_t)(1 << v->part);
}

/* Whether a subscript may be a row that every run has. What is computed, as by argmax over the rows, is trusted. */
static bool is_row(const struct verifier *v, const struct expr *e)
{
	if (e->op == EX_INDEX)
		return v->eq->index[e->slot].rows;
	return e->op != EX_INT || e->integer == 0;
}

/* A subscript of axis a of t. */
static void check_subscript(struct verifier *v, const struct tensor *t, int a, const struct expr *e, bool guarded)
{
	const struct equation *eq = v->eq;
	struct range r;

	if (e->elem != ELEM_INT) {
		fault(v, "subscript %d of %s is not an integer", a + 1, t->name);
		return;
	}
	if (guarded)
		return;
	if (range_of(e, eq->index, &r) && (r.low < 0 || r.high >= t->axis[a].extent))
		fault(v, "subscript %d of %s has the range %lld to %lld, but the extent is %lld", a + 1, t->name,
		      (long long)r.low, (long long)r.high, (long long)t->axis[a].extent);
	if (t->axis[a].rows && !is_row(v, e))
		fault(v, "subscript %d of %s may be a row that the run does not have", a + 1, t->name);
}

static void check_read(struct verifier *v, const struct expr *e)
{
	const struct tensor *t = e->tensor;

	check_tensor(v, t);
	if (v->fault)
		return;
	if (e->n != t->rank + e->guarded) {
		fault(v, "%s has rank %d and is read with %d subscripts", t->name, t->rank, e->n - e->guarded);
		return;
	}
	if (e->guarded ? e->arg[t->rank]->elem != e->elem || e->elem > t->elem : e->elem != t->elem)
		fault(v, "a read of %s has another type than the tensor", t->name);
	for (int a = 0; a < t->rank; a++)
		check_subscript(v, t, a, e->arg[a], e->guarded);
	if (!reads_earlier_step(v, e))
		note_read(v, t);
}

static void check_expr(void *user, struct expr *e)
{
	struct verifier *v = user;
	uint64_t slots = 0;

	if (v->fault)
		return;
	for (int i = 0; i < e->n; i++)
		slots |= e->arg[i]->slots;
	if (e->op == EX_INDEX)
		slots = (uint64_t)1 << e->slot;
	if (slots != e->slots)
		fault(v, "the slots of an expression (%s) are not those of its arguments", ex_name(e->op));
	else if (!types_fit(e))
		fault(v, "an argument of %s has the wrong type", ex_name(e->op));
	else if (e->op == EX_READ)
		check_read(v, e);
	else if (e->op == EX_DRAW && v->eq->kind != EQ_MAP)
		fault(v, "a draw needs an element, and so a map");
}

static void check_value(struct verifier *v, struct expr *e)
{
	if (!e)
		fault(v, "a value is missing");
	else if (v->eq->n < 64 && e->slots >> v->eq->n)
		fault(v, "an expression uses an index that the equation does not have");
	else
		ex_visit(v->g, e, check_expr, v);
}

/* ---- equations ---- */

static void check_indices(struct verifier *v)
{
	const struct equation *eq = v->eq;

	if (eq->nfree < 0 || eq->n < eq->nfree || eq->n > 64) {
		fault(v, "it has %d indices, %d of them free", eq->n, eq->nfree);
		return;
	}
	for (int s = 0; s < eq->n; s++) {
		const struct index *index = &eq->index[s];

		if (!index->name || !*index->name || index->extent < 1) {
			fault(v, "index %d has no name or no extent", s + 1);
			return;
		}
		if (index->rows && index->extent != v->g->batch)
			fault(v, "index %s runs over the rows, but its extent is not the batch", index->name);
		for (int k = 0; k < s; k++)
			if (strcmp(index->name, eq->index[k].name) == 0)
				fault(v, "two indices are named %s", index->name);
	}
}

/* The last index of a total that runs over rows is that of the set's samples. */
static void check_total(struct verifier *v)
{
	const struct equation *eq = v->eq;
	bool rows = false;

	for (int s = eq->nfree; s < eq->n; s++)
		rows |= eq->index[s].rows;
	if (eq->kind != EQ_MAP || v->part != PART_INFERENCE || eq->tensor->role != ROLE_VALUE || eq->tensor->batched ||
	    v->scans)
		fault(v, "a total is a value of part inference outside of scans, one for all samples");
	else if (!rows || (eq->red != RED_SUM && eq->red != RED_MIN && eq->red != RED_MAX))
		fault(v, "a total is a sum, a minimum or a maximum over samples");
}

static void check_map(struct verifier *v)
{
	const struct equation *eq = v->eq;
	const struct tensor *t = eq->tensor;
	bool position = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN;

	if (eq->nfree != t->rank) {
		fault(v, "it has %d free indices for %d axes", eq->nfree, t->rank);
		return;
	}
	for (int a = 0; a < t->rank; a++)
		if (eq->index[a].extent != t->axis[a].extent || eq->index[a].rows != t->axis[a].rows)
			fault(v, "index %s does not run along axis %d", eq->index[a].name, a + 1);
	if (eq->red == RED_NONE && eq->n != eq->nfree)
		fault(v, "index %s is bound by no reducer", eq->index[eq->nfree].name);
	check_value(v, eq->value);
	if (!v->fault && t->elem != (position ? ELEM_INT : eq->value->elem))
		fault(v, "the value has another type than the tensor");
}

static void check_scatter(struct verifier *v)
{
	const struct equation *eq = v->eq;
	const struct tensor *t = eq->tensor;

	if (eq->nfree || !eq->target || t->rank == 0) {
		fault(v, "a scatter has no free indices, and a subscript for each axis");
		return;
	}
	check_value(v, eq->value);
	if (!v->fault && t->elem != eq->value->elem)
		fault(v, "the value has another type than the tensor");
	for (int a = 0; a < t->rank && !v->fault; a++) {
		check_value(v, eq->target[a]);
		if (!v->fault)
			check_subscript(v, t, a, eq->target[a], false);
	}
}

/* Which roles a part may define. */
static bool may_define(const struct tensor *t, enum part part)
{
	switch (t->role) {
	case ROLE_VALUE:
	case ROLE_VIEW: return true;
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_STATE: return part == PART_INIT;
	case ROLE_GRAD: return part == PART_BACKWARD;
	case ROLE_NEXT:
		return part == PART_UPDATE || (t->of->role == ROLE_PARAM && part == PART_AVERAGE) ||
		       (t->of->role == ROLE_STATE && (part == PART_FORWARD || part == PART_INFERENCE));
	default: return false;
	}
}

static void note_definition(struct verifier *v)
{
	const struct tensor *t = v->eq->tensor;
	struct status *s = &v->status[t->id];
	uint8_t part = (uint8_t)(1 << v->part);

	if (!may_define(t, v->part))
		fault(v, "this part may not define it");
	if (s->read)
		fault(v, "it was read before");
	if (s->mapped && v->eq->kind != EQ_SCATTER)
		fault(v, "it is defined twice");
	if (s->added && v->eq->kind != EQ_SCATTER)
		fault(v, "it was added to before");
	if ((s->mapped | s->added) & ~part)
		fault(v, "another part defines it as well");
	if (v->eq->kind == EQ_SCATTER)
		s->added |= part;
	else
		s->mapped |= part;
}

/* The steps of every scan around are an axis of what is defined in it. */
static void check_steps(struct verifier *v)
{
	const struct tensor *t = v->eq->tensor;

	if (v->scans && v->eq->kind == EQ_SCATTER)
		fault(v, "a scatter stands in a scan");
	for (int d = 0; d < v->scans; d++)
		if (t->rank <= t->batched + d || t->axis[t->batched + d].extent != v->scan[d]->trips)
			fault(v, "it has no axis for the steps of the scan over %s", v->scan[d]->index);
}

static void mark_body(struct verifier *v, const struct scan *scan, uint32_t bit, bool inside)
{
	for (int i = 0; i < scan->n; i++)
		if (scan->body[i]->kind == EQ_SCAN)
			mark_body(v, scan->body[i]->scan, bit, inside);
		else if (scan->body[i]->tensor && scan->body[i]->tensor->id < (uint32_t)v->g->tensors.n)
			v->status[scan->body[i]->tensor->id].scans =
				(v->status[scan->body[i]->tensor->id].scans & ~bit) | (inside ? bit : 0);
}

static void check_scan(struct verifier *v, const struct scan *scan)
{
	uint32_t bit = (uint32_t)1 << v->scans;

	if (v->scans == VERIFY_SCANS - 1 || !scan->index || scan->trips < 1 || scan->depth != v->scans) {
		fault(v, "a scan has no index, no steps, or another depth than its place");
		return;
	}
	mark_body(v, scan, bit, true);
	v->scan[v->scans++] = scan;
	for (int i = 0; i < scan->n && !v->fault; i++) {
		v->eq = scan->body[i];
		check_equation(v);
	}
	v->scans--;
	mark_body(v, scan, bit, false);
}

void check_equation(struct verifier *v)
{
	const struct equation *eq = v->eq;

	if (eq->kind == EQ_SCAN) {
		check_scan(v, eq->scan);
		return;
	}
	check_tensor(v, eq->tensor);
	if (!v->fault)
		check_indices(v);
	if (!v->fault)
		check_steps(v);
	if (v->fault)
		return;
	switch (eq->kind) {
	case EQ_MAP: check_map(v); break;
	case EQ_SCATTER: check_scatter(v); break;
	case EQ_VIEW:
		if (eq->tensor->role != ROLE_VIEW || eq->n || eq->value)
			fault(v, "a view has a tensor that it shows, and no indices");
		else
			note_read(v, eq->tensor->of);
		break;
	case EQ_SCAN: break;
	}
	if (eq->tensor->total)
		check_total(v);
	if ((eq->kind == EQ_VIEW) != (eq->tensor->role == ROLE_VIEW))
		fault(v, "a view is defined as something else");
	if (!v->fault)
		note_definition(v);
}
