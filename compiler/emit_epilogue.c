/* emit_epilogue.c - maps behind a tile, as schedule_epilogue.c has planned it: loops over the block of results that is
 * complete when the tile's inner loops are closed.
 *
 * The block reaches from where an open loop around it is as far as that goes on, and along all of any other index. */
#include "emit_tile.h"

#include "emit_loops.h"

#include <string.h>

/* A loop over an index, from where the loop of the tile is; returns the blocks opened: 0 or 1. */
static int open_within(struct body *b, const struct equation *eq, int slot, const char *from, const char *step)
{
	const char *name;

	if (strcmp(step, "1") == 0) {
		set_slot(b, slot, from);
		return 0;
	}
	name = index_name(b, eq, slot);
	open_block(b->e, "for (int %s = %s; %s < %s + %s; %s++) {", name, from, name, from, step, name);
	set_slot(b, slot, name);
	return 1;
}

void write_epilogue(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const struct equation *sum = b->group->stages.item[0]->eq, *eq = b->group->stages.item[1]->eq;
	const char *from[64], *step[64] = {0}; /* step: "" where another index stands for this one, too */
	int n = b->group->stages.n, blocks = 0;
	struct mark m = mark(b);

	for (int k = 0; k < tile->followed; k++)
		for (int s = 0; s < sum->nfree; s++)
			if (moves_along(&tile->loop[k].axis, sum, s)) {
				from[s] = b->slot_name[s];
				step[s] = s == tile->loop[k].axis.slot ? names->step[k] : "";
			}
	start_stage(b, eq, 0);
	for (int s = 0; s < eq->nfree; s++) {
		hoist_terms(b, 1, n);
		if (!step[s])
			blocks += open_loop(b, eq, s);
		else if (*step[s])
			blocks += open_within(b, eq, s, from[s], step[s]);
		else
			b->open |= (uint64_t)1 << s;
	}
	write_nest_body(b, 1, n, eq->nfree);
	close_loops(b, blocks);
	forget(b, m, true);
}
