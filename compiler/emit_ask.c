/* emit_ask.c - what a tile asks for while its sums run: far memory that the next round of a loop will read.
 *
 * Weights of a large layer come from the last cache in every step, and whoever waits for them there computes nothing.
 * So the tiles of one round ask for those of the next, a little at each step of their sums. That it lies side by side
 * is asked_loop's to see. */
#include "emit_tile.h"

const char *ask_step(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const char *of = tile->across ? names->row[0] : product(b->e, names->col[0], names->lanes);

	if (tile->asks == tile->n_loop - 1)
		return of;
	return arena_printf(b->e->arena, "%s * %s / %lld + 1", of, names->row[0],
			    (long long)tile->loop[tile->asks + 1].axis.extent);
}

void name_asked(struct body *b, const struct tile *tile, struct tile_names *names)
{
	const struct tile_axis *x = &tile->loop[tile->asks].axis;
	const char *at = b->slot_name[x->slot], *step = names->step[tile->asks];
	const char *next = new_name(b->e, &b->scope, arena_printf(b->e->arena, "%s_next", b->eq->index[x->slot].name));

	write_line(b->e, "const int %s = %s < %lld - 2 * %s ? %s + %s : %lld - %s;", next, at, (long long)x->extent,
		   step, at, step, (long long)x->extent, step);
	b->slot_name[x->slot] = next;
	names->ask = start_text(b, tile, !tile->across);
	b->slot_name[x->slot] = at;
}

const char *ask_text(struct body *b, const struct tile *tile, const struct tile_names *names)
{
	const struct tile_axis *inner = &tile->loop[tile->asks + 1].axis;

	if (!names->ask)
		return "NULL";
	if (tile->asks == tile->n_loop - 1)
		return names->ask;
	return arena_printf(b->e->arena, "%s + %lld * %s / %lld * %s", names->ask, (long long)tile->sum[0].extent,
			    names->step[tile->asks], (long long)inner->extent, b->slot_name[inner->slot]);
}
