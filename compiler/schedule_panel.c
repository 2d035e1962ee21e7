/* schedule_panel.c - memory for operands in the order in which tiles read them, and the machines that copy one more.
 *
 * An operand that is read in place, a vector or two at each step of the sums, is another line and another page at each
 * of them where its steps are far apart. Machines with many registers ask for it some steps ahead. Where registers are
 * few a step takes six cycles, too few for that. So such a machine copies the operand as well: into one panel, which
 * the tiles of all rows read; or, where a panel of the other one is what changes slowly, all of it before the loops. It
 * comes from far once, and pays where there are many rows. */
#include "schedule_tile.h"

int64_t tile_steps(const struct tile *tile)
{
	int64_t steps = 1;

	for (int k = 0; k < tile->n_sum; k++)
		steps *= tile->sum[k].extent;
	return steps;
}

int64_t panel_places(const struct tile *tile, bool of_b, int target)
{
	const struct tile_size *size = &tile->size[target];

	return of_b ? (int64_t)size->col[0] * size->lanes * size->col[1] : (int64_t)size->row[0] * size->row[1];
}

/* Elements of all panels of B. */
static int64_t places_of_b(const struct tile *tile, int target)
{
	int64_t places = panel_places(tile, true, target);

	return rounds(tile->col[0].extent, places) * places * tile_steps(tile);
}

/* Whether nothing but the vectors' index leads from panel to panel of B. */
static bool goes_along_vectors(const struct tile *tile)
{
	for (int k = 0; k < tile->n_loop; k++)
		if (tile->loop[k].axis.b && tile->loop[k].side != SIDE_VECTOR)
			return false;
	return true;
}

/* How many loops move B, -1: they are not the first. */
static int loops_of_b(const struct tile *tile)
{
	int n = 0;

	while (n < tile->n_loop && tile->loop[n].axis.b)
		n++;
	for (int k = n; k < tile->n_loop; k++)
		if (tile->loop[k].axis.b)
			return -1;
	return n;
}

/* Elements that read each one of B. */
static int64_t rows_of_b(const struct tile *tile)
{
	int64_t rows = 1;

	for (int k = 0; k < tile->n_loop; k++)
		rows *= tile->loop[k].axis.b ? 1 : tile->loop[k].axis.extent;
	return rows;
}

/* Whether B, not in a panel on all machines, may be on some: *whole, all of it at once. An update is made at once; a
 * gradient perhaps in blocks of rows, and would copy B for each of them. */
static bool may_add_copy(const struct problem *p, const struct tile *tile, bool *whole)
{
	enum { LEAST_OF_PANEL = 96, LEAST_OF_WHOLE = 192 /* rows, for which it pays to bring and store B once more */ };

	*whole = tile->panel == PANEL_A;
	if (tile->panel == PANEL_B || tile->across || tile->dot || !tile->ahead || !p->panels ||
	    p->program->in_process || tile->col[1].slot >= 0)
		return false;
	if (*whole)
		return tile->scale && goes_along_vectors(tile) && rows_of_b(tile) >= LEAST_OF_WHOLE;
	return loops_of_b(tile) >= 0 && rows_of_b(tile) >= LEAST_OF_PANEL;
}

bool choose_copies(const struct problem *p, struct tile *tile)
{
	bool whole, any = false;

	if (!may_add_copy(p, tile, &whole))
		return false;
	for (int t = 0; t < p->program->n_machine; t++) {
		int64_t places = whole ? places_of_b(tile, t) : panel_places(tile, true, t) * tile_steps(tile);

		tile->size[t].copied = is_narrow(&p->program->machine[t]) && places * p->real_size <= L2_BYTES / 2;
		any |= tile->size[t].copied;
	}
	if (any && !whole)
		tile->outside = loops_of_b(tile);
	return any;
}

/* Elements that a machine's panels take, of the operand that they are for on all; of B, where only this one copies it.
 */
static int64_t common_places(const struct tile *tile, int target)
{
	return tile->panel ? panel_places(tile, tile->panel == PANEL_B, target) * tile_steps(tile) : 0;
}

static int64_t other_places(const struct tile *tile, int target)
{
	if (!tile->size[target].copied)
		return 0;
	return tile->panel ? places_of_b(tile, target) : panel_places(tile, true, target) * tile_steps(tile);
}

struct tensor *make_panel(const struct problem *p, struct tile *tile)
{
	const struct tensor *of = tile->panel == PANEL_A ? p->a->tensor : p->b->tensor;
	struct axis axis = {.extent = 1};
	int64_t common = 0, others = 0;
	struct tensor *t;

	for (int target = 0; target < p->program->n_machine; target++) {
		int64_t places = common_places(tile, target), other = other_places(tile, target);

		common = places > common ? places : common;
		others = other > others ? other : others;
	}
	if (common && others)
		tile->behind = common = rounds(common, LARGEST_LANES) * LARGEST_LANES;
	axis.extent = common + others;
	t = make_tensor(p->program, of, ROLE_VALUE, arena_printf(&p->g->ctx->arena, "%s.panel", of->name), 1, &axis);
	t->of = NULL;
	return t;
}
