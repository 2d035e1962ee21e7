/* schedule_tile_cost.c - the cycles that tiles of a size take.
 *
 * A count of instructions, with round weights that rank measured schedules, and of the bytes that a tile brings from
 * the second cache: of two operands at most one stays in the first one from tile to tile, and none does whose rows are
 * a power of two apart, as they share a few of its sets. */
#include "schedule_tile.h"

#include <math.h>

#include "../runtime/tile.h"

/* fmax without what it does where one is no number. */
static double larger(double a, double b) { return a > b ? a : b; }

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

/* ---- what a tile brings from memory ---- */

enum { LINE = 64, SETS = 64, WAYS = 8 /* of the first cache */ };

/* How an operand lies for the sums of a tile. */
struct reach {
	double steps;  /* places, but for sums that do not move it; of windows too many, as they overlap */
	double span;   /* from the first to the last */
	bool conflict; /* they are too many for the sets of the cache that they share */
};

/* Sets that addresses so many lines apart come to. SETS is a power of 2, and so is what it has in common with any
 * number.
 */
static int64_t sets_met(int64_t lines)
{
	int64_t both = lines | SETS;

	return SETS / (both & -both);
}

/* wide: elements side by side at each step, 1: none. */
static struct reach find_reach(const struct problem *p, const struct choice *c, bool of_b, int wide)
{
	enum { NEAR = 4 /* times as far as what is read: brought ahead all the same */ };
	struct reach reach = {1, 0, false};

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];
		int64_t move = llabs(of_b ? x->b : x->a), bytes = move * p->real_size;

		if (!is_inside(p, c, i) || move == 0 || (wide > 1 && move < wide))
			continue;
		reach.steps *= (double)extent_inside(p, c, i);
		reach.span += (double)(extent_inside(p, c, i) - 1) * (double)move;
		if (bytes > NEAR * wide * p->real_size && bytes % LINE == 0)
			reach.conflict |= extent_inside(p, c, i) > WAYS * sets_met(bytes / LINE);
	}
	return reach;
}

/* What the sizes of a tile do not change: steps of its sums, how often the innermost one ends, tiles along the indices
 * that it has no side of; and how its operands lie. */
struct around {
	double steps, exits, tiles;
	struct reach a, b;
	int in_rows;	/* the row index whose elements of A lie side by side, or -1 */
	bool small;	/* all fits the first cache */
	double copied;	/* cycles to fill panels, for each element at a step of the sums */
	double outside; /* elements of that, but for those of the tile's indices */
	double turned;	/* cycles to turn as many results as a vector has lanes, each of them one */
	bool ahead;	/* B is asked for before the tile comes to it */
	double again;	/* and to bring all of A from the last cache */
};

static int innermost_sum(const struct problem *p, const struct choice *c)
{
	int inner = -1;

	for (int i = 0; i < p->n; i++)
		if (is_inside(p, c, i) && (inner < 0 || sum_rank(p, c, i) < sum_rank(p, c, inner)))
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
		       (c->row[1] < 0 || !p->axis[c->row[1]].rows) && find_reach(p, c, false, 1).conflict;
	if (c->row[0] < 0 || (c->col[1] >= 0 && p->axis[c->col[1]].rows))
		return false;
	inner = &p->axis[sum];
	if (x->b != 1)
		return inner->b == 1 && !inner->rows && inner->extent >= p->program->machine[0].lanes;
	return find_reach(p, c, true, p->program->machine[0].lanes).conflict;
}

bool may_cross(const struct problem *p, const struct choice *c)
{
	return c->row[0] >= 0 && c->row[1] < 0 && c->col[1] < 0 && p->axis[c->row[0]].t == 1 &&
	       p->axis[c->vector].extent >= p->program->machine[0].lanes && !find_reach(p, c, false, 1).conflict;
}

static double size_of(const struct problem *p, int operand)
{
	const struct tensor *of[] = {p->a->tensor, p->b->tensor, p->stage->eq->tensor};

	return (double)tensor_size(of[operand]) * p->real_size;
}

int steps_ahead(const struct problem *p, const struct choice *c)
{
	enum {
		MOST = 8,
		FAR = 2048 /* bytes of a step that no hardware guesses */,
		WIDE = 512 /* that it seldom does */
	};
	int inner = innermost_sum(p, c);
	struct reach reach;
	int64_t bytes, steps;
	bool wide;

	if (c->dot || c->panel == PANEL_B || inner < 0 || (p->program->in_process && !p->program->own_code))
		return 0;
	bytes = llabs(p->axis[inner].b) * p->real_size;
	steps = WAYS * sets_met(bytes / LINE) / 2;
	reach = find_reach(p, c, true, p->program->machine[0].lanes);
	wide = bytes >= FAR ? size_of(p, 1) > L1_BYTES : bytes >= WIDE && reach.steps * LINE >= L1_BYTES;
	if (!reach.conflict && !wide)
		return 0;
	return bytes < LINE ? 0 : steps < MOST ? (int)steps : MOST;
}

bool stays_near(const struct problem *p, const struct choice *c, const struct tile *tile)
{
	enum { NEAR = L1_BYTES / 2 };
	const struct machine *machine = &p->program->machine[0];
	const struct tile_size *size = &tile->size[0];
	struct reach a = find_reach(p, c, false, 1), b = find_reach(p, c, true, machine->lanes);
	int width = size->col[0] * size->lanes * size->col[1];

	return tile->n_loop > 0 && tile->loop[tile->n_loop - 1].axis.b == 0 && !a.conflict && !b.conflict &&
	       b.steps * width * p->real_size <= NEAR;
}

/* Steps, exits and tiles. */
static struct around count_around(const struct problem *p, const struct choice *c, int lanes)
{
	struct around around = {.steps = 1, .exits = 1, .tiles = c->parts, .outside = 1};
	int inner = innermost_sum(p, c);

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];

		if (c->panel && (is_sum(x) || (c->panel == PANEL_A ? x->a : x->b)))
			around.outside *= (double)x->extent;
		if (is_inside(p, c, i))
			around.steps *= (double)(i == c->vector ? rounds(x->extent, lanes) : extent_inside(p, c, i));
		else if (i != c->row[0] && i != c->row[1] && i != c->col[0] && i != c->col[1])
			around.tiles *= (double)x->extent;
	}
	if (inner >= 0)
		around.exits =
			around.steps / (double)rounds(extent_inside(p, c, inner), inner == c->vector ? lanes : 1);
	around.copied = is_turned(p, c) ? 0.6 : c->panel ? 0.4 : 0;
	if (is_turned(p, c) &&
	    around.outside * p->real_size > 2 * size_of(p, 1)) /* windows: short runs, again and again */
		around.copied = 1.5;
	return around;
}

/* How the operands lie. */
static void find_around(const struct problem *p, const struct choice *c, int lanes, struct around *around)
{
	around->a = find_reach(p, c, false, 1);
	around->b = find_reach(p, c, true, c->dot || is_turned(p, c) ? 1 : lanes);
	around->ahead = steps_ahead(p, c) > 0;
	around->in_rows = c->row[0] >= 0 && p->axis[c->row[0]].a == 1	? 0
			  : c->row[1] >= 0 && p->axis[c->row[1]].a == 1 ? 1
									: -1;
	around->small = size_of(p, 0) + size_of(p, 1) + size_of(p, 2) <= L1_BYTES;
	around->turned = c->across ? 6 * lanes : 0;
	around->again = c->across && size_of(p, 0) > L2_BYTES / 2 ? 0.05 * size_of(p, 0) : 0;
}

/* Elements from the first to the last of a side of a tile, in A or B. */
static double side_span(const struct problem *p, const int axis[2], const int size[2], bool of_b, int lanes)
{
	double span = 1;

	for (int k = 0; k < 2; k++) {
		const struct tile_axis *x = axis[k] < 0 ? NULL : &p->axis[axis[k]];
		int64_t n = (int64_t)size[k] * (k == 0 ? lanes : 1);

		span += x ? (double)(n - 1) * (double)llabs(of_b ? x->b : x->a) : 0;
	}
	return span;
}

/* Cycles for the bytes that a tile brings into the first cache. */
static double bring_cost(const struct problem *p, const struct around *around, const struct choice *c,
			 const struct tile_size *size)
{
	enum {
		KEPT = L1_BYTES / 2,
		BOTH = L1_BYTES / 4 * 3,
		SLACK = 60 /* bytes of a cache line beside those that count */
	};
	const double scattered = 0.1, from_far = 0.1,
		     in_turn = 0.04, /* a byte, which in turn is guessed and comes early */
		in_panel = 0.03;
	double real = p->real_size;
	int rows = size->row[0] * size->row[1], cols = size->col[0] * size->col[1], lanes = c->dot ? 1 : size->lanes;
	double a_span = around->a.span + side_span(p, c->row, size->row, false, 1);
	double b_span = around->b.span + side_span(p, c->col, size->col, true, lanes);
	int runs = around->in_rows < 0 || c->panel == PANEL_A ? 0 : rows / size->row[around->in_rows];
	double a = around->a.steps * (rows * real + runs * SLACK);
	double b = around->b.steps * cols * real * lanes;
	bool conflict_a = around->a.conflict && c->panel != PANEL_A;
	bool conflict_b = around->b.conflict && c->panel != PANEL_B;
	bool keep_a, keep_b, far, room;

	if (around->small)
		return 0;
	a = c->panel == PANEL_A || a_span * real > a ? a : a_span * real;
	b = c->panel == PANEL_B || b_span * real > b ? b : b_span * real;
	room = !adds_up(c) || a + b <= BOTH; /* parts of sums are as short as it takes */
	if (conflict_b)			     /* each step is another line, whatever a tile takes of it */
		b = larger(b, around->b.steps * LINE);
	keep_a = a <= KEPT && room && !conflict_a && c->panel != PANEL_B;
	keep_b = b <= KEPT && room && !conflict_b && c->panel != PANEL_A;
	far = a + b > L2_BYTES;
	a *= conflict_a ? scattered : far ? from_far : in_turn;
	b *= conflict_b && !around->ahead ? scattered : far ? from_far : c->panel == PANEL_B ? in_panel : in_turn;
	if (keep_a && keep_b)
		return fmin(a, b);
	return keep_a ? b : keep_b ? a : a + b;
}

#define STORE_CYCLES 0.5 /* of a vector of results */
enum { EXIT_CYCLES = 5 /* of a sum's innermost loop */, TILE_CYCLES = 10 };

/* Cycles to have the results so far in registers. */
static double add_cost(const struct problem *p, int lanes, int rows, int cols)
{
	const double in_turn = 0.02;
	double bytes = (double)rows * cols * lanes * p->real_size;

	return rows * cols * STORE_CYCLES + (size_of(p, 2) > L1_BYTES / 2 ? bytes * in_turn : 0);
}

/* Cycles to find the pages of results that are added to memory: a row's is another one than the row's before, and if
 * panels do not keep the rows of A, the next tile has other rows. */
static double page_cost(const struct problem *p, const struct choice *c, int rows)
{
	enum { FAR = 2048 /* bytes, half a page */, FOUND = 4 };

	if (!p->stage->adds || c->dot || c->panel == PANEL_A || c->row[0] < 0 ||
	    p->axis[c->row[0]].t * p->real_size < FAR)
		return 0;
	return FOUND * rows;
}

/* Whether the results of a dot product are stored as vectors. */
static bool stores_vectors(const struct problem *p, const struct choice *c, const struct tile_size *size)
{
	return c->row[0] >= 0 && p->axis[c->row[0]].t == 1 && size->row[1] == 1 && size->col[0] * size->col[1] == 1 &&
	       size->row[0] % size->lanes == 0;
}

/* Cycles in which the instructions of a step can begin: those of a value of A where several columns share it, and of
 * what counts the steps and asks ahead, are no part of multiply-adds. Where registers are few all tiles are so small
 * that it tells them apart worse than their loads do. */
static double issue_cost(const struct around *around, const struct machine *target, int rows, int cols)
{
	enum { WIDTH = 4, COUNTS = 3, FINDS = 5 /* the place ahead */ };
	double adds = rows * cols * (target->fused ? 1 : 2);

	if (target->registers <= 16)
		return 0;
	return (adds + (cols > 1 ? rows : 0) + cols + COUNTS + (around->ahead ? cols + FINDS : 0)) / WIDTH;
}

/* Cycles for a vector of B beside what its multiply-adds take: with few registers it is one instruction of many. */
static double column_cost(const struct machine *target) { return is_narrow(target) ? 0.2 : 0.3; }

/* Of a value of A; with many registers it is broadcast by the multiply-adds themselves. */
static double row_cost(const struct machine *target, bool dot) { return dot ? 0.3 : is_narrow(target) ? 0.2 : 0.1; }

/* Cycles for a tile, by a count of instructions; the weights are round numbers that rank measured schedules. */
static double tile_cost(const struct around *around, const struct problem *p, const struct choice *c,
			const struct tile_size *size, const struct machine *target)
{
	bool dot = c->dot;
	int rows = size->row[0] * size->row[1], cols = size->col[0] * size->col[1];
	int results = rows * cols;
	double step = results * (target->fused ? 0.5 : 1), loads = (rows + cols) * 0.5;

	step = larger(larger(step, loads), issue_cost(around, target, rows, cols));
	step = results < 8 && step < 4 ? 4 : step;
	step += column_cost(target) * cols + row_cost(target, dot) * rows;
	return around->steps * step + EXIT_CYCLES * around->exits + TILE_CYCLES +
	       results * (!dot			       ? STORE_CYCLES
			  : stores_vectors(p, c, size) ? 2
						       : 3);
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
	const int step[] = {size->row[0], size->row[1], size->col[0] * size->lanes, size->col[1]};

	for (int k = 0; k < 4; k++) {
		int64_t whole = !has_rest(p, c, k / 2, k % 2) ? step[k] : k == 2 ? size->lanes : 1;

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
				cost = larger(cost, cost / 2 + bring_cost(p, &around, c, &size));
				cost += adds_up(c) ? add_cost(p, lanes, rows, cols) : 0;
				cost += page_cost(p, c, rows);
				cost += around.turned * cols * (double)rounds(rows, lanes);
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
