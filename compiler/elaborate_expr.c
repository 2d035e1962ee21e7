/* elaborate_expr.c - expressions: element by element over whole tensors, or as scalars under an equation.
 *
 * Whole tensors stretch by suffix only: shapes are equal, or one is the end of the other. The sample axis is none of
 * the shape: a value depends on the sample or it does not. Indices, reads and reducers are in elaborate_equation.c. */
#include "elaborate.h"

#include <string.h>

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

void note_origin(struct elaborator *E, struct span at, const struct value *v)
{
	if (v->kind == VAL_TENSOR && v->expr->op == EX_READ && v->expr->tensor->at.src &&
	    !is_within(v->expr->tensor->at, at))
		report_note(E->ctx, v->expr->tensor->at, "'%s' of shape %s is made here", v->expr->tensor->name,
			    value_shape(E, v));
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
			     "one random draw for a whole tensor: write y[i] = .. normal() for a draw an element");
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

void define_whole(struct elaborator *E, struct tensor *t, const struct value *own, struct expr *e, struct span at)
{
	struct index index[64];
	whole_index(E, own, index);
	emit_equation(E, graph_equation(E->g, t, RED_NONE, t->rank, t->rank, index, e, at));
}

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
	define_whole(E, t, &v, v.expr, at);
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

/* sum(x), mean(x) ...: over all axes of one sample. */
struct value whole_reduce(struct elaborator *E, struct span at, enum reducer red, struct value v, bool mean)
{
	static const char *const role[] = {"value", "sum", "product", "max", "min", "argmax", "argmin"};
	v = as_tensor(E, &v);
	at = user_place(E, at);
	if (v.kind != VAL_TENSOR || own_rank(&v) == 0)
		return v;
	int leading = lead_rank(v.lead);
	enum elem elem = v.expr->elem == ELEM_BOOL ? ELEM_INT : v.expr->elem;
	struct tensor *t =
		graph_tensor(E->g, ROLE_VALUE, role_name(E, role[red]), elem, is_batched(&v), leading, v.axis, at);
	t->layer = E->scope->path;
	struct index index[64];
	whole_index(E, &v, index);
	struct expr *count = ex_num(E->g, 1);
	for (int i = leading; i < v.rank; i++)
		count = ex2(E->g, EX_MUL, count,
			    v.axis[i].rows ? ex_real(E->g, ex_run(E->g, RUN_ROWS))
					   : ex_num(E->g, (double)v.axis[i].extent));
	struct expr *e = v.expr->elem == ELEM_BOOL ? ex1(E->g, EX_TO_INT, v.expr) : v.expr;
	emit_equation(E, graph_equation(E->g, t, red, leading, v.rank, index, e, at));
	struct value out = tensor_value(E, t);
	out.lead = v.lead;
	return mean ? lift(E, at, EX_DIV, 2, (struct value[]){out, {.kind = VAL_TENSOR, .expr = count}}) : out;
}

/* a:b:step of an axis as an expression of the new axis' slot. */
static bool slice_range(struct elaborator *E, const struct node *item, struct value *out, int64_t extent, int axis,
			struct expr **map)
{
	int64_t from = 0, to = extent, step = 1;
	if ((item->kid[0] && !expect_int(E, item->kid[0], eval(E, item->kid[0]), "a bound", &from)) ||
	    (item->kid[1] && !expect_int(E, item->kid[1], eval(E, item->kid[1]), "a bound", &to)) ||
	    (item->kid[2] && !expect_int(E, item->kid[2], eval(E, item->kid[2]), "a step", &step)))
		return false;
	if (from < 0 || to > extent || from >= to || step < 1) {
		fail(E, item->at, "%lld:%lld:%lld is not within 0:%lld of axis %d", (long long)from, (long long)to,
		     (long long)step, (long long)extent, axis);
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
		if (item->kind == NODE_SLICE ? !slice_range(E, item, &out, extent, axis, sub)
					     : !slice_place(E, read_name(n), item, &out, place[i], extent, axis, sub))
			return error_value();
	}
	out.expr = ex_substitute(E->g, base.expr, map, base.rank);
	return out;
}

/* a @ b: the last axis of a with the second last of b, or its only one. */
static struct value matmul(struct elaborator *E, const struct node *n, struct value a, struct value b)
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

static struct value transpose(struct elaborator *E, struct span at, struct value v)
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

/* ---- operators ---- */

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
		fail(E, n->kid[0]->at, "a condition is yes or no, not %s", value_text(E, &c));
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

/* ---- names ---- */

/* To rules and schedules a step is an update, which may take several. */
static struct expr *count_updates(struct elaborator *E, enum run run)
{
	struct expr *e = ex_run(E->g, run);
	bool steps = run == RUN_STEP || run == RUN_STEPS || run == RUN_STEPS_PER_EPOCH;
	if (E->part != PART_UPDATE || E->updates_every <= 1 || !steps)
		return e;
	return ex2(E->g, EX_FLOORDIV, e, ex_int(E->g, E->updates_every));
}

static struct value special_name(struct elaborator *E, const struct node *n, bool *found)
{
	static const struct {
		const char *name;
		enum run run;
	} runs[] = {{"step", RUN_STEP},	     {"epoch", RUN_EPOCH},
		    {"steps", RUN_STEPS},    {"steps_per_epoch", RUN_STEPS_PER_EPOCH},
		    {"last_loss", RUN_LOSS}, {"ndata", RUN_DATA},
		    {"nrows", RUN_ROWS}};
	*found = true;
	if (!strcmp(n->name, "yes"))
		return bool_value(true);
	if (!strcmp(n->name, "no"))
		return bool_value(false);
	if (!strcmp(n->name, "none"))
		return (struct value){.kind = VAL_NONE};
	if (!strcmp(n->name, "pi"))
		return real_value(3.14159265358979323846);
	if (!strcmp(n->name, "inf"))
		return real_value(__builtin_inf());
	if (!strcmp(n->name, "training")) {
		for (struct scope *s = E->scope; s; s = s->caller) {
			struct override *o = table_get(&s->overrides, "training");
			if (o) {
				o->used = true;
				return o->value;
			}
		}
		return bool_value(E->training);
	}
	if (!strcmp(n->name, "row")) {
		struct value v = {.kind = VAL_TENSOR, .lead = 1, .rank = 1, .expr = ex_index(E->g, 0)};
		v.axis = arena_alloc(&E->ctx->arena, sizeof *v.axis);
		v.axis[0] = (struct axis){E->g->batch, true};
		return v;
	}
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
		if (!strcmp(n->name, runs[i].name))
			return (struct value){.kind = VAL_TENSOR, .expr = count_updates(E, runs[i].run)};
	*found = false;
	return error_value();
}

/* A param or state by its path from this instance: wte.weight. */
static struct tensor *find_param(struct elaborator *E, const char *name)
{
	struct tensor *t = table_get(&E->params, join_path(E, E->scope->path, name));
	if (!t && E->scope != E->file && !E->scope->builtin) {
		const char *first = strchr(name, '.');
		char *head = first ? arena_copy(&E->ctx->arena, name, (size_t)(first - name)) : NULL;
		if (head && table_get(&E->layers, head))
			t = table_get(&E->params, name);
	}
	return t;
}

static struct value eval_name(struct elaborator *E, const struct node *n)
{
	if (E->eq) {
		int slot = find_slot(E, n->name);
		if (slot >= 0)
			return (struct value){.kind = VAL_TENSOR, .expr = ex_index(E->g, slot), .indexed = true};
	}
	struct binding *b = lookup(E, n->name);
	if (b)
		return b->value;
	if (E->graph_text && E->eq && !strcmp(n->name, "batch"))
		return (struct value){.kind = VAL_TENSOR, .expr = ex_index(E->g, E->eq->batch_slot), .indexed = true};
	struct tensor *grad = E->graph_text ? graph_text_grad(E, n->name, n->at) : NULL;
	if (grad)
		return tensor_value(E, grad);
	bool found;
	struct value v = special_name(E, n, &found);
	if (found)
		return v;
	struct tensor *t = strchr(n->name, '.') ? find_param(E, n->name) : NULL;
	if (t)
		return tensor_value(E, t);
	size_t len = strlen(n->name);
	if (len > 2 && !strcmp(n->name + len - 2, ".T")) {
		struct node inner = *n;
		inner.name = arena_copy(&E->ctx->arena, n->name, len - 2);
		return transpose(E, n->at, eval_name(E, &inner));
	}
	char *dot = strchr(n->name, '.');
	if (dot) {
		const char *head = arena_copy(&E->ctx->arena, n->name, (size_t)(dot - n->name));
		struct layer *layer = table_get(&E->layers, join_path(E, E->scope->path, head));
		if (layer && !layer->used) {
			fail(E, n->at, "'%s' has no parameters before its first call", head);
			return error_value();
		}
	}
	struct binding *outside = E->scope != E->file && !E->scope->builtin ? find_binding(E->file, n->name) : NULL;
	if (outside)
		fail(E, n->at,
		     "'%s' is a value of the file; a definition sees its arguments, constants and settings only",
		     n->name);
	else if (!strcmp(n->name, "data"))
		fail(E, n->at, "`data` is an index of metrics: sum[data] x");
	else if (E->eq && E->scope->def == NULL)
		fail(E, n->at, "unknown name '%s'%s; an index must stand on the left or under a reducer", n->name,
		     suggest(E, n->name));
	else if (E->eq)
		fail(E, n->at, "'%s' is no known name and no index of this equation%s", n->name, suggest(E, n->name));
	else
		fail(E, n->at, "unknown name '%s'%s", n->name, suggest(E, n->name));
	return error_value();
}

static struct value eval_primed(struct elaborator *E, const struct node *n)
{
	struct binding *b = find_binding(E->scope, n->name);
	if (b && b->next)
		return b->next_value;
	if (b && (b->state || b->carried))
		fail(E, n->at, "%s' is read before it is set", n->name);
	else
		fail(E, n->at, "'%s' is no state, so it has no next value%s", n->name, b ? "" : suggest(E, n->name));
	return error_value();
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
