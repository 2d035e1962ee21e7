/* elaborate_read.c - reads in an equation with indices, x[i, 2*k + 1, .. else 0]: a subscript that is an index alone
 * tells its extent, any other is checked to stay inside its axis, unless `else` has a value for what is outside. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

/* What is subscripted, for messages. */
const char *read_name(const struct node *n) { return n->kid[0]->name ? n->kid[0]->name : "the value"; }

static bool wants_slice(struct elaborator *E, const struct node *items, int given, int rank, bool has_dots)
{
	for (int i = 0; i < items->n; i++)
		if (items->kid[i]->kind == NODE_SLICE)
			return true;
	if (has_dots || given >= rank)
		return false;
	for (int i = 0; i < items->n; i++) {
		const struct node *k = items->kid[i];
		if (k->kind != NODE_NUMBER && !(k->kind == NODE_NAME && find_slot(E, k->name) < 0 &&
						lookup(E, k->name) && lookup(E, k->name)->value.kind == VAL_INT))
			return false;
	}
	return true;
}

static void add_check(struct elaborator *E, struct expr *sub, int64_t extent, int axis, struct span at,
		      const char *name)
{
	list_add(&E->ctx->arena, &E->eq->checks,
		 (struct range_check){.subscript = sub, .extent = extent, .axis = axis, .at = at, .tensor = name});
}

/* One subscript: an integer expression of the indices. */
static bool read_subscript(struct elaborator *E, const struct node *item, struct expr **out)
{
	struct value v = eval(E, item);
	if (v.kind == VAL_ERROR || !to_indexed(E, item->at, &v))
		return false;
	if (v.expr->elem == ELEM_BOOL)
		v.expr = ex1(E->g, EX_TO_INT, v.expr);
	if (v.expr->elem != ELEM_INT) {
		fail(E, item->at, "a subscript is a whole number; int(x) makes one of a real x");
		return false;
	}
	*out = v.expr;
	return true;
}

/* `batch` may be written first in any read, and `data` under a reducer over it. */
static bool names_samples(struct elaborator *E, const char *name)
{
	bool data = E->eq && E->eq->slot[E->eq->batch_slot].data;
	return !strcmp(name, "batch") || (data && !strcmp(name, "data"));
}

struct value eval_read(struct elaborator *E, const struct node *n, struct value base)
{
	const struct node *items = n->kid[1], *otherwise = n->n > 2 ? n->kid[2] : NULL;
	bool first = items->n && items->kid[0]->kind == NODE_NAME && names_samples(E, items->kid[0]->name);
	bool has_dots = false;
	int given = 0;
	for (int i = first; i < items->n; i++) {
		has_dots |= items->kid[i]->kind == NODE_DOTS;
		given += items->kid[i]->kind != NODE_DOTS;
	}
	if (E->graph_text && is_batched(&base) && !first)
		base.lead = 0; /* another sample's: x[r, ..] */
	int rank = own_rank(&base);
	const char *name = read_name(n);
	if (!otherwise && wants_slice(E, items, given, rank, has_dots))
		return slice(E, n, base);
	if (has_dots ? given > rank : given != rank) {
		report_subscripts(E, n->at, name, &base, given);
		return error_value();
	}
	struct expr *map[64];
	int leading = 0;
	for (int bit = 0; bit <= E->scans; bit++)
		if (base.lead >> bit & 1)
			map[leading++] = ex_index(E->g, bit ? bit : E->eq->batch_slot);
	int axis = 0;
	for (int i = first; i < items->n; i++) {
		const struct node *item = items->kid[i];
		if (item->kind == NODE_DOTS) {
			if (!read_dots(E, item, rank - given, own_axis(&base) + axis, name, map + leading + axis))
				return error_value();
			axis += rank - given;
			continue;
		}
		struct expr **sub = &map[leading + axis];
		if (!read_subscript(E, item, sub))
			return error_value();
		bool bare =
			item->kind == NODE_NAME && (*sub)->op == EX_INDEX && find_slot(E, item->name) == (*sub)->slot;
		struct slot *s = bare ? &E->eq->slot[(*sub)->slot] : NULL;
		if (bare && otherwise && s->weak < 0) {
			s->weak = own_axis(&base)[axis].extent;
		} else if (bare && !otherwise) {
			bool written =
				s->extent >= 0 && s->extent_at.begin == s->at.begin && s->extent_at.src == s->at.src;
			if (!written && !unify_extent(E, (*sub)->slot, &own_axis(&base)[axis], item->at, name))
				return error_value();
		}
		if (!otherwise)
			add_check(E, *sub, own_axis(&base)[axis].extent, axis + 1, item->at, name);
		axis++;
	}
	struct value out = {.kind = VAL_TENSOR, .indexed = true, .classes = base.classes};
	if (!otherwise) {
		out.expr = ex_substitute(E->g, base.expr, map, base.rank);
		return out;
	}
	struct value e = eval(E, otherwise);
	if (e.kind == VAL_ERROR || !to_indexed(E, otherwise->at, &e))
		return error_value();
	struct tensor *t = E->graph_text && base.expr->op == EX_READ ? base.expr->tensor : NULL;
	if (!t) {
		struct building *saved = E->eq;
		E->eq = NULL;
		t = materialize(E, base, join_path(E, E->scope->path, E->scope->hint), n->at);
		E->eq = saved;
	}
	if (!t)
		return error_value();
	if (t->elem == ELEM_REAL)
		e.expr = ex_real(E->g, e.expr);
	out.classes = 0;
	out.expr = ex_read(E->g, t, map, e.expr);
	if (t->elem == ELEM_INT && t->classes && e.expr->op == EX_INT && e.expr->integer >= 0 &&
	    e.expr->integer < t->classes)
		out.classes = t->classes;
	return out;
}

/* x[2*k else 0] where no equation is being built: one without indices. */
struct value eval_read_alone(struct elaborator *E, const struct node *n, struct value base)
{
	struct building b;
	begin_equation(E, &b);
	struct value v = eval_read(E, n, base);
	v = finish_equation(E, v, NULL, 0, false, NULL, role_name(E, "element"), n->at);
	E->eq = NULL;
	return v;
}
