/* schedule_pieces.c - ranges of an index in which the tests on it are decided.
 *
 * A choice by the number of a gate, or what the step before has left, is tested again in every round of an inner loop,
 * where it always comes out the same; and compilers make no vectors of such a loop. If only few values of an index
 * change what the tests say, its loop is cut there, and each piece has expressions without tests:
 *
 *     z[g, i] = (if g == 2 then a[i] else 0) + (if g < 2 then b[i] else 0)
 *
 * is b[i] for g < 2 and a[i] for g = 2. An index that is divided, as in a[i // 2, i % 2], is taken as 2*q + r, with a
 * loop for each and none of the divisions. The loop over the steps of a scan stands around the function; so the
 * function asks once whether its step is one of the longest piece, in which it reads beyond no end, and else does it
 * all with tests.
 *
 * requires  groups whose shape is chosen and whose loops are not yet split
 * gives     the group's steady steps, and stage->cut of the first stage of every nest; restrict.c the terms */
#include "expr.h"
#include "schedule.h"

#include <string.h>

enum {
	MOST_VALUES = 64,    /* at which the tests on an index may change */
	MOST_TRIED = 2048,   /* values of an index with which a test is tried */
	MOST_OPERATORS = 64, /* of a test, to be computed directly */
	MOST_PARTS = 27	     /* pieces of all loops of a nest together */
};

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

/* A test whose one slot has a value: 0 or 1, or -1 where that does not decide it. */
static int decide(struct graph *g, struct expr *test, int slot, int64_t value)
{
	struct expr *map[MAX_SLOTS] = {0}, *e;
	int64_t at[MAX_SLOTS], result;
	int left = MOST_OPERATORS;

	at[slot] = value;
	result = compute_integer(test, at, &left);
	if (left >= 0)
		return result != 0;
	map[slot] = ex_int(g, value);
	e = ex_substitute(g, test, map, MAX_SLOTS);
	return e->op == EX_INT ? e->integer != 0 : -1;
}

/* A test that is not linear: tried with every value of its slot, if it has but one. */
static void note_values(struct graph *g, const struct equation *eq, struct expr *e, struct changes changes[64])
{
	int slot = e->slots ? __builtin_ctzll(e->slots) : 0, before = -1;
	bool one = e->slots == (uint64_t)1 << slot && !eq->index[slot].rows && eq->index[slot].extent <= MOST_TRIED;

	for (int64_t v = 0; one && v < eq->index[slot].extent; v++) {
		int now = decide(g, e, slot, v);

		one = now >= 0;
		if (one && v > 0 && now != before)
			add_change(&changes[slot], v, eq->index[slot].extent);
		before = now;
	}
	for (int s = 0; s < eq->n && !one; s++)
		changes[s].other |= e->slots >> s & 1;
}

static void note_comparison(struct graph *g, const struct equation *eq, struct expr *e, struct changes changes[64])
{
	struct affine up, down;

	if (!affine_gap(e->arg[1], e->arg[0], &up) || !affine_gap(e->arg[0], e->arg[1], &down)) {
		if (e->arg[0]->elem == ELEM_INT)
			note_values(g, eq, e, changes);
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
	for (int a = 0; a < read->tensor->rank; a++) {
		struct expr *sub = read->arg[a], *end = ex_int(g, read->tensor->axis[a].extent);

		if (!sub->affine)
			note_values(g, eq, ex2(g, EX_AND, ex2(g, EX_LE, ex_int(g, 0), sub), ex2(g, EX_LT, sub, end)),
				    changes);
	}
}

static void note_tests(struct graph *g, const struct stage *stage, struct changes changes[64])
{
	expr_list all = {0};

	collect_exprs(g, stage->term, &all);
	for (int i = 0; i < all.n; i++) {
		struct expr *e = all.item[i];

		if (e->op == EX_LT || e->op == EX_LE || e->op == EX_EQ || e->op == EX_NE)
			note_comparison(g, stage->eq, e, changes);
		else if (e->op == EX_READ && e->guarded)
			note_guards(g, stage->eq, e, changes);
	}
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

/* ---- quotients and remainders ---- */

/* How an index is divided: j = by*q + r + first wherever it is. */
struct division {
	int64_t by, first;
	bool mixed; /* in more than one way */
};

static void note_divisions(struct graph *g, const struct stage *stage, struct division division[64])
{
	expr_list all = {0};

	collect_exprs(g, stage->term, &all);
	for (int i = 0; i < all.n; i++) {
		const struct expr *e = all.item[i];
		struct division *d = NULL;
		struct affine a;
		int64_t by, first;

		if ((e->op != EX_FLOORDIV && e->op != EX_MOD) || e->arg[1]->op != EX_INT || e->arg[1]->integer < 2 ||
		    !affine_of(e->arg[0], &a))
			continue;
		by = e->arg[1]->integer;
		first = floor_modulo(-a.constant, by);
		for (int s = 0; s < stage->eq->n; s++) {
			if (!a.coef[s])
				continue;
			division[s].mixed |= d || a.coef[s] != 1 ||
					     (division[s].by && (division[s].by != by || division[s].first != first));
			if (d)
				d->mixed = true;
			d = &division[s];
			d->by = by;
			d->first = first;
		}
	}
}

/* ---- cuts of a nest ---- */

static void add_point(struct cut *cut, int64_t at)
{
	int k = cut->n;

	for (int i = 0; i <= cut->n; i++)
		if (cut->at[i] == at)
			return;
	for (; cut->at[k] > at; k--)
		cut->at[k + 1] = cut->at[k];
	cut->at[k + 1] = at;
	cut->n++;
}

/* The longest piece as by*q + r, what is left of it before and behind apart. */
static void divide_longest(struct cut *cut, const struct division *division)
{
	int64_t from, to, by = division->by;
	int best = 0;

	for (int k = 1; k < cut->n; k++)
		if (cut->at[k + 1] - cut->at[k] > cut->at[best + 1] - cut->at[best])
			best = k;
	from = cut->at[best] + floor_modulo(division->first - cut->at[best], by);
	to = from + (cut->at[best + 1] - from) / by * by;
	if (to < from + 2 * by)
		return;
	add_point(cut, from);
	add_point(cut, to);
	for (cut->whole = 0; cut->at[cut->whole] != from;)
		cut->whole++;
	cut->by = by;
}

/* False where the loop over the slot is as well left alone. */
static bool make_cut(struct cut *cut, int slot, int64_t extent, const struct changes *changes,
		     const struct division *division)
{
	bool divided = division->by && !division->mixed;

	*cut = (struct cut){.slot = slot, .n = 1, .at = {0, extent}};
	if (!changes->other && changes->n + 1 + 2 * divided <= MOST_PIECES)
		for (int k = 0; k < changes->n; k++)
			add_point(cut, changes->at[k]);
	if (divided)
		divide_longest(cut, division);
	return cut->n > 1 || cut->by;
}

/* Room for the digits' slots, behind those of the equation. */
static struct equation *widen(struct arena *arena, const struct equation *eq, const struct cut *cut, int n_cut)
{
	struct equation *wide = arena_alloc(arena, sizeof *wide);
	struct index *index = arena_array(arena, (size_t)(eq->n + 2 * n_cut), sizeof *index);

	memcpy(index, eq->index, (size_t)eq->n * sizeof *index);
	for (int k = 0; k < n_cut; k++)
		if (cut[k].by) {
			const char *name = eq->index[cut[k].slot].name;

			index[cut[k].high] = (struct index){
				name, (cut[k].at[cut[k].whole + 1] - cut[k].at[cut[k].whole]) / cut[k].by, false};
			index[cut[k].high + 1] = (struct index){arena_printf(arena, "in_%s", name), cut[k].by, false};
		}
	*wide = *eq;
	wide->index = index;
	wide->n = eq->n + 2 * n_cut;
	return wide;
}

/* The indices of a nest that are cut: those that tests are on, beside the step; and not one that all of them share with
 * another nest. */
static void find_cuts(struct program *p, struct group *group, int at, int end, int depth)
{
	struct stage *first = group->stages.item[at];
	struct division division[64] = {0};
	struct changes changes[64];
	bool other = false, divided = false;
	int parts = 1;

	clear_changes(changes);
	for (int i = at; i < end; i++) {
		if (group->stages.item[i]->form != FORM_MAP)
			return;
		note_tests(p->g, group->stages.item[i], changes);
		note_divisions(p->g, group->stages.item[i], division);
	}
	for (int s = 0; s < first->eq->nfree; s++) {
		other |= !is_step(first->eq, first->n_steps, s) && changes[s].other;
		divided |= division[s].by && !division[s].mixed;
	}
	for (int s = first->eq->nfree - 1; s >= depth && (divided || !other); s--) {
		struct cut cut;

		if (is_step(first->eq, first->n_steps, s) || first->eq->index[s].rows || first->n_cut == MOST_CUTS ||
		    !make_cut(&cut, s, first->eq->index[s].extent, &changes[s], &division[s]) ||
		    parts * cut.n > MOST_PARTS)
			continue;
		parts *= cut.n;
		memmove(first->cut + 1, first->cut, (size_t)first->n_cut++ * sizeof cut);
		first->cut[0] = cut;
	}
	for (int k = 0; k < first->n_cut; k++)
		first->cut[k].high = first->eq->n + 2 * k;
	for (int i = at; first->n_cut && i < end; i++)
		group->stages.item[i]->wide =
			widen(&p->g->ctx->arena, group->stages.item[i]->eq, first->cut, first->n_cut);
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
		find_cuts(p, group, at, end, depth);
	}
	if (group->stages.item[0]->n_cut && depth == 0)
		group->depth = 0; /* a nest alone has its loops for itself */
}
