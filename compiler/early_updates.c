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

/* While the order is made, layout->dies is the group of the training behind which a tensor is complete and, but for the
 * update, no longer read; layout->number that of the last update that reads it. place.c sets dies anew. */
static void forget(const group_list *list)
{
	for (int at = 0; at < list->n; at++)
		for (int i = 0; i < list->item[at]->stages.n; i++) {
			const struct stage *stage = list->item[at]->stages.item[i];
			struct layout *made = layout_of(root_of(stage->eq->tensor));
			expr_list reads = stage->reads;

			made->dies = made->number = -1;
			if (stage->eq->tensor->role == ROLE_NEXT)
				layout_of(stage->eq->tensor->of)->dies = layout_of(stage->eq->tensor->of)->number = -1;
			for (int k = 0; k < reads.n; k++) {
				struct layout *read = layout_of(root_of(reads.item[k]->tensor));

				read->dies = read->number = -1;
			}
		}
}

static int later(int a, int b) { return a > b ? a : b; }

static void note_training(const group_list *list)
{
	for (int at = 0; at < list->n; at++) {
		int until = last_of_scan(list, at);

		for (int i = 0; i < list->item[at]->stages.n; i++) {
			const struct stage *stage = list->item[at]->stages.item[i];
			expr_list reads = stage->reads;

			layout_of(root_of(stage->eq->tensor))->dies = until;
			for (int k = 0; k < reads.n; k++)
				layout_of(root_of(reads.item[k]->tensor))->dies = until;
		}
	}
}

/* The group behind which a group of the update may come: what it reads is there, and what it replaces is not needed. */
static int earliest(const struct group *group)
{
	int at = -1;

	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		const struct tensor *t = stage->eq->tensor;
		expr_list reads = stage->reads;

		at = later(at, layout_of(root_of(t))->dies);
		if (t->role == ROLE_NEXT)
			at = later(at, later(layout_of(t->of)->dies, layout_of(t->of)->number));
		for (int k = 0; k < reads.n; k++)
			at = later(at, layout_of(root_of(reads.item[k]->tensor))->dies);
	}
	return at;
}

static void note_update(const struct group *group, int at)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		expr_list reads = stage->reads;

		layout_of(root_of(stage->eq->tensor))->dies = at;
		for (int k = 0; k < reads.n; k++) {
			struct layout *read = layout_of(root_of(reads.item[k]->tensor));

			read->number = later(read->number, at);
		}
	}
}

/* What units that stand early, of those looked at so far, need and replace: marks of roots, in layout->number. */
enum { NEEDED = 1, REPLACED = 2 };

static void clear_marks(const struct group *group)
{
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];
		expr_list reads = stage->reads;

		layout_of(root_of(stage->eq->tensor))->number = 0;
		if (stage->eq->tensor->role == ROLE_NEXT)
			layout_of(stage->eq->tensor->of)->number = 0;
		for (int k = 0; k < reads.n; k++)
			layout_of(root_of(reads.item[k]->tensor))->number = 0;
	}
}

static void mark_unit(const group_list *update, const struct unit *unit)
{
	for (int at = unit->from; at < unit->to; at++) {
		const struct group *group = update->item[at];

		for (int i = 0; i < group->stages.n; i++) {
			const struct stage *stage = group->stages.item[i];
			expr_list reads = stage->reads;

			if (stage->eq->tensor->role == ROLE_NEXT)
				layout_of(stage->eq->tensor->of)->number |= REPLACED;
			for (int k = 0; k < reads.n; k++)
				layout_of(root_of(reads.item[k]->tensor))->number |= NEEDED;
		}
	}
}

/* Whether a unit must come before one of these: it makes what that one reads, or reads what that one replaces. */
static bool precedes_marked(const group_list *update, const struct unit *unit)
{
	for (int at = unit->from; at < unit->to; at++) {
		const struct group *group = update->item[at];

		for (int i = 0; i < group->stages.n; i++) {
			const struct stage *stage = group->stages.item[i];
			expr_list reads = stage->reads;

			if (layout_of(root_of(stage->eq->tensor))->number & NEEDED)
				return true;
			for (int k = 0; k < reads.n; k++)
				if (layout_of(root_of(reads.item[k]->tensor))->number & REPLACED)
					return true;
		}
	}
	return false;
}

/* What need not be early stands at the end, in one call where it can be. */
static void find_last(const struct program *p, struct unit *unit, int n)
{
	for (int k = 0; k < n; k++)
		for (int at = unit[k].from; at < unit[k].to; at++)
			clear_marks(p->update.item[at]);
	for (int k = n - 1; k >= 0; k--) {
		unit[k].last = !p->g->early_updates && !unit[k].sweep && !precedes_marked(&p->update, &unit[k]);
		if (!unit[k].last)
			mark_unit(&p->update, &unit[k]);
	}
}

/* The group of the training behind which each unit comes, at the earliest. */
static int find_units(const group_list *update, struct unit *unit)
{
	int n = 0;

	for (int i = 0; i < update->n; n++) {
		struct unit *u = &unit[n];

		*u = (struct unit){.from = i, .to = last_of_scan(update, i) + 1, .at = -1};
		for (; i < u->to; i++)
			u->at = later(u->at, earliest(update->item[i]));
		for (int k = u->from; k < u->to; k++)
			note_update(update->item[k], u->at);
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

	forget(&p->training);
	forget(&p->update);
	note_training(&p->training);
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
