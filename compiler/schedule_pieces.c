/* schedule_pieces.c - ranges of an index in which the tests on it are decided.
 *
 * A choice by the number of a gate, or what the step before has left, is tested again in every round of an inner loop,
 * where it always comes out the same; and compilers make no vectors of such a loop. If only few values of an index
 * change what the tests say, its loop is cut there, and each piece has expressions without tests:
 *
 *     z[g, i] = (if g == 2 then a[i] else 0) + (if g < 2 then b[i] else 0)
 *
 * is b[i] for g < 2 and a[i] for g = 2. The loop over the steps of a scan stands around the function; so the function
 * asks once whether its step is one of the longest piece, in which it reads beyond no end, and else does it all with
 * tests.
 *
 * requires  groups whose shape is chosen and whose loops are not yet split
 * gives     the group's steady steps, and stage->cut of the first stage of every nest; restrict_term the terms */
#include "schedule.h"

#include <string.h>

enum { MOST_VALUES = 64 }; /* at which the tests on an index may change */

/* ---- tests ---- */

/* The values of an index from which on a test on it alone comes out differently. */
struct changes {
	int n;
	int64_t at[MOST_VALUES];
	bool other; /* a test on several indices, or one that is not linear */
};

/* The lists themselves stay as they are: they are long. */
static void clear_changes(struct changes changes[64])
{
	for (int s = 0; s < 64; s++) {
		changes[s].n = 0;
		changes[s].other = false;
	}
}

static void add_change(struct changes *list, int64_t at, int64_t extent)
{
	int k = list->n;

	if (at <= 0 || at >= extent)
		return;
	for (int i = 0; i < list->n; i++)
		if (list->at[i] == at)
			return;
	if (list->n == MOST_VALUES) {
		list->other = true;
		return;
	}
	for (; k > 0 && list->at[k - 1] > at; k--)
		list->at[k] = list->at[k - 1];
	list->at[k] = at;
	list->n++;
}

/* a >= 0 as a test on one slot goes to that slot's changes. */
static void note_test(const struct equation *eq, const struct affine *a, struct changes changes[64])
{
	int slot = -1;

	for (int s = 0; s < eq->n; s++)
		if (a->coef[s]) {
			if (slot >= 0)
				changes[s].other = changes[slot].other = true;
			slot = s;
		}
	if (slot < 0)
		return;
	if (a->coef[slot] > 0) /* from -constant / coef on, rounded up */
		add_change(&changes[slot], (a->coef[slot] - 1 - a->constant) / a->coef[slot], eq->index[slot].extent);
	else if (a->constant >= 0)
		add_change(&changes[slot], a->constant / -a->coef[slot] + 1, eq->index[slot].extent);
}

/* *out = a - b. */
static bool difference(const struct expr *a, const struct expr *b, struct affine *out)
{
	struct affine right;

	if (a->elem != ELEM_INT || b->elem != ELEM_INT || !affine_of(a, out) || !affine_of(b, &right))
		return false;
	out->constant -= right.constant;
	for (int s = 0; s < 64; s++)
		out->coef[s] -= right.coef[s];
	return true;
}

static void note_comparison(const struct equation *eq, const struct expr *e, struct changes changes[64])
{
	struct affine up, down;

	if (!difference(e->arg[1], e->arg[0], &up) || !difference(e->arg[0], e->arg[1], &down)) {
		for (int s = 0; s < eq->n && e->arg[0]->elem == ELEM_INT; s++)
			changes[s].other |= e->slots >> s & 1;
		return;
	}
	if (e->op == EX_LT)
		up.constant--;
	note_test(eq, &up, changes);
	if (e->op == EX_EQ || e->op == EX_NE)
		note_test(eq, &down, changes);
}

static void note_guards(struct graph *g, const struct equation *eq, const struct expr *read, struct changes changes[64])
{
	condition_list list = {0};

	guard_conditions(g, &list, eq->index, read);
	for (int i = 0; i < list.n; i++)
		note_test(eq, &list.item[i], changes);
	for (int a = 0; a < read->tensor->rank; a++)
		for (int s = 0; s < eq->n && !read->arg[a]->affine; s++)
			changes[s].other |= read->arg[a]->slots >> s & 1;
}

static void note_tests(struct graph *g, const struct stage *stage, struct changes changes[64])
{
	expr_list all = {0};

	collect_exprs(g, stage->term, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];

		if (e->op == EX_LT || e->op == EX_LE || e->op == EX_EQ || e->op == EX_NE)
			note_comparison(stage->eq, e, changes);
		else if (e->op == EX_READ && e->guarded)
			note_guards(g, stage->eq, e, changes);
	}
}

/* ---- terms in a piece ---- */

struct done {
	struct expr *from, *to;
};
struct piece_term {
	struct graph *g;
	const struct equation *eq;
	int slot;
	struct range range; /* of its values */
	LIST(struct done) done;
};

static struct range affine_range(const struct piece_term *w, const struct affine *a)
{
	struct range r = {a->constant, a->constant};

	for (int s = 0; s < w->eq->n; s++) {
		struct range of = s == w->slot ? w->range : (struct range){0, w->eq->index[s].extent - 1};

		r.low += a->coef[s] * (a->coef[s] > 0 ? of.low : of.high);
		r.high += a->coef[s] * (a->coef[s] > 0 ? of.high : of.low);
	}
	return r;
}

/* 1: true, 0: false, -1: it depends. */
static int decide(const struct piece_term *w, const struct expr *e)
{
	struct affine a;
	struct range r;
	int left, right;

	switch (e->op) {
	case EX_NOT: left = decide(w, e->arg[0]); return left < 0 ? -1 : !left;
	case EX_AND:
	case EX_OR:
		left = decide(w, e->arg[0]);
		right = decide(w, e->arg[1]);
		if (left == (e->op == EX_OR) || right == (e->op == EX_OR))
			return e->op == EX_OR;
		return left < 0 || right < 0 ? -1 : e->op == EX_AND;
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: break;
	default: return -1;
	}
	if (!difference(e->arg[1], e->arg[0], &a))
		return -1;
	r = affine_range(w, &a);
	if (e->op == EX_EQ || e->op == EX_NE) {
		if (r.low == 0 && r.high == 0)
			return e->op == EX_EQ;
		return r.low > 0 || r.high < 0 ? e->op == EX_NE : -1;
	}
	r.low -= e->op == EX_LT;
	r.high -= e->op == EX_LT;
	return r.low >= 0 ? 1 : r.high < 0 ? 0 : -1;
}

static bool is_inside(const struct piece_term *w, const struct expr *read)
{
	for (int k = 0; k < read->tensor->rank; k++) {
		struct affine a;
		struct range r;

		if (read->tensor->axis[k].rows && read->arg[k]->op == EX_INDEX)
			continue;
		if (!affine_of(read->arg[k], &a))
			return false;
		r = affine_range(w, &a);
		if (r.low < 0 || r.high >= read->tensor->axis[k].extent)
			return false;
	}
	return true;
}

static struct expr *term_in_piece(struct piece_term *w, struct expr *e)
{
	struct expr *arg[64 + 1], *made;
	int which;

	if (!(e->slots >> w->slot & 1) || !e->n || e->n > 64)
		return e;
	for (int i = 0; i < w->done.n; i++)
		if (w->done.item[i].from == e)
			return w->done.item[i].to;
	which = e->op == EX_SELECT ? decide(w, e->arg[0]) : -1;
	if (which >= 0) {
		made = term_in_piece(w, e->arg[which ? 1 : 2]);
	} else {
		for (int i = 0; i < e->n; i++)
			arg[i] = term_in_piece(w, e->arg[i]);
		if (e->op == EX_READ)
			made = ex_read(w->g, e->tensor, arg,
				       e->guarded && !is_inside(w, e) ? arg[e->tensor->rank] : NULL);
		else
			made = ex_make(w->g, e->op, e->n, arg);
	}
	list_add(&w->g->ctx->arena, &w->done, (struct done){e, made});
	return made;
}

struct expr *restrict_term(struct graph *g, const struct stage *stage, int slot, int64_t from, int64_t to)
{
	struct piece_term w = {.g = g, .eq = stage->eq, .slot = slot, .range = {from, to - 1}};

	return term_in_piece(&w, stage->term);
}

/* ---- which index is cut ---- */

int step_slot(const struct group *group, const struct stage *stage)
{
	return stage->eq->tensor->batched + count_steps(group) - 1;
}

/* The longest range of steps in which the tests on the step are decided, if some are. */
static void find_steady(struct program *p, struct group *group)
{
	const struct scan *scan = group->steps->scan;
	struct changes all = {0};
	int64_t from = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		struct changes changes[64];

		if (stage->tile || stage->form == FORM_SCATTER)
			return;
		clear_changes(changes);
		note_tests(p->g, stage, changes);
		for (int k = 0; k < changes[step_slot(group, stage)].n; k++)
			add_change(&all, changes[step_slot(group, stage)].at[k], scan->trips);
	}
	for (int k = 0; all.n && k <= all.n; k++) {
		int64_t to = k < all.n ? all.at[k] : scan->trips;

		if (to - from > group->steady_to - group->steady_from) {
			group->steady_from = from;
			group->steady_to = to;
		}
		from = to;
	}
}

/* The index of a nest that is cut: the only one, beside the step, that tests are on; and not one that all of them share
 * with another nest. */
static void find_cut(struct program *p, struct group *group, int at, int end, int depth)
{
	struct stage *first = group->stages.item[at];
	struct changes changes[64];
	int slot = -1;

	clear_changes(changes);
	for (int i = at; i < end; i++) {
		if (group->stages.item[i]->form != FORM_MAP)
			return;
		note_tests(p->g, group->stages.item[i], changes);
	}
	for (int s = 0; s < first->eq->nfree; s++) {
		if (is_step(first->eq, first->n_steps, s))
			continue;
		if (changes[s].other || (changes[s].n && slot >= 0))
			return;
		slot = changes[s].n ? s : slot;
	}
	if (slot < depth || changes[slot].n >= MOST_PIECES || first->eq->index[slot].rows)
		return;
	first->cut.slot = slot;
	for (int k = 0; k < changes[slot].n; k++)
		first->cut.at[++first->cut.n] = changes[slot].at[k];
	first->cut.at[++first->cut.n] = first->eq->index[slot].extent;
}

void find_pieces(struct program *p, struct group *group)
{
	int depth = group->depth, end;

	if (group->written_out || group->flat || group->stages.item[0]->tile)
		return;
	if (group->steps)
		find_steady(p, group);
	for (end = 1; end < group->stages.n && group->stages.item[end]->joins;)
		end++;
	if (end == group->stages.n)
		depth = 0;
	for (int at = 0; at < group->stages.n; at = end) {
		for (end = at + 1; end < group->stages.n && group->stages.item[end]->joins;)
			end++;
		find_cut(p, group, at, end, depth);
	}
	if (group->stages.item[0]->cut.n && depth == 0)
		group->depth = 0; /* a nest alone has its loops for itself */
}
