/* overwrite.c - whether a stage may store where a value is that it reads: only if what reads that value in its group
 * reads the element that is about to be overwritten, and does so in the same loops or before. */
#include "place.h"

/* Whether a stage reads one element of memory `root` for the element it makes, and nothing else of it. */
static bool reads_own_element(const struct stage *stage, const struct tensor *root, bool *reads_it)
{
	expr_list reads = stage->reads;

	*reads_it = false;
	for (int k = 0; k < reads.n; k++) {
		const struct expr *read = reads.item[k];

		if (root_of(read->tensor) != root)
			continue;
		*reads_it = true;
		if (read->tensor != root || read->guarded || read->tensor->rank != stage->eq->nfree)
			return false;
		for (int a = 0; a < read->tensor->rank; a++)
			if (read->arg[a]->op != EX_INDEX || read->arg[a]->slot != a ||
			    read->tensor->axis[a].extent != stage->eq->index[a].extent)
				return false;
	}
	return true;
}

/* Whether a map makes some elements again (schedule_epilogue.c), of what was there before the group. */
static bool is_made_again(const struct group *group, int at, const struct tensor *old)
{
	for (int i = 0; i < at; i++)
		if (root_of(group->stages.item[i]->eq->tensor) == old)
			return false;
	return at > 0 && group->stages.item[0]->tile;
}

bool may_overwrite(const struct group *group, int at, const struct tensor *old)
{
	const struct stage *stage = group->stages.item[at];
	int nest_end = at + 1; /* values are stored at the end of the nest's body */

	if (group->steps || /* other steps still read it */
	    accumulates_in_memory(group, stage) || tensor_size(old) != tensor_size(stage->eq->tensor) ||
	    old->elem != stage->eq->tensor->elem || is_made_again(group, at, old))
		return false;
	while (nest_end < group->stages.n && group->stages.item[nest_end]->joins)
		nest_end++;
	for (int i = 0; i < group->stages.n; i++) {
		bool reads_it;

		if (!reads_own_element(group->stages.item[i], old, &reads_it) || (reads_it && i >= nest_end))
			return false;
	}
	return true;
}
