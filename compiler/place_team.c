/* place_team.c - what is else where in a step that threads share: a phase (schedule_team.c) is one moment, since each
 * thread is somewhere in it.
 *
 * So what lives in a phase lives from its begin to its end. A value may still take another one's place within a phase
 * where no other thread touches that: where nobody but those who make their samples of it, or a thread of its own,
 * does. And each thread has memory of its own for panels, and for rows of a gradient that are about to be applied. */
#include "place.h"
#include "schedule.h"

enum { OWN_ALIGN = 16 /* reals */ };

/* ---- phases ---- */

static bool is_in_phase(const struct call_plan *plan, int at, int phase)
{
	return at >= 0 && at < plan->groups.n && plan->groups.item[at]->phase == phase;
}

int first_of_phase(const struct call_plan *plan, int at)
{
	while (is_in_phase(plan, at - 1, plan->groups.item[at]->phase))
		at--;
	return at;
}

int last_of_phase(const struct call_plan *plan, int at)
{
	while (is_in_phase(plan, at + 1, plan->groups.item[at]->phase))
		at++;
	return at;
}

/* ---- who touches what ---- */

enum { BY_NOBODY, BY_OTHERS, BY_SAMPLES, BY_THREAD };

struct touching {
	const struct call_plan *plan;
	const struct group *group;
	int who;
};

static void forget(void *user, enum use use, struct layout *layout)
{
	(void)user;
	(void)use;
	layout->number = BY_NOBODY;
}

static void note(void *user, enum use use, struct layout *layout)
{
	const struct touching *w = user;

	if (use != REPLACES && is_in_phase(w->plan, layout->dies, w->group->phase))
		layout->number = layout->number == BY_NOBODY || layout->number == w->who ? w->who : BY_OTHERS;
}

/* Whoever makes a group; threads that make any of its elements are not the same for two groups. */
static int who_makes(const struct call_plan *plan, int at)
{
	const struct group *group = plan->groups.item[at];

	return group->cut == CUT_SAMPLES ? BY_SAMPLES : group->cut == CUT_NOTHING ? BY_THREAD + group->thread : -1 - at;
}

void find_touching(const struct call_plan *plan)
{
	for (int at = 0; at < plan->groups.n; at++)
		visit_uses(plan->groups.item[at], forget, NULL);
	for (int at = 0; at < plan->groups.n; at++)
		visit_uses(plan->groups.item[at], note,
			   &(struct touching){plan, plan->groups.item[at], who_makes(plan, at)});
}

bool is_touched_apart(const struct call_plan *plan, int at, const struct tensor *old)
{
	const struct layout *layout = layout_of(old);

	return !is_in_phase(plan, layout->dies, plan->groups.item[at]->phase) || layout->number == BY_NOBODY ||
	       layout->number == who_makes(plan, at);
}

/* ---- memory of each thread ---- */

static int64_t whole(int64_t size) { return (size + OWN_ALIGN - 1) / OWN_ALIGN * OWN_ALIGN; }

static int64_t place_group(const struct group *group)
{
	int64_t size = 0;

	for (int i = 0; i < group->stages.n; i++) {
		const struct tile *tile = group->stages.item[i]->tile;

		if (!tile || !tile->memory)
			continue;
		layout_of(tile->memory)->storage[CALL_TEAM_STEP] = (struct storage){.memory = MEM_OWN, .offset = size};
		size += whole(tensor_size(tile->memory));
	}
	if (makes_blocks(group)) {
		layout_of(root_of(group->stages.item[0]->eq->tensor))->storage[CALL_TEAM_STEP] =
			(struct storage){.memory = MEM_OWN, .offset = size};
		size += whole(group->sweep->room * group->sweep->row);
	}
	return size;
}

void place_own(struct program *p)
{
	const group_list *groups = &p->call[CALL_TEAM_STEP].groups;

	for (int at = 0; at < groups->n; at++) {
		int64_t size = place_group(groups->item[at]);

		p->own = p->own > size ? p->own : size;
	}
}
