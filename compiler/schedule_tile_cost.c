/* schedule_tile_cost.c - the cycles that tiles of a size take.
 *
 * A count of instructions, with round weights that rank measured schedules, and of the bytes that a tile brings from the
 * second cache: of two operands at most one stays in the first one from tile to tile, and none does whose rows are a
 * power of two apart, as they share a few of its sets. */
#include "schedule_tile.h"

#include <math.h>

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

static struct sizes side_sizes(const struct problem *p, int axis)
{
	struct sizes sizes = sizes_of(axis < 0 ? 1 : p->axis[axis].extent, LARGEST_SIDE);

	for (int i = 0; axis >= 0 && p->axis[axis].rows && i < sizes.n; i++)
		sizes.tiles[i] *= sizes.at[i] > 1 ? 1.02 : 1; /* fewer rows than a tile has are slow */
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

/* ---- what a tile brings from memory ---- */

/* How an operand lies for the sums of a tile. */
struct reach {
	double steps;  /* places, but for windows, which overlap, and for sums that do not move it */
	bool conflict; /* they are too many for the sets of the cache that they share */
};

static int64_t common_divisor(int64_t a, int64_t b) { return b ? common_divisor(b, a % b) : a; }

/* wide: elements side by side at each step, 1: none. */
static struct reach find_reach(const struct problem *p, bool of_b, int wide)
{
	enum { LINE = 64, SETS = 64, WAYS = 8 };
	struct reach reach = {1, false};

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];
		int64_t move = llabs(of_b ? x->b : x->a), bytes = move * p->real_size;

		if (!is_sum(x) || move == 0 || (wide > 1 && move < wide))
			continue;
		reach.steps *= (double)x->extent;
		if (bytes && bytes % LINE == 0)
			reach.conflict |= x->extent > WAYS * SETS / common_divisor(bytes / LINE, SETS);
	}
	return reach;
}

/* What the sizes of a tile do not change: steps of its sums, how often the innermost one ends, tiles along the indices
 * that it has no side of; and how its operands lie. */
struct around {
	double steps, exits, tiles;
	struct reach a, b;
	bool in_rows;	/* A's rows lie side by side */
	bool small;	/* all fits the first cache */
	double copied;	/* cycles to fill panels, for each element at a step of the sums */
	double outside; /* elements of that, but for those of the tile's indices */
};

static int innermost_sum(const struct problem *p, const struct choice *c)
{
	int inner = -1;

	for (int i = 0; i < p->n; i++)
		if (is_sum(&p->axis[i]) && (inner < 0 || sum_rank(p, c, i) < sum_rank(p, c, inner)))
			inner = i;
	return inner;
}

bool is_turned(const struct problem *p, const struct choice *c)
{
	return c->panel == PANEL_B && p->axis[c->vector].b != 1;
}

bool may_copy(const struct problem *p, const struct choice *c)
{
	const struct tile_axis *x = &p->axis[c->vector], *inner;
	int sum = innermost_sum(p, c);

	if (!p->panels || c->dot || sum < 0)
		return false;
	if (c->panel == PANEL_A)
		return c->row[0] >= 0 && p->axis[c->row[0]].a == 1 && !p->axis[c->row[0]].rows &&
		       (c->row[1] < 0 || !p->axis[c->row[1]].rows) && find_reach(p, false, 1).conflict;
	if (c->row[0] < 0 || (c->col[1] >= 0 && p->axis[c->col[1]].rows))
		return false;
	inner = &p->axis[sum];
	if (x->b != 1)
		return inner->b == 1 && !inner->rows && inner->extent >= p->program->machine[0].lanes;
	return find_reach(p, true, p->program->machine[0].lanes).conflict;
}

static double size_of(const struct problem *p, int operand)
{
	const struct tensor *of[] = {p->a->tensor, p->b->tensor, p->stage->eq->tensor};

	return (double)tensor_size(of[operand]) * p->real_size;
}

static struct around find_around(const struct problem *p, const struct choice *c, int lanes)
{
	struct around around = {.steps = 1, .exits = 1, .tiles = 1, .outside = 1};

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];

		if (c->panel && (is_sum(x) || (c->panel == PANEL_A ? x->a : x->b)))
			around.outside *= (double)x->extent;
		if (is_sum(x))
			around.steps *= (double)(i == c->vector ? rounds(x->extent, lanes) : x->extent);
		else if (i != c->row[0] && i != c->row[1] && i != c->col[0] && i != c->col[1])
			around.tiles *= (double)x->extent;
	}
	for (int i = 0; i < p->n; i++)
		if (is_sum(&p->axis[i]) && !(c->dot && i == c->vector))
			around.exits = around.steps / (double)p->axis[i].extent;
	around.a = find_reach(p, false, 1);
	around.b = find_reach(p, true, c->dot || is_turned(p, c) ? 1 : lanes);
	around.in_rows = c->row[0] >= 0 && p->axis[c->row[0]].a == 1;
	around.small = size_of(p, 0) + size_of(p, 1) + size_of(p, 2) <= L1_BYTES;
	around.copied = is_turned(p, c) ? 0.6 : c->panel ? 0.4 : 0;
	return around;
}

/* Cycles for the bytes that a tile brings into the first cache. */
static double bring_cost(const struct problem *p, const struct around *around, const struct choice *c, int lanes,
			 int rows, int cols)
{
	enum { KEPT = L1_BYTES / 2, SLACK = 60 /* bytes of a cache line beside those that count */ };
	const double scattered = 0.1, in_turn = 0.04; /* a byte, which in turn is guessed and comes early */
	double real = p->real_size;
	double a = around->a.steps * (rows * real + (around->in_rows && c->panel != PANEL_A ? SLACK : 0));
	double b = around->b.steps * cols * real * (c->dot ? 1 : lanes);
	bool conflict_a = around->a.conflict && c->panel != PANEL_A;
	bool conflict_b = around->b.conflict && c->panel != PANEL_B;
	bool keep_a = a <= KEPT && !conflict_a && c->panel != PANEL_B;
	bool keep_b = b <= KEPT && !conflict_b && c->panel != PANEL_A;

	a *= conflict_a ? scattered : in_turn;
	b *= conflict_b ? scattered : in_turn;
	if (around->small)
		return 0;
	if (keep_a && keep_b)
		return fmin(a, b);
	return keep_a ? b : keep_b ? a : a + b;
}

/* Cycles for a tile, by a count of instructions; the weights are round numbers that rank measured schedules. */
static double tile_cost(const struct around *around, bool dot, int rows, int cols, const struct machine *target)
{
	int results = rows * cols;
	double step = results * (target->fused ? 0.5 : 1), loads = (rows + cols) * 0.5;

	step = loads > step ? loads : step;
	step = results < 8 && step < 4 ? 4 : step;
	step += 0.3 * cols + (dot ? 0.3 : 0.1) * rows;
	return around->steps * step + 5 * around->exits + 10 + results * (dot ? 3 : 0.5);
}

static bool fits(const struct choice *c, int lanes, int rows, int cols, const struct machine *target)
{
	if (target->one_narrow && !c->dot && lanes < target->lanes && cols > 1)
		return false;
	return rows * cols + cols + (target->fused ? 1 : 2) <= target->registers &&
	       rows <= (c->dot ? target->dot_rows : target->rows) && cols <= (c->dot ? target->dot_cols : target->cols);
}

double best_size(const struct problem *p, const struct choice *c, const struct machine *target,
			struct tile_size *best)
{
	double least = INFINITY;
	struct sizes row0 = side_sizes(p, c->row[0]), row1 = side_sizes(p, c->row[1]), col1 = side_sizes(p, c->col[1]);

	for (int lanes = target->lanes; lanes * p->real_size >= 16; lanes /= 2) {
		int64_t extent = p->axis[c->vector].extent;
		struct sizes col0 = c->dot ? side_sizes(p, c->col[0]) : vector_sizes(extent, lanes);
		struct around around = find_around(p, c, lanes);

		for (int at = 0; extent >= lanes && at < row1.n * col0.n * col1.n; at++) {
			int r1 = at % row1.n, c0 = at / row1.n % col0.n, c1 = at / row1.n / col0.n;
			int cols = col0.at[c0] * col1.at[c1];
			double tiles = around.tiles * row1.tiles[r1] * col0.tiles[c0] * col1.tiles[c1];

			for (int r0 = 0; r0 < row0.n; r0++) {
				int rows = row0.at[r0] * row1.at[r1];
				double cost;

				if (!fits(c, lanes, rows, cols, target))
					continue;
				cost = tile_cost(&around, c->dot, rows, cols, target);
				cost = fmax(cost, cost / 2 + bring_cost(p, &around, c, lanes, rows, cols));
				cost = cost * tiles * row0.tiles[r0] + around.copied * around.outside;
				if (cost >= least)
					continue;
				least = cost;
				*best = (struct tile_size){
					lanes, {row0.at[r0], row1.at[r1]}, {col0.at[c0], col1.at[c1]}};
			}
		}
	}
	return least;
}

