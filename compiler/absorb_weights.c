/* absorb_weights.c - a scale into the weights of the sum of products that it is a scale of.
 *
 * The sum may be read as a view in which some of its axes are one (groups of channels), with a bias between the two.
 * The indices of the scale are then followed to subscripts of a factor of the sum's terms: weight[g*k + o, a] has the
 * index of the view in its first. That factor is scaled along this axis, in a tensor of its own. */
#include "absorb.h"
#include "expr.h"

/* The subscript of a view's axis d in the free indices of the tensor that it is a view of, where it joins some of its
 * axes; NULL where it cuts one. */
static struct expr *viewed_subscript(struct graph *g, const struct tensor *view, int d)
{
	const struct tensor *of = view->of;
	struct affine sum = {0};
	int64_t behind = 1, inner = 1, size = 1;
	int a = of->rank - 1;

	for (int k = d + 1; k < view->rank; k++)
		behind *= view->axis[k].extent;
	for (; a > 0 && inner < behind; a--)
		inner *= of->axis[a].extent;
	for (; a >= of->batched && inner == behind && size < view->axis[d].extent; a--) {
		sum.coef[a] = size;
		size *= of->axis[a].extent;
	}
	return inner == behind && size == view->axis[d].extent ? affine_expr(g, &sum) : NULL;
}

/* What the index in a slot of the equation is in the free indices of the sum that is read. */
static struct expr *index_in_sum(const struct absorbing *w, int slot)
{
	const struct tensor *t = w->read->tensor;

	for (int d = 0; d < t->rank; d++)
		if (w->read->arg[d]->op == EX_INDEX && w->read->arg[d]->slot == slot)
			return t->role == ROLE_VIEW ? viewed_subscript(w->g, t, d) : ex_index(w->g, d);
	return NULL;
}

/* A subscript in the free indices of the sum, without those of one element. */
static struct expr *without_ones(struct graph *g, const struct equation *sum, struct expr *sub)
{
	struct expr *map[MAX_SLOTS] = {0};

	for (int p = 0; p < sum->nfree; p++)
		if (sum->index[p].extent == 1 && !sum->index[p].rows)
			map[p] = ex_int(g, 0);
	return ex_substitute(g, sub, map, sum->nfree);
}

/* A weight of the sum, read by all indices of the scale; scale_at[slot of the equation]: by which subscript. */
static bool has_scale_indices(const struct absorbing *w, const struct equation *sum, const struct expr *weight,
			      int *scale_at)
{
	const struct tensor *t = weight->tensor;

	for (int slot = 0; slot < w->eq->n; slot++) {
		struct expr *index = w->scale->slots >> slot & 1 ? index_in_sum(w, slot) : NULL;

		scale_at[slot] = -1;
		if (!(w->scale->slots >> slot & 1))
			continue;
		index = index ? without_ones(w->g, sum, index) : NULL;
		for (int d = 0; d < t->rank; d++)
			if (without_ones(w->g, sum, weight->arg[d]) == index &&
			    t->axis[d].extent == w->eq->index[slot].extent)
				scale_at[slot] = d;
		if (scale_at[slot] < 0)
			return false;
	}
	return true;
}

static struct expr *scale_weight(struct absorbing *w, const struct equation *sum, const struct expr *weight)
{
	struct graph *g = w->g;
	struct tensor *t = weight->tensor, *scaled;
	struct expr *map[MAX_SLOTS] = {0}, *sub[MAX_SLOTS], *value;
	struct index index[MAX_SLOTS];
	int scale_at[MAX_SLOTS];
	int64_t size = tensor_size(t);

	if (t->elem != ELEM_REAL || !usage_of(t)->of_params || !has_scale_indices(w, sum, weight, scale_at) ||
	    (weight->guarded && !ex_is_num(weight->arg[t->rank], 0)) || size >= count_points(sum, false) ||
	    (!w->known && (w->stepped || size > tensor_sample_size(sum->tensor))))
		return NULL;
	for (int d = 0; d < t->rank; d++) {
		index[d] = (struct index){arena_printf(&g->ctx->arena, "i%d", d), t->axis[d].extent, false};
		sub[d] = ex_index(g, d);
	}
	for (int slot = 0; slot < w->eq->n; slot++)
		if (scale_at[slot] >= 0) {
			index[scale_at[slot]].name = w->eq->index[slot].name;
			map[slot] = ex_index(g, scale_at[slot]);
		}
	w->factor = set_apart(w, w->scale, "scale", size);
	value = ex2(g, EX_MUL, ex_read(g, t, sub, NULL), ex_substitute(g, w->factor, map, w->eq->n));
	scaled = new_tensor(w, t->name, "scaled", t->layer, t->rank, index);
	define_tensor(w, move_before(w, place_of(w, sum), value), scaled, index, value);
	return ex_read(g, scaled, weight->arg, weight->guarded ? ex_num(g, 0) : NULL);
}

/* e, a factor of the terms of the sum, times the scale; NULL: none of its factors takes it. */
static struct expr *scale_factor(struct absorbing *w, const struct equation *sum, const struct expr *e)
{
	struct expr *arg[3] = {0}, *made;

	if (e->op == EX_READ)
		return scale_weight(w, sum, e);
	if (e->op != EX_MUL && e->op != EX_DIV && e->op != EX_NEG && !(e->op == EX_SELECT && ex_is_num(e->arg[2], 0)))
		return NULL;
	for (int k = 0; k < e->n; k++)
		arg[k] = e->arg[k];
	for (int k = e->op == EX_SELECT; k < (e->op == EX_MUL ? 2 : e->op == EX_SELECT ? 2 : 1); k++)
		if ((made = scale_factor(w, sum, arg[k]))) {
			arg[k] = made;
			return ex_make(w->g, e->op, e->n, arg);
		}
	return NULL;
}

/* The equation of a tensor that has one reader; else NULL. */
static struct equation *own_definition(const struct tensor *t)
{
	const struct usage *u = usage_of(t);

	if (u->fixed || u->reads != 1 || u->definitions != 1 || t->total || t->elem != ELEM_REAL)
		return NULL;
	return u->definition->kind == EQ_MAP ? u->definition : NULL;
}

/* value = read + what no row changes, the read of the same element: a bias between a sum and a view of it. */
static bool is_shifted(struct absorbing *w, struct equation *eq, struct form *form, struct expr **read)
{
	struct absorbing inner = *w;
	expr_list reads = {0};

	inner.eq = eq;
	collect_reads(w->g, eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		inner.read = *read = reads.item[i];
		if (ex_is_read_of(inner.read, inner.read->tensor, eq->nfree) &&
		    !usage_of(inner.read->tensor)->of_params)
			return find_form(&inner, eq->value, form) && !form->rest && ex_is_num(form->scale, 1) &&
			       (form->shift = whole_shift(w->g, form, form->scale));
	}
	return false;
}

/* Multiply the shift of such an equation by the scale; its read has been scaled. */
static void scale_shift(struct absorbing *w, struct equation *eq, const struct form *form, struct expr *read)
{
	struct absorbing inner = *w;
	struct expr *map[MAX_SLOTS] = {0}, *shift;

	for (int slot = 0; slot < w->eq->n; slot++)
		if (w->scale->slots >> slot & 1)
			map[slot] = index_in_sum(w, slot);
	inner.eq = eq;
	inner.at = place_of(w, eq);
	shift = ex2(w->g, EX_MUL, form->shift, ex_substitute(w->g, w->factor, map, w->eq->n));
	inner.at = move_before(&inner, inner.at, shift);
	w->at -= inner.list->n;
	eq->value = ex2(w->g, EX_ADD, read, set_apart_of_rows(&inner, shift, "shift"));
	w->at += inner.list->n;
}

bool scale_sum(struct absorbing *w)
{
	const struct tensor *t = w->read->tensor;
	bool viewed =
		t->role == ROLE_VIEW && !usage_of(t)->fixed && usage_of(t)->reads == 1 && t->of->role == ROLE_VALUE;
	struct equation *sum = own_definition(viewed ? t->of : t), *between = NULL;
	struct expr *read = NULL, *value;
	struct form form;

	if (sum && sum->red == RED_NONE && is_shifted(w, sum, &form, &read)) {
		between = sum;
		sum = own_definition(read->tensor);
	}
	if (!sum || sum->red != RED_SUM || !(value = scale_factor(w, sum, sum->value)))
		return false;
	sum->value = value;
	if (between)
		scale_shift(w, between, &form, read);
	return true;
}
