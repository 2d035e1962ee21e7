/* lifetime.c - until when each value of a call is needed: until the last group that reads it has run, and where that is
 * run again and again by a scan, a sweep or for strips of samples, until that has ended. What has memory for a strip
 * only does not outlive its round. */
#include "place.h"

/* What runs a group again and again, and others with it: the outermost scan around it, or a sweep; or NULL. */
static const void *rounds_around(const struct group *group)
{
	const struct step_loop *loop = group->steps;

	while (loop && loop->outer)
		loop = loop->outer;
	return loop ? (const void *)loop->scan : group->sweep;
}

int first_round(const struct call_plan *plan, int at)
{
	const struct strip *strip = strip_at(plan, at);
	const group_list *groups = &plan->groups;
	const void *rounds = rounds_around(groups->item[at]);

	if (strip)
		return strip->first;
	while (rounds && at > 0 && rounds_around(groups->item[at - 1]) == rounds)
		at--;
	return at;
}

int last_round(const struct call_plan *plan, int at)
{
	const struct strip *strip = strip_at(plan, at);
	const group_list *groups = &plan->groups;
	const void *rounds = rounds_around(groups->item[at]);

	if (strip)
		return strip->last;
	while (rounds && at + 1 < groups->n && rounds_around(groups->item[at + 1]) == rounds)
		at++;
	return at;
}

struct living {
	enum call call;
	int at, until; /* the group, and the last one of its rounds */
};

static void live_on(void *user, enum use use, struct layout *layout)
{
	const struct living *w = user;

	if (use != REPLACES)
		layout->dies = layout->strip_rows[w->call] ? w->at : w->until;
}

void find_lifetimes(const struct call_plan *plan, enum call call)
{
	for (int at = 0; at < plan->groups.n; at++) {
		struct living w = {call, at, last_round(plan, at)};

		visit_uses(plan->groups.item[at], live_on, &w);
	}
}
