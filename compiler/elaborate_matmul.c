/* elaborate_matmul.c - products of whole tensors, a @ b, and the transpose x.T that they are written with. */
#include "elaborate.h"

#include <string.h>

/* a @ b: the last axis of a with the second last of b, or its only one. */
struct value matmul(struct elaborator *E, const struct node *n, struct value a, struct value b)
{
	if (a.kind == VAL_ERROR || b.kind == VAL_ERROR)
		return error_value();
	int ra = own_rank(&a), rb = own_rank(&b);
	if (a.kind != VAL_TENSOR || b.kind != VAL_TENSOR || a.indexed || b.indexed || ra < 1 || rb < 1) {
		fail(E, n->at, "'@' needs two tensors of at least one axis");
		return error_value();
	}
	int more = rb > 2 ? rb - 2 : 0; /* leading axes of b, which a has too */
	int64_t k = own_axis(&a)[ra - 1].extent, kb = own_axis(&b)[rb > 1 ? rb - 2 : 0].extent;
	bool ok = k == kb && more <= ra - 1;
	for (int i = 0; ok && i < more; i++)
		ok = own_axis(&a)[ra - 1 - more - (ra - 1 > more ? 1 : 0) + i].extent == own_axis(&b)[i].extent;
	if (!ok) {
		const char *shapes = arena_printf(&E->ctx->arena, "shapes %s @ %s do not fit", value_shape(E, &a),
						  value_shape(E, &b));
		if (k != kb)
			fail(E, n->at, "%s: the last axis of the left (%lld) meets the %s axis of the right (%lld)",
			     shapes, (long long)k, rb > 1 ? "second last" : "only", (long long)kb);
		else
			fail(E, n->at, "%s: the left must have the axes that the right has before its last two",
			     shapes);
		note_origin(E, n->at, &a);
		note_origin(E, n->at, &b);
		return error_value();
	}
	unsigned lead = a.lead | b.lead;
	int leading = lead_rank(lead), nfree = leading, la = lead_rank(a.lead), lb = lead_rank(b.lead);
	struct index index[64];
	struct axis axis[64];
	lead_axes(E, lead, axis);
	for (int i = 0; i < ra - 1; i++)
		axis[nfree++] = own_axis(&a)[i];
	if (rb > 1)
		axis[nfree++] = own_axis(&b)[rb - 1];
	axis[nfree] = (struct axis){k, false};
	whole_index(E, &(struct value){.lead = lead, .rank = nfree + 1, .axis = axis}, index);
	struct expr *ma[64], *mb[64];
	map_lead(E, a.lead, lead, ma);
	map_lead(E, b.lead, lead, mb);
	for (int i = 0; i < ra - 1; i++)
		ma[la++] = ex_index(E->g, leading + i);
	ma[la] = ex_index(E->g, nfree);
	for (int i = 0; i < more; i++)
		mb[lb++] = ex_index(E->g, leading + ra - 1 - more - (ra - 1 > more ? 1 : 0) + i);
	mb[lb++] = ex_index(E->g, nfree);
	if (rb > 1)
		mb[lb] = ex_index(E->g, nfree - 1);
	struct expr *e =
		ex2(E->g, EX_MUL, ex_substitute(E->g, a.expr, ma, a.rank), ex_substitute(E->g, b.expr, mb, b.rank));
	struct span at = user_place(E, n->at);
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, role_name(E, "product"), e->elem, lead & 1, nfree, axis, at);
	t->layer = E->scope->path;
	emit_equation(E, graph_equation(E->g, t, RED_SUM, nfree, nfree + 1, index, e, at));
	struct value out = tensor_value(E, t);
	out.lead = lead;
	return out;
}

struct value transpose(struct elaborator *E, struct span at, struct value v)
{
	if (v.kind == VAL_ERROR)
		return v;
	if (v.kind != VAL_TENSOR || own_rank(&v) < 2) {
		fail(E, at, ".T swaps the last two axes of a tensor; this is %s",
		     v.kind == VAL_TENSOR ? value_shape(E, &v) : kind_text(&v));
		return error_value();
	}
	struct axis *axis = arena_array(&E->ctx->arena, (size_t)v.rank, sizeof *axis);
	memcpy(axis, v.axis, (size_t)v.rank * sizeof *axis);
	axis[v.rank - 1] = v.axis[v.rank - 2];
	axis[v.rank - 2] = v.axis[v.rank - 1];
	struct expr *map[64];
	for (int i = 0; i < v.rank; i++)
		map[i] = ex_index(E->g, i < v.rank - 2 ? i : 2 * v.rank - 3 - i);
	v.expr = ex_substitute(E->g, v.expr, map, v.rank);
	v.axis = axis;
	return v;
}
