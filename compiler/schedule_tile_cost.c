/* schedule_tile_cost.c - the cycles that tiles of a size take.
 *
 * A count of instructions, with round weights that rank measured schedules, and of the bytes that a tile brings from
 * the second cache: of two operands at most one stays in the first one from tile to tile, and none does whose rows are
 * a power of two apart, as they share a few of its sets. */
#include "schedule_tile_cost.h"

#include <math.h>

/* ---- what a tile brings from memory ---- */

enum { LINE = 64, SETS = 64, WAYS = 8 /* of the first cache */ };

/* Sets that addresses so many lines apart come to. SETS is a power of 2, and so is what it has in common with any
 * number.
 */
static int64_t sets_met(int64_t lines)
{
	int64_t both = lines | SETS;

	return SETS / (both & -both);
}

/* Whether sums of shorter moves go through most of what lies between two steps of a sum: no sets are left out. */
static bool is_dense(const struct problem *p, const struct choice *c, bool of_b, int sum)
{
	int64_t move = llabs(of_b ? p->axis[sum].b : p->axis[sum].a), span = 0;

	for (int i = 0; i < p->n; i++) {
		int64_t inner = llabs(of_b ? p->axis[i].b : p->axis[i].a);

		if (is_inside(p, c, i) && inner < move)
			span += (extent_inside(p, c, i) - 1) * inner;
	}
	return 2 * span >= move;
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
			reach.conflict |=
				extent_inside(p, c, i) > WAYS * sets_met(bytes / LINE) && !is_dense(p, c, of_b, i);
	}
	return reach;
}

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
struct around count_around(const struct problem *p, const struct choice *c, int lanes)
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

/* Cycles to load a vector of an operand: where not all its moves are whole vectors, it often lies in two lines, which
 * are two loads. */
static double load_cycles(const struct problem *p, const struct choice *c, bool of_b, int lanes)
{
	const double one = 0.5;
	bool whole = true;

	for (int i = 0; i < p->n; i++)
		whole &= i == c->vector || (of_b ? p->axis[i].b : p->axis[i].a) % lanes == 0;
	return whole ? one : one + one * (lanes - 1) * p->real_size / LINE;
}

/* How the operands lie. */
void find_around(const struct problem *p, const struct choice *c, int lanes, struct around *around)
{
	around->a = find_reach(p, c, false, 1);
	around->b = find_reach(p, c, true, c->dot || is_turned(p, c) ? 1 : lanes);
	around->a_load = load_cycles(p, c, false, c->dot ? lanes : 1);
	around->b_load = load_cycles(p, c, true, c->panel == PANEL_B ? 1 : lanes);
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

/* Cycles for a tile, by a count of instructions; the weights are round numbers that rank measured schedules. */
double tile_cost(const struct around *around, const struct problem *p, const struct choice *c,
		 const struct tile_size *size, const struct machine *target)
{
	bool dot = c->dot;
	int rows = size->row[0] * size->row[1], cols = size->col[0] * size->col[1];
	int results = rows * cols;
	double step = results * (target->fused ? 0.5 : 1), loads = rows * around->a_load + cols * around->b_load;

	step = larger(larger(step, loads), issue_cost(around, target, rows, cols));
	step = results < 8 && step < 4 ? 4 : step;
	step += column_cost(target) * cols + row_cost(target, dot) * rows;
	return around->steps * step + EXIT_CYCLES * around->exits + TILE_CYCLES +
	       results * (!dot			       ? STORE_CYCLES
			  : stores_vectors(p, c, size) ? 2
						       : 3);
}

double memory_cost(const struct around *around, const struct problem *p, const struct choice *c,
		   const struct tile_size *size, double cycles)
{
	int rows = size->row[0] * size->row[1], cols = size->col[0] * size->col[1];

	cycles = larger(cycles, cycles / 2 + bring_cost(p, around, c, size));
	cycles += adds_up(c) ? add_cost(p, c->dot ? 1 : size->lanes, rows, cols) : 0;
	cycles += page_cost(p, c, rows);
	return cycles + around->turned * cols * (double)rounds(rows, size->lanes);
}
