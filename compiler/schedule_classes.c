/* schedule_classes.c - axes that go together when values are turned (schedule_layout.c).
 *
 * Axes are of one class where an index of an element-wise equation, or of a pool, runs along both: values of one class
 * go together. A class of which no sum of products moves a window is a candidate, if it stands before an axis with
 * windows. What a host or another part reads stays as it is, and so do views and what they are of.
 *
 * requires  the equations of a part in order, as the graph has them
 * gives     the values that may be turned, by number in their layouts, and the candidates; the list is as it was */
#include "schedule_layout.h"

#include "expr.h"

/* ---- values and their axes ---- */

int find_class(struct layouts *l, int node)
{
	while (l->parent.item[node] != node)
		node = l->parent.item[node];
	return node;
}

struct value *value_of(struct layouts *l, const struct tensor *t)
{
	int number = layout_of(t)->number;

	return number ? &l->values.item[number - 1] : NULL;
}

static void add_value(struct layouts *l, struct tensor *t)
{
	bool copied = t->role == ROLE_INPUT || t->role == ROLE_VIEW;
	struct value value = {.old = t, .first = l->parent.n, .last = t->rank - 1, .copied = copied};

	if (layout_of(t)->number || (layout_of(t)->kept && !copied) || t->rank - t->batched < 2 || !t->batched ||
	    t->total || tensor_size(t) > INT32_MAX || (!copied && t->role != ROLE_VALUE))
		return;
	value.with_last = arena_array(l->arena, (size_t)t->rank, sizeof *value.with_last);
	for (int a = 0; a < t->rank; a++) {
		list_add(l->arena, &l->parent, value.first + a);
		list_add(l->arena, &l->window, false);
	}
	list_add(l->arena, &l->values, value);
	layout_of(t)->number = l->values.n;
}

void remove_value(struct tensor *t) { layout_of(t)->number = 0; }

static void remove_reads(struct layouts *l, struct expr *e)
{
	expr_list reads = {0};

	collect_reads(l->w.g, e, &reads);
	for (int i = 0; i < reads.n; i++)
		remove_value(reads.item[i]->tensor);
}

/* What an equation that is no map of this list defines or reads stays as it is. */
static void remove_all(void *user, struct equation *eq)
{
	struct layouts *l = user;

	if (eq->kind == EQ_VIEW && eq->tensor->of->role != ROLE_VIEW)
		remove_value(eq->tensor->of);
	if (eq->kind == EQ_VIEW)
		return;
	remove_value(eq->tensor);
	if (eq->kind == EQ_MAP || eq->kind == EQ_SCATTER)
		remove_reads(l, eq->value);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		remove_reads(l, eq->target[a]);
}

/* Whether a tensor is a view that stands in the list. */
static bool is_viewed(const equation_list *list, const struct tensor *t)
{
	for (int i = 0; t->role == ROLE_VIEW && i < list->n; i++)
		if (list->item[i]->kind == EQ_VIEW && list->item[i]->tensor == t)
			return true;
	return false;
}

void find_values(struct layouts *l, const equation_list *list)
{
	struct graph *g = l->w.g;

	for (int i = 0; i < list->n; i++) {
		struct equation *eq = list->item[i];
		expr_list reads = {0};

		if (eq->kind != EQ_MAP)
			continue;
		collect_reads(g, eq->value, &reads);
		for (int k = 0; k < reads.n; k++)
			if (reads.item[k]->tensor->role == ROLE_INPUT || is_viewed(list, reads.item[k]->tensor))
				add_value(l, reads.item[k]->tensor);
		if (!ex_has(eq->value, EX_DRAW)) /* a draw is told by its element's place */
			add_value(l, eq->tensor);
	}
	for (int i = 0; i < list->n; i++)
		if (list->item[i]->kind == EQ_SCAN)
			visit_equations(list->item[i]->scan->body, list->item[i]->scan->n, remove_all, l);
		else if (list->item[i]->kind != EQ_MAP)
			remove_all(l, list->item[i]);
	visit_other_parts(g, remove_all, l);
}

/* ---- sums of products and their windows ---- */

static bool is_product(struct layouts *l, struct equation *eq)
{
	struct product product = {0};

	if (eq->red != RED_SUM || eq->n == eq->nfree || !may_tile(l->w.p, work_of(eq, false)))
		return false;
	l->w.eq = eq;
	find_product(&l->w, &product);
	return product.factors.n == 2;
}

bool has_windows(struct layouts *l, const equation_list *list)
{
	for (int i = 0; i < list->n; i++) {
		expr_list reads = {0};

		if (list->item[i]->kind != EQ_MAP || list->item[i]->red != RED_SUM)
			continue;
		collect_reads(l->w.g, list->item[i]->value, &reads);
		for (int k = 0; k < reads.n; k++)
			for (int a = 0; a < reads.item[k]->tensor->rank; a++)
				if (reads.item[k]->arg[a]->slots & (reads.item[k]->arg[a]->slots - 1))
					return true;
	}
	return false;
}

/* Axes that windows of a sum of products move, of what it reads and of its result. */
static void mark_windows(struct layouts *l, const struct equation *eq)
{
	const struct value *result = value_of(l, eq->tensor);
	expr_list reads = {0};

	collect_reads(l->w.g, eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct value *value = value_of(l, reads.item[i]->tensor);

		for (int a = 0; a < reads.item[i]->tensor->rank; a++) {
			uint64_t slots = reads.item[i]->arg[a]->slots;

			if (!(slots & (slots - 1)))
				continue;
			if (value)
				l->window.item[find_class(l, value->first + a)] = true;
			for (int s = 0; result && s < eq->nfree; s++)
				if (slots >> s & 1)
					l->window.item[find_class(l, result->first + s)] = true;
		}
	}
}

/* Axes of what is read that the result's indices run along are of their class. */
static void join_classes(struct layouts *l, const struct equation *eq)
{
	const struct value *result = value_of(l, eq->tensor);
	expr_list reads = {0};

	if (!result)
		return;
	collect_reads(l->w.g, eq->value, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct value *value = value_of(l, reads.item[i]->tensor);

		for (int a = 0; value && a < value->old->rank; a++) {
			const struct expr *sub = reads.item[i]->arg[a];

			if (sub->op == EX_INDEX && sub->slot < eq->nfree)
				l->parent.item[find_class(l, value->first + a)] =
					find_class(l, result->first + sub->slot);
		}
	}
}

void find_candidates(struct layouts *l, const equation_list *list)
{
	for (int i = 0; i < list->n; i++)
		if (list->item[i]->kind == EQ_MAP && is_product(l, list->item[i]))
			list_add(l->arena, &l->sums, (struct sum){.eq = list->item[i]});
		else if (list->item[i]->kind == EQ_MAP)
			join_classes(l, list->item[i]);
	for (int i = 0; i < l->sums.n; i++)
		mark_windows(l, l->sums.item[i].eq);
	for (int i = 0; i < l->values.n; i++) {
		const struct value *value = &l->values.item[i];

		if (value_of(l, value->old) != value || !l->window.item[find_class(l, value->first + value->last)])
			continue;
		for (int a = 1; a < value->last; a++) {
			int class = find_class(l, value->first + a), k = 0;

			while (k < l->n_candidate && l->candidate[k] != class)
				k++;
			if (k == l->n_candidate && k < MOST_CLASSES && !l->window.item[class] &&
			    value->old->axis[a].extent > 1)
				l->candidate[l->n_candidate++] = class;
		}
	}
}
