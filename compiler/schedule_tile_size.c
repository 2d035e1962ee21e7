/* schedule_tile_size.c - the best size of tiles for a choice.
 *
 * Sizes that cut their indices into equal parts, by what schedule_tile_cost.c says of each. Most are left out by the
 * least that they can cost: that of the multiply-adds with the loads that so few columns or rows share. */
#include "schedule_tile_cost.h"

#include <math.h>

#include "../runtime/tile.h"

/* Sizes worth trying for a side of a tile, and how many tiles each makes of the index. */
struct sizes {
	int n, at[LARGEST_SIDE + 1];
	double tiles[LARGEST_SIDE + 1];
};

/* Those that cut the extent into equal parts. */
static struct sizes sizes_of(int64_t extent, int most)
{
	struct sizes sizes;

	sizes.n = 0;
	for (int s = extent < most ? (int)extent : most; s > 0; s--)
		if (rounds(extent, rounds(extent, s)) == s || s == extent) {
			sizes.tiles[sizes.n] = (double)rounds(extent, s);
			sizes.at[sizes.n++] = s;
		}
	return sizes;
}

/* Whether another index than that of the samples may be on its side of a tile. */
static bool has_places(const struct problem *p, int samples)
{
	for (int i = 0; i < p->n; i++)
		if (i != samples && is_row(&p->axis[i]) == is_row(&p->axis[samples]) &&
		    is_column(&p->axis[i]) == is_column(&p->axis[samples]))
			return true;
	return false;
}

/* Fewer samples than a tile has are slow; and where it might have places, one sample stays near from function to
 * function (schedule_strips.c). */
static struct sizes side_sizes(const struct problem *p, int axis)
{
	struct sizes sizes = sizes_of(axis < 0 ? 1 : p->axis[axis].extent, LARGEST_SIDE);

	for (int i = 0; axis >= 0 && p->axis[axis].rows && i < sizes.n; i++)
		sizes.tiles[i] *= sizes.at[i] == 1 ? 1 : has_places(p, axis) ? 1.05 : 1.02;
	return sizes;
}

/* Of the vectors along an index. */
static struct sizes vector_sizes(int64_t extent, int lanes)
{
	struct sizes sizes = sizes_of(extent / lanes, 8);

	for (int i = 0; i < sizes.n; i++)
		sizes.tiles[i] = (double)rounds(extent, sizes.at[i] * lanes);
	return sizes;
}

/* In process a tile at the end of an index may be smaller, if all loops are the runtime's, or it is the loop that the
 * panel's first side has in the text. */
static bool has_rest(const struct problem *p, const struct choice *c, int side, int number)
{
	bool copied = c->panel == (side ? PANEL_B : PANEL_A);

	return p->program->own_code && p->n <= NN_TILE_LOOPS && !(copied && number);
}

/* Whether tiles of a size cover their indices once: those that add must not do so twice. */
static bool divides(const struct problem *p, const struct choice *c, const struct tile_size *size)
{
	const int axis[] = {c->row[0], c->row[1], c->col[0], c->col[1]};
	const int lanes = c->dot ? 1 : size->lanes;
	const int step[] = {size->row[0], size->row[1], size->col[0] * lanes, size->col[1]};

	for (int k = 0; k < 4; k++) {
		int64_t whole = !has_rest(p, c, k / 2, k % 2) ? step[k] : k == 2 ? lanes : 1;

		if (axis[k] >= 0 && (p->axis[axis[k]].rows || p->axis[axis[k]].extent % whole))
			return false;
	}
	return true;
}

/* The rows that a tile may have beside so many columns; 0: they are too many. */
static int most_rows(const struct choice *c, int cols, const struct machine *target)
{
	int left = target->registers - (target->fused ? 1 : 2), most = c->dot ? target->dot_rows : target->rows;
	int fit = left / cols - 1;

	if (cols > (c->dot ? target->dot_cols : target->cols) || fit < 1)
		return 0;
	return fit < most ? fit : most;
}

/* Vectors of multiply-adds that the problem has at least. */
static double least_work(const struct problem *p, int lanes)
{
	double work = 1;

	for (int i = 0; i < p->n; i++)
		work *= (double)p->axis[i].extent;
	return work / lanes;
}

/* Cycles that a row of a tile with so many columns takes at least, at a step of the sums, where there are so many rows
 * at most. */
static double least_step(const struct choice *c, int cols, int most, const struct machine *target)
{
	const double rounding = 1 - 1e-9;
	double share = (double)cols / most, adds = cols * (target->fused ? 0.5 : 1);

	return rounding * (larger(adds, 0.5 + 0.5 * share) + column_cost(target) * share + row_cost(target, c->dot));
}

double find_rate(const struct machine *target)
{
	double least = INFINITY;

	for (int dot = 0; dot < 2; dot++)
		for (int cols = 1; cols < target->registers; cols++) {
			const struct choice c = {.dot = dot};
			int most = most_rows(&c, cols, target);
			double rate = most ? least_step(&c, cols, most, target) / cols : INFINITY;

			least = rate < least ? rate : least;
		}
	return least;
}

static int64_t side_extent(const struct problem *p, const int axis[2])
{
	return (axis[0] < 0 ? 1 : p->axis[axis[0]].extent) * (axis[1] < 0 ? 1 : p->axis[axis[1]].extent);
}

/* Cycles that the choice takes at least, whatever its sizes: few rows share no load of a column, few columns none of a
 * row, and the more results a tile has, the more share the ends of its sums. */
static double least_cycles(const struct problem *p, const struct choice *c, const struct machine *target,
			   const struct around *around, int lanes)
{
	int64_t rows = side_extent(p, c->row), cols = side_extent(p, c->col) / (c->dot ? 1 : lanes);
	double least = INFINITY, ends = (EXIT_CYCLES * around->exits + TILE_CYCLES) / around->steps;

	for (int n = 1; n <= cols; n++) {
		int most = most_rows(c, n, target);
		double rate;

		if (most == 0)
			break;
		most = rows < most ? (int)rows : most;
		rate = least_step(c, n, most, target) / n + ends / (n * most);
		least = rate < least ? rate : least;
	}
	return 0.999 * least_work(p, lanes) * (least + STORE_CYCLES / around->steps * (adds_up(c) ? 2 : 1)) +
	       around->copied * around->outside;
}

double best_size(const struct problem *p, const struct choice *c, const struct machine *target, double least,
		 struct tile_size *best)
{
	double rows0 = c->row[0] < 0 ? 1 : (double)p->axis[c->row[0]].extent, found = INFINITY;

	for (int lanes = target->lanes; lanes * p->real_size >= 16; lanes /= 2) {
		int64_t extent = p->axis[c->vector].extent;
		struct sizes row0, row1, col0, col1;
		struct around around;

		if (extent < lanes || least_work(p, lanes) * target->rate > least)
			continue;
		around = count_around(p, c, lanes);
		if (least_cycles(p, c, target, &around, lanes) > least)
			continue;
		row0 = side_sizes(p, c->row[0]);
		row1 = side_sizes(p, c->row[1]);
		col1 = side_sizes(p, c->col[1]);
		col0 = c->dot ? side_sizes(p, c->col[0]) : vector_sizes(extent, lanes);
		find_around(p, c, lanes, &around);
		for (int at = 0; at < row1.n * col0.n * col1.n; at++) {
			int r1 = at % row1.n, c0 = at / row1.n % col0.n, c1 = at / row1.n / col0.n;
			int cols = col0.at[c0] * col1.at[c1], most = most_rows(c, cols, target);
			double tiles = around.tiles * row1.tiles[r1] * col0.tiles[c0] * col1.tiles[c1];
			double copied = around.copied * around.outside;
			struct tile_size size = {lanes, {0, row1.at[r1]}, {col0.at[c0], col1.at[c1]}, 0};

			double steps = around.steps * tiles * rows0 * row1.at[r1]; /* of single rows */

			if (most == 0 || steps * least_step(c, cols, most, target) + copied > least)
				continue;
			for (int r0 = 0; r0 < row0.n; r0++) { /* from many to few */
				int rows = row0.at[r0] * row1.at[r1];
				double cost;

				size.row[0] = row0.at[r0];
				if (rows > most)
					continue;
				if (steps * least_step(c, cols, rows, target) + copied > least)
					break;
				if (((adds_up(c) && !p->stage->adds) || p->once) && !divides(p, c, &size))
					continue;
				cost = tile_cost(&around, p, c, &size, target);
				if (cost * tiles * row0.tiles[r0] + copied >=
				    least) /* it is not less with all that it brings */
					continue;
				cost = memory_cost(&around, p, c, &size, cost);
				cost = cost * tiles * row0.tiles[r0] + copied + around.again * (col0.tiles[c0] - 1);
				if (cost >= least)
					continue;
				least = found = cost;
				*best = size;
			}
		}
	}
	return found;
}
