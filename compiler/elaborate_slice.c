/* elaborate_slice.c - parts of a whole tensor: x[2], x[1:3], x[.., 0], x[label]. */
#include "elaborate.h"
#include "elaborate_building.h"

/* a:b:step of an axis as an expression of the new axis' slot. */
static bool slice_range(struct elaborator *E, const char *name, const struct node *item, struct value *out,
			int64_t extent, int axis, struct expr **map)
{
	int64_t from = 0, to = extent, step = 1;
	if ((item->kid[0] && !expect_int(E, item->kid[0], eval(E, item->kid[0]), "a bound", &from)) ||
	    (item->kid[1] && !expect_int(E, item->kid[1], eval(E, item->kid[1]), "a bound", &to)) ||
	    (item->kid[2] && !expect_int(E, item->kid[2], eval(E, item->kid[2]), "a step", &step)))
		return false;
	if (step < 1)
		fail(E, item->at, "the step of a slice is at least 1, not %lld", (long long)step);
	else if (from < 0 || to > extent)
		fail(E, item->at, "the slice %lld:%lld is not within 0:%lld, axis %d of '%s'", (long long)from,
		     (long long)to, (long long)extent, axis, name);
	else if (from >= to)
		fail(E, item->at, "the slice %lld:%lld has no elements", (long long)from, (long long)to);
	if (step < 1 || from < 0 || to > extent || from >= to) {
		for (int i = 0; i < 3; i++)
			if (item->kid[i])
				note_values(E, item->kid[i]);
		return false;
	}
	*map = ex2(E->g, EX_ADD, ex2(E->g, EX_MUL, ex_int(E->g, step), ex_index(E->g, out->rank)), ex_int(E->g, from));
	out->axis[out->rank++] = (struct axis){(to - from + step - 1) / step, false};
	return true;
}

/* One place of an axis: a known integer, or an integer scalar of the graph. */
static bool slice_place(struct elaborator *E, const char *name, const struct node *item, const struct value *out,
			struct value at, int64_t extent, int axis, struct expr **map)
{
	bool scalar = at.kind == VAL_TENSOR && at.expr->elem == ELEM_INT && !own_rank(&at);
	struct expr *lead[MAX_SCAN_DEPTH + 1];
	int64_t known = 0;
	if (!scalar && at.kind == VAL_TENSOR) {
		fail(E, item->at, "a subscript is a whole number%s",
		     own_rank(&at) ? ", not a tensor: write y[i] = .." : "; int(x) makes one of a real x");
		return false;
	}
	if (!scalar && !expect_int(E, item, at, "a subscript", &known))
		return false;
	map_lead(E, at.lead, out->lead, lead);
	*map = scalar ? ex_substitute(E->g, at.expr, lead, at.rank) : ex_int(E->g, known);
	struct range r;
	struct index index[MAX_SCAN_DEPTH + 1];
	whole_index(E, &(struct value){.lead = out->lead, .rank = lead_rank(out->lead), .axis = out->axis}, index);
	if (at.classes > 0 && scalar && (*map)->op == EX_INT)
		r = (struct range){(*map)->integer, (*map)->integer};
	else if (!range_of(*map, index, &r)) {
		report_outside(E, item->at, name, NULL, extent, axis);
		return false;
	}
	if (r.low >= 0 && r.high < extent)
		return true;
	report_outside(E, item->at, name, &r, extent, axis);
	return false;
}

/* x[2], x[1:3], x[.., 0], x[label]: parts of a whole tensor; missing trailing axes are whole. */
struct value slice(struct elaborator *E, const struct node *n, struct value base)
{
	const struct node *items = n->kid[1];
	int rank = own_rank(&base), given = 0, dots = -1;
	struct value *place = arena_array(&E->ctx->arena, (size_t)items->n + 1, sizeof *place);
	struct value out = {.kind = VAL_TENSOR, .lead = base.lead, .classes = base.classes};
	for (int i = 0; i < items->n; i++) {
		const struct node *k = items->kid[i];
		if (k->kind == NODE_DOTS) {
			dots = i;
			continue;
		}
		given++;
		if (k->kind == NODE_SLICE)
			continue;
		place[i] = eval(E, k);
		if (place[i].kind == VAL_ERROR)
			return error_value();
		out.lead |= place[i].kind == VAL_TENSOR ? place[i].lead : 0;
	}
	if (given > rank) {
		report_subscripts(E, n->at, read_name(n), &base, given);
		return error_value();
	}
	int leading = lead_rank(base.lead);
	out.rank = lead_rank(out.lead);
	out.axis = arena_array(&E->ctx->arena, (size_t)(rank + out.rank) + 1, sizeof *out.axis);
	lead_axes(E, out.lead, out.axis);
	struct expr *map[64];
	map_lead(E, base.lead, out.lead, map);
	int axis = 0;
	for (int i = 0; axis < rank; i++) {
		const struct node *item = i < items->n ? items->kid[i] : NULL;
		int whole = !item ? rank - axis : i == dots ? rank - given : 0;
		for (; whole > 0; whole--, axis++) {
			map[leading + axis] = ex_index(E->g, out.rank);
			out.axis[out.rank++] = own_axis(&base)[axis];
		}
		if (!item || i == dots)
			continue;
		int64_t extent = own_axis(&base)[axis].extent;
		struct expr **sub = &map[leading + axis++];
		if (item->kind == NODE_SLICE ? !slice_range(E, read_name(n), item, &out, extent, axis, sub)
					     : !slice_place(E, read_name(n), item, &out, place[i], extent, axis, sub))
			return error_value();
	}
	out.expr = ex_substitute(E->g, base.expr, map, base.rank);
	return out;
}
