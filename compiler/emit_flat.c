/* emit_flat.c - an element-wise group as one loop over all elements of its tensors. */
#include "emit_loops.h"

enum { FLAT_LANES = 64 /* elements of a round of a flat loop; clang unrolls shorter ones, and then scatters */ };

static void write_flat_body(struct body *b, const char *index)
{
	const struct equation *eq = b->group->stages.item[0]->eq;
	struct mark m = mark(b);

	b->flat_index = index;
	for (int s = 0; s < eq->nfree; s++)
		set_slot(b, s, index);
	write_nest_body(b, 0, b->group->stages.n, 64);
	forget(b, m, true);
}

/* gcc -O2 makes vectors only of loops whose number of rounds is a known multiple of theirs; libtcc makes none, and
 * random numbers are none. */
void write_flat(struct body *b)
{
	bool plain = b->e->options->freestanding || b->group->part == PART_INIT;
	const char *i;

	start_stage(b, b->group->stages.item[0]->eq, 0);
	if (write_flat_draws(b) || write_map(b, 0, b->group->stages.n, 0))
		return;
	hoist_terms(b, 0, b->group->stages.n);
	if (open_flat_blocks(b)) {
		write_flat_body(b, b->flat_index);
		close_block(b->e, "}");
		close_block(b->e, "}");
		return;
	}
	i = new_name(b->e, &b->scope, "i");
	if (plain) {
		open_block(b->e, "for (int %s = 0; %s < count; %s++) {", i, i, i);
	} else {
		const char *lane = new_name(b->e, &b->scope, "lane");

		write_line(b->e, "int %s = 0;", i);
		open_block(b->e, "for (; %s + %d <= count; %s += %d) {", i, FLAT_LANES, i, FLAT_LANES);
		open_block(b->e, "for (int %s = 0; %s < %d; %s++) {", lane, lane, FLAT_LANES, lane);
		write_flat_body(b, arena_printf(b->e->arena, "%s + %s", i, lane));
		close_block(b->e, "}");
		close_block(b->e, "}");
		open_block(b->e, "for (; %s < count; %s++) {", i, i);
	}
	write_flat_body(b, i);
	close_block(b->e, "}");
}
