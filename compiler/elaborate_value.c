/* elaborate_value.c - values that are tensors: as expressions over all their axes, and as equations of the graph.
 *
 * The leading axes, the sample's and those of scans, are none of the shape that the language shows. */
#include "elaborate.h"
#include "elaborate_building.h"

bool is_batched(const struct value *v) { return v->lead & 1; }
int lead_rank(unsigned lead) { return __builtin_popcount(lead); }
int own_rank(const struct value *v) { return v->rank - lead_rank(v->lead); }
struct axis *own_axis(const struct value *v) { return v->axis + lead_rank(v->lead); }

void map_lead(struct elaborator *E, unsigned from, unsigned to, struct expr **map)
{
	int n = 0, slot = 0;
	for (unsigned bit = 1; bit && bit <= to; bit <<= 1) {
		if (from & bit)
			map[n++] = ex_index(E->g, slot);
		slot += (to & bit) != 0;
	}
}

void lead_axes(struct elaborator *E, unsigned lead, struct axis *axis)
{
	int n = 0;
	if (lead & 1)
		axis[n++] = (struct axis){E->g->batch, true};
	for (int d = 0; d < E->scans; d++)
		if (lead >> (1 + d) & 1)
			axis[n++] = (struct axis){E->scan[d]->trips, false};
}

/* Letters for own axes; a leading axis has the name of what it runs along. */
void whole_index(struct elaborator *E, const struct value *v, struct index *index)
{
	int n = 0;
	if (v->lead & 1)
		index[n++].name = "batch";
	for (int d = 0; d < E->scans; d++)
		if (v->lead >> (1 + d) & 1)
			index[n++].name = E->scan[d]->index;
	for (char letter = 'i'; n < v->rank; n++, letter++)
		index[n].name = arena_printf(&E->ctx->arena, "%c", letter);
	for (int i = 0; i < v->rank; i++) {
		index[i].extent = v->axis[i].extent;
		index[i].rows = v->axis[i].rows;
	}
}

/* ---- from tensors and numbers to values ---- */

struct value tensor_value(struct elaborator *E, struct tensor *t)
{
	struct expr *subs[64];
	for (int i = 0; i < t->rank; i++)
		subs[i] = ex_index(E->g, i);
	return (struct value){.kind = VAL_TENSOR,
			      .expr = ex_read(E->g, t, subs, NULL),
			      .classes = t->classes,
			      .lead = t->batched,
			      .rank = t->rank,
			      .axis = t->axis};
}

struct value as_tensor(struct elaborator *E, const struct value *v)
{
	struct value t = {.kind = VAL_TENSOR};
	switch (v->kind) {
	case VAL_TUPLE: return v->n && !is_known(v) ? v->item[0] : *v; /* of several results the first is meant */
	case VAL_INT: t.expr = ex_int(E->g, v->integer); return t;
	case VAL_BOOL: t.expr = ex_bool(E->g, v->integer); return t;
	case VAL_REAL: t.expr = ex_num(E->g, v->real); return t;
	default: return *v;
	}
}

/* A whole value of rank 0 as a scalar of the equation being built. */
bool to_indexed(struct elaborator *E, struct span at, struct value *v)
{
	if (v->kind == VAL_ERROR)
		return false;
	*v = as_tensor(E, v);
	if (v->kind != VAL_TENSOR) {
		fail(E, at, "expected a number or a tensor's element, not %s", kind_text(v));
		return false;
	}
	if (v->indexed)
		return true;
	if (own_rank(v) > 0) {
		const char *name = v->expr->op == EX_READ ? v->expr->tensor->name : "this";
		fail(E, at, "'%s' has shape %s: in an equation with indices it needs a subscript for each axis", name,
		     value_shape(E, v));
		return false;
	}
	if (v->lead) {
		struct expr *map[MAX_SCAN_DEPTH + 1];
		int n = 0;
		for (int bit = 0; bit <= E->scans; bit++)
			if (v->lead >> bit & 1)
				map[n++] = ex_index(E->g, bit ? bit : E->eq->batch_slot);
		v->expr = ex_substitute(E->g, v->expr, map, n);
	}
	*v = (struct value){.kind = VAL_TENSOR, .expr = v->expr, .classes = v->classes, .indexed = true};
	return true;
}

/* ---- from values to tensors ---- */

/* The value is a tensor of the graph as it is: all of it, at its own places. */
bool is_tensor_itself(const struct value *v)
{
	const struct tensor *t =
		v->kind == VAL_TENSOR && !v->indexed && v->expr->op == EX_READ ? v->expr->tensor : NULL;
	if (!t || v->expr->guarded || t->rank != v->rank || t->batched != is_batched(v) ||
	    !ex_is_read_of(v->expr, t, v->rank))
		return false;
	for (int i = 0; i < v->rank; i++)
		if (t->axis[i].extent != v->axis[i].extent)
			return false;
	return true;
}

/* A cheap value may be repeated wherever the argument is used; anything else becomes an equation first. */
bool is_cheap(const struct expr *e) { return e->n == 0 || (e->op == EX_READ && !e->guarded); }

void define_whole(struct elaborator *E, struct tensor *t, const struct value *own, struct expr *e, struct span at)
{
	struct index index[64];
	whole_index(E, own, index);
	emit_equation(E, graph_equation(E->g, t, RED_NONE, t->rank, t->rank, index, e, at));
}

/* The value as a tensor of its own: an equation, unless it is one already. */
struct tensor *materialize(struct elaborator *E, struct value v, const char *name, struct span at)
{
	v = as_tensor(E, &v);
	if (v.kind == VAL_ERROR)
		return NULL;
	if (v.kind != VAL_TENSOR || v.indexed) {
		fail(E, at, "expected a tensor, not %s", v.indexed ? "an element under an index" : kind_text(&v));
		return NULL;
	}
	if (is_tensor_itself(&v))
		return v.expr->tensor;
	at = user_place(E, at);
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, name, v.expr->elem, is_batched(&v), v.rank, v.axis, at);
	t->classes = v.classes;
	t->layer = E->scope->path;
	struct index index[64];
	whole_index(E, &v, index);
	bound_values(t, v.expr, index);
	emit_equation(E, graph_equation(E->g, t, RED_NONE, t->rank, t->rank, index, v.expr, at));
	return t;
}

struct value settle(struct elaborator *E, struct value v, const char *name, struct span at)
{
	struct tensor *t = materialize(E, v, name, at);
	if (!t)
		return error_value();
	struct value out = tensor_value(E, t);
	out.lead = v.lead;
	out.classes = v.classes;
	return out;
}
