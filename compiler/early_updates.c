/* early_updates.c - the order of a training step where memory is short: each update as soon as it can be.
 *
 * A step is the backward pass and then the update, in which all gradients live at once. But a param may be moved on as
 * soon as its gradient is there and nothing reads the old value any more, and then the gradient's memory is free for
 * the next one. Where something needs all gradients, as clipping by their norm does, that is at the end anyway. */
#include "schedule.h"

/* Groups [from, to) of the update that stay together, as the steps of a scan do, come behind group `at` of the
 * training. */
struct unit {
	int from, to, at;
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

void order_step(struct arena *arena, const group_list *training, const group_list *update, group_list *out)
{
	struct unit *unit = arena_array(arena, (size_t)update->n + 1, sizeof *unit);
	int n = 0;

	forget(training);
	forget(update);
	note_training(training);
	for (int i = 0; i < update->n; n++) {
		struct unit *u = &unit[n];

		*u = (struct unit){i, last_of_scan(update, i) + 1, -1};
		for (; i < u->to; i++)
			u->at = later(u->at, earliest(update->item[i]));
		for (int k = u->from; k < u->to; k++)
			note_update(update->item[k], u->at);
	}
	for (int at = -1; at < training->n; at++) {
		if (at >= 0)
			list_add(arena, out, training->item[at]);
		for (int k = 0; k < n; k++)
			for (int i = unit[k].from; unit[k].at == at && i < unit[k].to; i++)
				list_add(arena, out, update->item[i]);
	}
}
