/* early_updates.c - the order of a training step: updates as soon as they can be, where memory is short or the gradient
 * is still in the cache.
 *
 * A step is the backward pass and then the update, in which all gradients live at once. But a param may be moved on as
 * soon as its gradient is there and nothing reads the old value any more, and then the gradient's memory is free for
 * the next one. Where something needs all gradients, as clipping by their norm does, that is at the end anyway. */
#include "schedule.h"

/* Groups [from, to) of the update that stay together, as the steps of a scan do, come behind group `at` of the
 * training. */
struct unit {
	int from, to, at;
	struct sweep *sweep; /* it follows its gradient, or NULL */
	bool last;	     /* it can wait for the end */
	struct unit *next;   /* behind the same group */
};

static const struct scan *outermost_scan(const struct group *group)
{
	const struct step_loop *loop = group->steps;

	while (loop && loop->outer)
		loop = loop->outer;
	return loop ? loop->scan : NULL;
}

/* The last of the groups from i on that run in one scan with it; i, where it is in none. */
static int last_of_scan(const group_list *list, int i)
{
	const struct scan *scan = outermost_scan(list->item[i]);

	while (scan && i + 1 < list->n && outermost_scan(list->item[i + 1]) == scan)
		i++;
	return i;
}

static void visit_unit(const group_list *update, const struct unit *unit, use_fn *fn, void *user)
{
	for (int at = unit->from; at < unit->to; at++)
		visit_uses(update->item[at], fn, user);
}

/* While the order is made, layout->dies is the group of the training behind which a tensor is complete and, but for the
 * update, no longer read; layout->number that of the last update that reads it. place.c sets dies anew. */
static void forget(void *user, enum use use, struct layout *layout)
{
	(void)user;
	(void)use;
	layout->dies = layout->number = -1;
}

static int later(int a, int b) { return a > b ? a : b; }

static void note_training(void *user, enum use use, struct layout *layout)
{
	const int *until = user;

	if (use != REPLACES)
		layout->dies = *until;
}

/* The group behind which a group of the update may come: what it reads is there, and what it replaces is not needed. */
static void wait_for(void *user, enum use use, struct layout *layout)
{
	int *at = user;

	*at = later(*at, layout->dies);
	if (use == REPLACES)
		*at = later(*at, layout->number);
}

static void note_update(void *user, enum use use, struct layout *layout)
{
	const int *at = user;

	if (use == MAKES)
		layout->dies = *at;
	else if (use == READS)
		layout->number = later(layout->number, *at);
}

/* What units that stand early, of those looked at so far, need and replace: marks of roots, in layout->number. */
enum { NEEDED = 1, REPLACED = 2 };

static void clear_marks(void *user, enum use use, struct layout *layout)
{
	(void)user;
	(void)use;
	layout->number = 0;
}

static void mark(void *user, enum use use, struct layout *layout)
{
	(void)user;
	layout->number |= use == READS ? NEEDED : use == REPLACES ? REPLACED : 0;
}

/* Whether a unit must come before one of these: it makes what that one reads, or reads what that one replaces. */
static void find_marked(void *user, enum use use, struct layout *layout)
{
	bool *precedes = user;

	*precedes |= layout->number & (use == MAKES ? NEEDED : use == READS ? REPLACED : 0);
}

/* What need not be early stands at the end, in one call where it can be. */
static void find_last(const struct program *p, struct unit *unit, int n)
{
	for (int k = 0; k < n; k++)
		visit_unit(&p->update, &unit[k], clear_marks, NULL);
	for (int k = n - 1; k >= 0; k--) {
		bool precedes = p->g->early_updates || unit[k].sweep;

		visit_unit(&p->update, &unit[k], find_marked, &precedes);
		unit[k].last = !precedes;
		if (precedes)
			visit_unit(&p->update, &unit[k], mark, NULL);
	}
}

/* The group of the training behind which each unit comes, at the earliest. */
static int find_units(const group_list *update, struct unit *unit)
{
	int n = 0;

	for (int i = 0; i < update->n; n++) {
		struct unit *u = &unit[n];

		*u = (struct unit){.from = i, .to = last_of_scan(update, i) + 1, .at = -1};
		visit_unit(update, u, wait_for, &u->at);
		visit_unit(update, u, note_update, &u->at);
		i = u->to;
	}
	return n;
}

/* The sweep of an update that is one group, with the gradient that only it reads: that dies where it was made. Its
 * number among the groups of the training, or -1. */
static int find_sweep(struct program *p, struct unit *u)
{
	struct group *use = p->update.item[u->from];

	for (int i = 0; i < use->stages.n; i++) {
		expr_list reads = use->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++) {
			const struct tensor *read = reads.item[k]->tensor;
			int at = read->role == ROLE_GRAD ? layout_of(root_of(read))->dies : -1;

			if (at >= 0)
				u->sweep = plan_sweep(p, p->training.item[at], use, at < u->at);
			if (u->sweep)
				return at;
		}
	}
	return -1;
}

/* Updates that follow their gradients. follows: by number of the gradient's group, that it stands with its update. */
static void find_sweeps(struct program *p, struct unit *unit, int n, bool *follows)
{
	for (int k = 0; k < n; k++) {
		int at = unit[k].to > unit[k].from + 1 ? -1 : find_sweep(p, &unit[k]);

		if (at >= 0)
			follows[at] = true;
	}
}

static void add_unit(struct program *p, const struct unit *unit, group_list *out)
{
	struct arena *arena = &p->g->ctx->arena;
	struct sweep *sweep = unit->sweep;

	if (sweep && sweep->alone && p->g->batch == 1) {
		list_add(arena, out, sweep->alone);
		return;
	}
	if (sweep && sweep->added) {
		list_add(arena, out, sweep->added);
		return;
	}
	if (sweep)
		list_add(arena, out, sweep->make);
	for (int i = unit->from; i < unit->to; i++)
		list_add(arena, out, p->update.item[i]);
}

void order_step(struct program *p, group_list *out)
{
	struct arena *arena = &p->g->ctx->arena;
	struct unit *unit = arena_array(arena, (size_t)p->update.n + 1, sizeof *unit);
	struct unit **first =
		arena_array(arena, (size_t)p->training.n + 1, sizeof *first); /* behind each group, and none */
	bool *follows = arena_array(arena, (size_t)p->training.n + 1, sizeof *follows);
	int n;

	for (int at = 0; at < p->training.n; at++)
		visit_uses(p->training.item[at], forget, NULL);
	for (int at = 0; at < p->update.n; at++)
		visit_uses(p->update.item[at], forget, NULL);
	for (int at = 0; at < p->training.n; at++) {
		int until = last_of_scan(&p->training, at);

		visit_uses(p->training.item[at], note_training, &until);
	}
	n = find_units(&p->update, unit);
	find_sweeps(p, unit, n, follows);
	find_last(p, unit, n);
	for (int k = n - 1; k >= 0; k--) {
		unit[k].next = first[unit[k].at + 1];
		first[unit[k].at + 1] = &unit[k];
	}
	for (int at = -1; at < p->training.n; at++) {
		if (at >= 0 && !follows[at])
			list_add(arena, out, p->training.item[at]);
		for (const struct unit *u = first[at + 1]; u; u = u->next)
			if (!u->last)
				add_unit(p, u, out);
	}
	for (int k = 0; k < n; k++)
		if (unit[k].last)
			add_unit(p, &unit[k], out);
}
