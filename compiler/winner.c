/* winner.c - where the place of a maximum chooses an element, that element is the maximum.
 *
 *     y[i < 16] = max[u < 2] r[2*i + u]
 *     y.argmax[i < 16] = argmax[u < 2] r[2*i + u]
 *     s.grad[j] = if 0 < r[j] then (if j % 2 == y.argmax[j // 2] then y.grad[j // 2] else 0) else 0
 *
 * becomes, as r[j] is y[j // 2] wherever j % 2 wins,
 *
 *     y.gated[i] = if 0 < y[i] then y.grad[i] else 0
 *     s.grad[j] = if j % 2 == y.argmax[j // 2] then y.gated[j // 2] else 0
 *
 * If the backward pass then reads r for nothing but the place, that is found in the forward pass, behind the maximum:
 * r, which is as many times as large as the window has places, need not be kept. This is a pooling behind a relu.
 *
 * Whether it is that element is computed for all values of the indices. Where the window holds nothing but NaN, the
 * test sees -inf, the maximum of none, instead of one. */
#include "expr.h"
#include "simplify.h"

enum {
	MOST_VALUES = 1 << 16, /* of the indices, to be gone through */
	MOST_OPERATORS = 64    /* of the subscripts together */
};

struct winning {
	struct graph *g;
	const struct equation *eq;	   /* whose value is rewritten */
	const struct equation *arg;	   /* of the place that chooses */
	struct tensor *best;		   /* the maximum there, or the minimum */
	const struct expr *place, *choice; /* place == choice, a read of the place */
	bool failed;
	equation_list out; /* the backward pass, with what is computed before eq */
};

/* ---- whether a read is of the element that the place chooses ---- */

/* Whether a subscript of the term, at the chosen place, is the one that stands in the read, at these values of indices.
 */
static bool is_same_here(const struct winning *w, const struct expr *term, const struct expr *sub, const int64_t *at)
{
	const struct equation *arg = w->arg;
	int64_t inside[MAX_SLOTS], place;
	int left = MOST_OPERATORS;

	for (int d = 0; d < arg->nfree; d++)
		inside[d] = term->slots >> d & 1 ? compute_integer(w->choice->arg[d], at, &left) : 0;
	place = compute_integer(w->place, at, &left);
	for (int s = arg->n - 1; s >= arg->nfree; s--) {
		inside[s] = floor_modulo(place, arg->index[s].extent);
		place = floor_divide(place, arg->index[s].extent);
	}
	return left >= 0 && (place != 0 || compute_integer(term, inside, &left) == compute_integer(sub, at, &left)) &&
	       left >= 0;
}

/* The next values of these indices; false after the last ones. */
static bool next_values(const struct equation *eq, uint64_t used, int64_t *at)
{
	for (int s = 0; s < eq->n; s++) {
		if (!(used >> s & 1))
			continue;
		if (++at[s] < eq->index[s].extent)
			return true;
		at[s] = 0;
	}
	return false;
}

static bool is_same(const struct winning *w, const struct expr *term, const struct expr *sub)
{
	const struct equation *eq = w->eq;
	uint64_t used = w->place->slots | sub->slots;
	int64_t at[MAX_SLOTS] = {0}, values = 1;

	for (int d = 0; d < w->arg->nfree; d++)
		used |= term->slots >> d & 1 ? w->choice->arg[d]->slots : 0;
	for (int s = 0; s < eq->n; s++)
		if (used >> s & 1) {
			values = eq->index[s].rows ? MOST_VALUES + 1 : values * eq->index[s].extent;
			if (values > MOST_VALUES)
				return false;
		}
	do
		if (!is_same_here(w, term, sub, at))
			return false;
	while (next_values(eq, used, at));
	return true;
}

static bool is_winner(const struct winning *w, const struct expr *read)
{
	const struct equation *arg = w->arg;
	const struct expr *term = arg->value;
	uint64_t free = ((uint64_t)1 << arg->nfree) - 1;

	for (int d = 0; d < read->tensor->rank; d++)
		if (term->arg[d]->slots & ~free) {
			if (!is_same(w, term->arg[d], read->arg[d]))
				return false;
		} else if (ex_substitute(w->g, term->arg[d], w->choice->arg, arg->nfree) != read->arg[d]) {
			return false;
		}
	return true;
}

/* ---- the rewrite ---- */

/* An equation of the forward pass that has the best of what arg has the place of. */
static struct equation *find_best(struct graph *g, const struct equation *arg)
{
	enum reducer red = arg->red == RED_ARGMAX ? RED_MAX : RED_MIN;

	for (int i = 0; i < g->part[PART_FORWARD].n; i++) {
		struct equation *eq = g->part[PART_FORWARD].item[i];
		bool same = eq->kind == EQ_MAP && eq->red == red && eq->value == arg->value &&
			    eq->nfree == arg->nfree && eq->n == arg->n;

		for (int s = 0; same && s < eq->n; s++)
			same = eq->index[s].extent == arg->index[s].extent && eq->index[s].rows == arg->index[s].rows;
		if (same)
			return eq;
	}
	return NULL;
}

static bool is_place(const struct equation *eq)
{
	return eq->kind == EQ_MAP && (eq->red == RED_ARGMAX || eq->red == RED_ARGMIN) && eq->value->op == EX_READ &&
	       !eq->value->guarded;
}

/* Whether a condition is place == choice. */
static bool find_choice(struct winning *w, const struct expr *c)
{
	const struct equation *best;

	if (c->op != EX_EQ)
		return false;
	for (int k = 0; k < 2; k++) {
		const struct expr *read = c->arg[k];

		if (read->op != EX_READ || read->guarded || read->tensor->role != ROLE_VALUE ||
		    usage_of(read->tensor)->definitions != 1 || !is_place(usage_of(read->tensor)->definition))
			continue;
		w->arg = usage_of(read->tensor)->definition;
		w->choice = read;
		w->place = c->arg[1 - k];
		best = find_best(w->g, w->arg);
		w->best = best ? best->tensor : NULL;
		return best;
	}
	return false;
}

static struct expr *read_best(void *user, struct expr *read)
{
	struct winning *w = user;

	if (read->tensor != w->arg->value->tensor)
		return read;
	if (read->guarded || !is_winner(w, read)) {
		w->failed = true;
		return read;
	}
	return ex_read(w->g, w->best, w->choice->arg, NULL);
}

static struct expr *read_index(void *user, const struct expr *e)
{
	struct winning *w = user;

	for (int d = 0; d < w->arg->nfree; d++)
		if (e == w->choice->arg[d])
			return ex_index(w->g, d);
	w->failed |= e->op == EX_INDEX || e->op == EX_DRAW;
	return NULL;
}

/* What is chosen, for every window, if it is an expression of that. */
static struct expr *once_a_window(struct winning *w, struct expr *e)
{
	const struct tensor *best = w->best;
	struct expr *value;
	struct tensor *t;

	w->failed = false;
	value = ex_rewrite(w->g, e, read_index, NULL, w);
	if (w->failed)
		return e;
	t = graph_tensor(w->g, ROLE_VALUE, arena_printf(&w->g->ctx->arena, "%s.gated", best->name), e->elem,
			 best->batched, best->rank, best->axis, w->eq->at);
	t->layer = best->layer;
	list_add(&w->g->ctx->arena, &w->out,
		 graph_equation(w->g, t, RED_NONE, w->arg->nfree, w->arg->nfree, w->arg->index, value, w->eq->at));
	return ex_read(w->g, t, w->choice->arg, NULL);
}

/* if c then (if place == choice then x else z) else z, where c reads what is chosen. */
static struct expr *choose_first(void *user, const struct expr *old, struct expr *e)
{
	struct winning *w = user;
	struct expr *inner, *test;
	(void)old;

	if (e->op != EX_SELECT || e->arg[1]->op != EX_SELECT || e->arg[1]->arg[2] != e->arg[2])
		return e;
	inner = e->arg[1];
	if (!find_choice(w, inner->arg[0]))
		return e;
	w->failed = false;
	test = ex_map_reads(w->g, e->arg[0], read_best, w);
	if (w->failed || test == e->arg[0])
		return e;
	return ex_select(w->g, inner->arg[0], once_a_window(w, ex_select(w->g, test, inner->arg[1], e->arg[2])),
			 e->arg[2]);
}

/* ---- the place, early ---- */

struct reading {
	const struct tensor *of;
	int n;
};

static void count_read(void *user, struct expr *read)
{
	struct reading *r = user;

	r->n += read->tensor == r->of;
}

bool is_kept_for_one(struct graph *g, const struct tensor *t)
{
	const equation_list *backward = &g->part[PART_BACKWARD];
	struct reading r = {t, 0};

	if (t->role != ROLE_VALUE || usage_of(t)->definitions != 1 || usage_of(t)->part != PART_FORWARD)
		return false;
	for (int i = 0; i < backward->n && r.n < 2; i++)
		if (backward->item[i]->kind == EQ_SCAN ||
		    (backward->item[i]->kind == EQ_VIEW && backward->item[i]->tensor->of == t))
			return false;
		else if (backward->item[i]->value)
			ex_visit_reads(g, backward->item[i]->value, count_read, &r);
	return r.n == 1;
}

void insert_behind(struct graph *g, const struct equation *behind, struct equation *eq)
{
	equation_list *forward = &g->part[PART_FORWARD];
	int at = forward->n;

	list_add(&g->ctx->arena, forward, eq);
	for (; forward->item[at - 1] != behind; at--)
		forward->item[at] = forward->item[at - 1];
	forward->item[at] = eq;
}

static void find_places_early(struct graph *g)
{
	equation_list *backward = &g->part[PART_BACKWARD];
	int kept = 0;

	for (int i = 0; i < backward->n; i++) {
		struct equation *eq = backward->item[i], *best = is_place(eq) ? find_best(g, eq) : NULL;

		if (best && is_kept_for_one(g, eq->value->tensor))
			insert_behind(g, best, eq);
		else
			backward->item[kept++] = eq;
	}
	backward->n = kept;
}

void read_winners(struct graph *g)
{
	equation_list *backward = &g->part[PART_BACKWARD];
	struct winning w = {.g = g};

	for (int i = 0; i < backward->n; i++) {
		struct equation *eq = backward->item[i];

		w.eq = eq;
		if (eq->kind == EQ_MAP && ex_has(eq->value, EX_SELECT))
			eq->value = ex_rewrite(g, eq->value, NULL, choose_first, &w);
		list_add(&g->ctx->arena, &w.out, eq);
	}
	*backward = w.out;
	find_usage(g);
	find_places_early(g);
}
