/* elaborate_broadcast.c - operators on whole tensors, element by element.
 *
 * Shapes stretch by suffix only: they are equal, or one is the end of the other. The sample axis is none of the shape:
 * a value depends on the sample or it does not. */
#include "elaborate.h"

#include <string.h>

static struct value lift_indexed(struct elaborator *E, struct span at, enum ex op, int n, const struct value *args)
{
	struct expr *e[8];
	for (int i = 0; i < n; i++) {
		struct value v = args[i];
		if (!to_indexed(E, at, &v))
			return error_value();
		e[i] = v.expr;
	}
	return (struct value){.kind = VAL_TENSOR, .expr = ex_make(E->g, op, n, e), .indexed = true};
}

/* The value of largest rank; NULL after an error where another's shape is not the end of its shape. */
static const struct value *widest(struct elaborator *E, struct span at, int n, const struct value *v)
{
	const struct value *w = &v[0];
	for (int i = 1; i < n; i++)
		if (own_rank(&v[i]) > own_rank(w))
			w = &v[i];
	for (int i = 0; i < n; i++) {
		int r = own_rank(&v[i]), skip = own_rank(w) - r;
		for (int a = 0; a < r; a++) {
			if (own_axis(&v[i])[a].extent == own_axis(w)[skip + a].extent)
				continue;
			const struct value *l = &v[i] < w ? &v[i] : w, *rr = &v[i] < w ? w : &v[i];
			fail(E, at, "shapes %s and %s do not agree: they must be equal, or one the end of the other",
			     value_shape(E, l), value_shape(E, rr));
			note_origin(E, at, l);
			note_origin(E, at, rr);
			report_note(E->ctx, (struct span){0},
				    "anything else is written as an equation, y[i, j] = a[i] - b[j]");
			return NULL;
		}
		if (v[i].drawn && own_rank(w) > 0) {
			fail(E, at,
			     "one random draw for a whole tensor: write y[i] = .. normal() for one an element, or e[batch] = normal()"
			     " and e for one a sample");
			return NULL;
		}
	}
	return w;
}

/* An operator over values, element by element. Numbers among them become literals. */
struct value lift(struct elaborator *E, struct span at, enum ex op, int n, const struct value *args)
{
	struct value v[8] = {0};
	bool indexed = false;
	unsigned lead = 0;
	for (int i = 0; i < n; i++) {
		v[i] = as_tensor(E, &args[i]);
		if (v[i].kind == VAL_ERROR)
			return error_value();
		if (v[i].kind != VAL_TENSOR) {
			fail(E, at, "expected a number or a tensor, not %s", kind_text(&v[i]));
			return error_value();
		}
		indexed |= v[i].indexed;
		lead |= v[i].lead;
	}
	if (indexed)
		return lift_indexed(E, at, op, n, v);
	const struct value *w = widest(E, at, n, v);
	if (!w)
		return error_value();
	int leading = lead_rank(lead);
	struct value out = {.kind = VAL_TENSOR, .lead = lead, .rank = own_rank(w) + leading};
	out.axis = arena_array(&E->ctx->arena, (size_t)out.rank + 1, sizeof *out.axis);
	lead_axes(E, lead, out.axis);
	if (own_rank(w))
		memcpy(out.axis + leading, own_axis(w), (size_t)own_rank(w) * sizeof *out.axis);
	struct expr *e[8];
	for (int i = 0; i < n; i++) {
		struct expr *map[64];
		out.drawn |= v[i].drawn;
		e[i] = v[i].expr;
		if (v[i].lead == lead && v[i].rank == out.rank)
			continue; /* in the same slots already */
		map_lead(E, v[i].lead, lead, map);
		for (int a = lead_rank(v[i].lead); a < v[i].rank; a++)
			map[a] = ex_index(E->g, out.rank - v[i].rank + a);
		e[i] = ex_substitute(E->g, v[i].expr, map, v[i].rank);
	}
	out.expr = ex_make(E->g, op, n, e);
	return out;
}

struct expr *stretch_value(struct elaborator *E, struct span at, struct value v, const struct value *own,
			   const char *what, const char *name, const char *kind)
{
	v = as_tensor(E, &v);
	/* a choice that is settled: the value, in the shape of both */
	struct value shaped = lift(E, at, EX_SELECT, 3, (struct value[]){bool_value(true), v, *own});
	if (shaped.kind == VAL_ERROR)
		return NULL;
	if (shaped.rank != own->rank || shaped.lead != own->lead) {
		fail(E, at, "the %s of '%s' has shape %s%s, the %s %s", what, name, value_shape(E, &v),
		     is_batched(&v) && !is_batched(own) ? " per sample" : "", kind, value_shape(E, own));
		note_origin(E, at, &v);
		note_origin(E, at, own);
		return NULL;
	}
	return own->expr->tensor->elem == ELEM_REAL ? ex_real(E->g, shaped.expr) : shaped.expr;
}
