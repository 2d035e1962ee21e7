/* schedule_tile_loops.c - the loops around a tile, in the order that moves the least memory.
 *
 * For each cache the outermost loop is found whose tensors fit; what is outside of it brings them anew. Where an
 * operand is copied into panels, the loops that move it come first, so that a panel is one tile's operand, and is
 * copied once. */
#include "schedule_tile.h"

#include <math.h>
#include <string.h>

/* A search for the best order of the loops: the tile with those of now, and the best so far. */
struct search {
	struct tile *tile;
	struct tile_loop best[MAX_SLOTS];
	double least;
	double bytes[3]; /* of the operands that all loops go through, their product where indices overlap */
	double most[3];	 /* of their tensors */
};

static int64_t move_of(const struct tile_axis *x, int operand)
{
	return operand == 0 ? x->a : operand == 1 ? x->b : x->t;
}

static struct search start_search(const struct problem *p, struct tile *tile)
{
	const struct tensor *of[] = {p->a->tensor, p->b->tensor, p->stage->eq->tensor};
	struct search search = {.tile = tile, .least = INFINITY};

	for (int operand = 0; operand < 3; operand++) {
		search.bytes[operand] = p->real_size;
		for (int i = 0; i < p->n; i++)
			if (move_of(&p->axis[i], operand))
				search.bytes[operand] *= (double)p->axis[i].extent;
		search.most[operand] = (double)tensor_size(of[operand]) * p->real_size;
	}
	return search;
}

/* Cycles that it takes to bring what the loops in this order need into the nearest cache. */
static double traffic(const struct search *search)
{
	static const struct {
		double bytes, cycles;
	} caches[] = {{L1_BYTES, 0.005}, {L2_BYTES, 0.05}};
	const struct tile *tile = search->tile;
	double through[3] = {search->bytes[0], search->bytes[1], search->bytes[2]}; /* by the loops from `from` on */
	double cycles = 0;
	int from = 0;

	for (int c = (int)(sizeof caches / sizeof *caches) - 1; c >= 0; c--) {
		double bytes[3];

		for (;; from++) {
			for (int operand = 0; operand < 3; operand++)
				bytes[operand] = fmin(through[operand], search->most[operand]);
			if (from == tile->n_loop || bytes[0] + bytes[1] + bytes[2] <= caches[c].bytes)
				break;
			for (int operand = 0; operand < 3; operand++)
				if (move_of(&tile->loop[from].axis, operand))
					through[operand] = through[operand] / (double)tile->loop[from].axis.extent *
							   (double)loop_step(tile, &tile->loop[from], 0);
		}
		for (int operand = 0; operand < 3; operand++) {
			bool same = true; /* so far, the loops do not move it */

			for (int k = from - 1; k >= 0; k--) {
				const struct tile_axis *x = &tile->loop[k].axis;

				same &= move_of(x, operand) == 0;
				if (!same)
					bytes[operand] *= (double)rounds(x->extent, loop_step(tile, &tile->loop[k], 0));
			}
			cycles += bytes[operand] * caches[c].cycles;
		}
	}
	return cycles;
}

static bool moves_panel(const struct tile *tile, const struct tile_loop *loop)
{
	return tile->panel && (tile->panel == PANEL_A ? loop->axis.a : loop->axis.b);
}

static bool panels_come_first(const struct tile *tile)
{
	for (int k = 1; k < tile->n_loop; k++)
		if (moves_panel(tile, &tile->loop[k]) && !moves_panel(tile, &tile->loop[k - 1]))
			return false;
	return true;
}

/* Every order of the loops from `at` on. */
static void try_orders(struct search *search, int at)
{
	struct tile *tile = search->tile;
	double cost;

	if (at == tile->n_loop) {
		if (!panels_come_first(tile))
			return;
		cost = traffic(search);
		if (cost < 0.98 * search->least) {
			search->least = cost;
			memcpy(search->best, tile->loop, (size_t)tile->n_loop * sizeof *tile->loop);
		}
		return;
	}
	for (int k = at; k < tile->n_loop; k++) {
		struct tile_loop loop = tile->loop[k], first = tile->loop[at];

		tile->loop[at] = loop;
		tile->loop[k] = first;
		try_orders(search, at + 1);
		tile->loop[k] = loop;
		tile->loop[at] = first;
	}
}

int64_t loop_step(const struct tile *tile, const struct tile_loop *loop, int target)
{
	const struct tile_size *size = &tile->size[target];

	switch (loop->side) {
	case SIDE_ROW: return size->row[loop->number];
	case SIDE_COLUMN: return size->col[loop->number];
	case SIDE_VECTOR: return (int64_t)size->col[0] * size->lanes;
	case SIDE_SUM: return tile->sum[tile->n_sum - 1].extent;
	default: return 1;
	}
}

/* An index that some target's tile does not cover has a loop. */
static void add_loop(const struct problem *p, const struct choice *c, struct tile *tile, int axis)
{
	struct tile_loop loop = {.axis = p->axis[axis]};
	bool covered = !loop.axis.rows;

	if (is_inside(p, c, axis))
		loop.side = SIDE_SUM;

	for (int k = 0; k < 2; k++)
		if (axis == c->row[k])
			loop.side = SIDE_ROW, loop.number = k;
		else if (axis == c->col[k])
			loop.side = k == 0 && !c->dot ? SIDE_VECTOR : SIDE_COLUMN, loop.number = k;
	for (int t = 0; t < p->program->n_machine; t++)
		covered &= loop_step(tile, &loop, t) == loop.axis.extent;
	if (!covered)
		tile->loop[tile->n_loop++] = loop;
}

bool order_sums(const struct problem *p, const struct choice *c, struct tile *tile)
{
	int64_t rank[TILE_SUMS];

	for (int i = 0; i < p->n; i++) {
		int at = tile->n_sum;

		if (!is_inside(p, c, i))
			continue;
		if (tile->n_sum == p->program->machine[0].sums)
			return false;
		for (; at > 0 && rank[at - 1] > sum_rank(p, c, i); at--) {
			rank[at] = rank[at - 1];
			tile->sum[at] = tile->sum[at - 1];
		}
		rank[at] = sum_rank(p, c, i);
		tile->sum[at] = p->axis[i];
		tile->sum[at].extent = extent_inside(p, c, i);
		tile->n_sum++;
	}
	for (int i = 0; i + 1 < tile->n_sum; i++) /* only the outermost may have a bound that is not constant */
		if (tile->sum[i].rows)
			return false;
	return true;
}

void order_loops(const struct problem *p, const struct choice *c, struct tile *tile)
{
	for (int i = 0; i < p->n; i++)
		if (!is_inside(p, c, i) || extent_inside(p, c, i) < p->axis[i].extent)
			add_loop(p, c, tile, i);
	tile->adds = adds_up(c) && !p->scale;
	if (tile->n_loop > 1 && tile->n_loop <= MOST_ORDERED) {
		struct search search = start_search(p, tile);

		try_orders(&search, 0);
		if (search.least < INFINITY)
			memcpy(tile->loop, search.best, (size_t)tile->n_loop * sizeof *tile->loop);
	}
	while (tile->outside < tile->n_loop && moves_panel(tile, &tile->loop[tile->outside]))
		tile->outside++;
}

/* Whether an operand has left the second cache when the tiles come to it. Panels are filled from where it lies, so that
 * of params it is enough if all of them do not stay there. */
static bool is_far(const struct problem *p, const struct tile *tile, const struct tensor *from)
{
	int64_t size = tensor_size(from);

	if (root_of(from)->role == ROLE_PARAM && tile->panel == PANEL_B && !tile->across)
		size = p->program->n_param;
	return (double)size * p->real_size > L2_BYTES / 2;
}

int asked_loop(const struct problem *p, const struct tile *tile)
{
	bool of_a = tile->across;
	int at = tile->across ? tile->n_loop - 1 : tile->outside - 1, inner = tile->n_loop - 1 - at;
	const struct tile_loop *loop = tile->loop + at;
	const struct tensor *from = of_a ? p->a->tensor : p->b->tensor;
	const struct tile_axis *sum = tile->sum;

	if (at < 0 || tile->panel != PANEL_B || (p->program->in_process && !tile->across) || tile->n_sum != 1 ||
	    sum->rows || !is_far(p, tile, from))
		return -1;
	if (loop->side != (of_a ? SIDE_ROW : SIDE_VECTOR) || loop->number > 0 || loop->axis.rows || inner > 2 ||
	    (inner && (loop[1].side != SIDE_ROW || loop[1].number > 0)) || (inner == 2 && !loop[2].axis.rows))
		return -1;
	return (of_a ? sum->a == 1 && loop->axis.a == sum->extent : sum->b == 1 && loop->axis.b == sum->extent) ? at
														: -1;
}

bool asks_for_result(const struct problem *p, const struct tile *tile)
{
	if (tile->n_sum > 1 || tile->row[1].slot >= 0)
		return false;
	if (tile->scale)
		return true;
	return !tile->dot && !tile->across && !tile->adds && !tile->sum[0].rows &&
	       tile->sum[0].extent >= 4 * tile->size[0].row[0] &&
	       (double)tensor_size(p->stage->eq->tensor) * p->real_size > L1_BYTES;
}
