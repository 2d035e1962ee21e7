/* schedule_panel.c - memory for operands in the order in which tiles read them, and who copies both.
 *
 * The panel of one operand is filled again and again, for the tiles that share it. The other one is then read in place,
 * a vector or two at each step of the sums, and where its steps are far apart each of them is another line and another
 * page. Where registers are few a step takes six cycles, too few to find them in. So on such a machine all of B may be
 * copied, panel after panel, before the loops: it comes from far once, and pays where many rows of tiles read it. */
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

/* Whether nothing but the vectors' index leads from panel to panel of B; *rows: how many elements read each. */
static bool goes_along_vectors(const struct tile *tile, int64_t *rows)
{
	*rows = 1;
	for (int k = 0; k < tile->n_loop; k++) {
		const struct tile_loop *loop = &tile->loop[k];

		if (loop->axis.b && loop->side != SIDE_VECTOR)
			return false;
		*rows *= loop->axis.b ? 1 : loop->axis.extent;
	}
	return tile->col[1].slot < 0;
}

/* An update is made at once; a gradient perhaps in blocks of rows, and would copy B for each of them. */
void choose_both(const struct problem *p, struct tile *tile)
{
	enum {
		LEAST_ROWS = 192 /* times that an element is read, for which it pays to bring and store it once more */
	};
	int64_t rows;

	if (tile->panel != PANEL_A || tile->across || !tile->scale || !tile->ahead || p->program->in_process ||
	    !goes_along_vectors(tile, &rows) || rows < LEAST_ROWS)
		return;
	for (int t = 0; t < p->program->n_machine; t++)
		tile->size[t].both =
			is_narrow(&p->program->machine[t]) && places_of_b(tile, t) * p->real_size <= L2_BYTES / 2;
}

struct tensor *make_panel(const struct problem *p, struct tile *tile)
{
	const struct tensor *of = tile->panel == PANEL_A ? p->a->tensor : p->b->tensor;
	struct axis axis = {.extent = 1};
	int64_t others = 0;
	struct tensor *t;

	for (int target = 0; target < p->program->n_machine; target++) {
		int64_t places = panel_places(tile, tile->panel == PANEL_B, target) * tile_steps(tile);
		int64_t other = tile->size[target].both ? places_of_b(tile, target) : 0;

		axis.extent = places > axis.extent ? places : axis.extent;
		others = other > others ? other : others;
	}
	if (others) {
		tile->behind = rounds(axis.extent, LARGEST_LANES) * LARGEST_LANES;
		axis.extent = tile->behind + others;
	}
	t = make_tensor(p->program, of, ROLE_VALUE, arena_printf(&p->g->ctx->arena, "%s.panel", of->name), 1, &axis);
	t->of = NULL;
	return t;
}
