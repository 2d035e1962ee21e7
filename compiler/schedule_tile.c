/* schedule_tile.c - sums of products as tiles: the form in which dense layers, convolutions, attention, recurrence and
 * all their gradients run at the speed of the machine.
 *
 *     T[t(i)] = sum[k] A[a(i, k)] * B[b(i, k)]
 *
 * Nothing is known of it but extents and strides: once the subscripts are linear, an index is an extent and how far it
 * moves in T, A and B. What an index is for follows from which of the three it does not move: rows of the tile move A
 * and T, columns B and T, sums A and B; an index that moves all three is a loop around everything.
 *
 * A tile holds rows x columns partial results in registers while the sums run, so that every value that is loaded is
 * used many times. It comes in two forms. In the outer product a column is a vector along an index with unit stride in
 * T and B, and A's values are broadcast. In the dot product the vectors lie along a sum with unit stride in A and B,
 * and each result is added up at the end. Tiles at the end of an index start earlier and compute some elements twice,
 * which needs no code of its own; so a tile never adds to what T was, and all sums run inside of it.
 *
 * Every combination of vector index, tiled indices and sizes is costed and the cheapest taken, for each kind of machine
 * that the generated file may be compiled for; the order of the loops around is chosen by the memory that it moves. */
#include "schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEAST_WORK = 2048,    /* multiply-adds from which tiles pay */
	LARGEST_SIDE = 28,    /* rows or columns of a tile */
	L1_BYTES = 32 * 1024, /* of a common machine */
	L2_BYTES = 1024 * 1024
};

/* Files of C are for any of these, or for the one that was asked for; code in this process is for what its host says.
 */
void find_machines(struct program *p, const nnc_tiles *tiles)
{
	static const struct {
		int bytes, registers;
		bool fused;
	} known[TARGET_COUNT] = {
		[TARGET_AVX512] = {64, 32, true},
		[TARGET_AVX2] = {32, 16, true},
		[TARGET_SSE2] = {16, 16, false},
		[TARGET_NEON] = {16, 32, true},
	};
	int real_size = p->g->ctx->options->real == NNC_FLOAT ? 4 : 8;
	int only = (int)p->g->ctx->options->target - NNC_TARGET_AVX512;

	if (tiles) {
		p->n_machine = 1;
		p->in_process = true;
		p->machine[0] = (struct machine){.lanes = tiles->lanes,
						 .registers = tiles->registers,
						 .fused = true,
						 .rows = tiles->rows,
						 .cols = tiles->columns,
						 .dot_rows = tiles->dot_rows,
						 .dot_cols = tiles->dot_columns,
						 .sums = tiles->sums,
						 .one_narrow = true};
		return;
	}
	for (int t = 0; t < TARGET_COUNT; t++)
		if (only < 0 || only == t)
			p->machine[p->n_machine++] = (struct machine){.lanes = known[t].bytes / real_size,
								      .registers = known[t].registers,
								      .fused = known[t].fused,
								      .rows = LARGEST_SIDE,
								      .cols = LARGEST_SIDE,
								      .dot_rows = LARGEST_SIDE,
								      .dot_cols = LARGEST_SIDE,
								      .sums = TILE_SUMS};
}

/* ---- the equation as extents and strides ---- */

struct problem {
	struct program *program;
	struct graph *g;
	const struct stage *stage;
	const struct expr *a, *b;
	struct tile_axis axis[64]; /* those that run, in the order of slots */
	int n;
	int real_size;
	bool strict;
};

static bool is_sum(const struct tile_axis *x) { return x->t == 0; }
static bool is_row(const struct tile_axis *x) { return x->t && x->a && !x->b; }
static bool is_column(const struct tile_axis *x) { return x->t && x->b && !x->a; }

/* The two factors of the term, both elements of tensors; false where it is anything else. */
static bool find_factors(const struct stage *stage, const struct expr **a, const struct expr **b)
{
	const struct expr *term = stage->term;

	if (stage->eq->red != RED_SUM || stage->eq->kind != EQ_MAP || term->op != EX_MUL || stage->conditions.n)
		return false;
	*a = term->arg[0];
	*b = term->arg[1];
	return (*a)->op == EX_READ && (*b)->op == EX_READ && !(*a)->guarded && !(*b)->guarded &&
	       (*a)->elem == ELEM_REAL && (*b)->elem == ELEM_REAL;
}

/* Two indices that move like one. */
static bool may_merge(const struct tile_axis *outer, const struct tile_axis *inner)
{
	return !outer->rows && is_sum(outer) == is_sum(inner) && outer->a == inner->extent * inner->a &&
	       outer->b == inner->extent * inner->b && outer->t == inner->extent * inner->t;
}

static void merge_axes(struct problem *p)
{
	for (int i = p->n - 1; i > 0; i--) {
		struct tile_axis *outer = &p->axis[i - 1], *inner = &p->axis[i];

		if (inner->rows || !may_merge(outer, inner))
			continue;
		inner->extent *= outer->extent;
		memmove(outer, inner, (size_t)(p->n - i) * sizeof *outer);
		p->n--;
	}
}

/* open: slots that loops around the stage have opened. */
static bool find_problem(struct problem *p, uint64_t open, bool one_row)
{
	const struct equation *eq = p->stage->eq;
	struct affine fa, fb;

	if (!find_factors(p->stage, &p->a, &p->b) || tensor_size(eq->tensor) > INT32_MAX ||
	    tensor_size(p->a->tensor) > INT32_MAX || tensor_size(p->b->tensor) > INT32_MAX ||
	    !flat_subscript(p->a->tensor, p->a->arg, &fa) || !flat_subscript(p->b->tensor, p->b->arg, &fb))
		return false;
	for (int s = 0; s < eq->n; s++) {
		struct tile_axis x = {.slot = s, .extent = eq->index[s].extent, .rows = eq->index[s].rows};

		x.a = fa.coef[s];
		x.b = fb.coef[s];
		x.t = s < eq->nfree ? axis_stride(eq->tensor, s) : 0;
		if (open >> s & 1 || x.extent == 1 || (x.rows && one_row))
			continue;
		if (!x.a && !x.b) /* a copy or a multiple: nothing to gain */
			return false;
		p->axis[p->n++] = x;
	}
	merge_axes(p);
	return p->n > 0;
}

/* ---- choosing ---- */

/* A tile that is being considered: places in problem.axis, -1: none. */
struct choice {
	bool dot;
	int vector, row[2], col[2]; /* of an outer product col[0] is the vector */
};

static int64_t rounds(int64_t extent, int64_t step) { return (extent + step - 1) / step; }

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

/* What the sizes of a tile do not change: steps of its sums, how often the innermost one ends, and tiles along the
 * indices that it has no side of. */
struct around {
	double steps, exits, tiles;
};

static struct around find_around(const struct problem *p, const struct choice *c, int lanes)
{
	struct around around = {1, 1, 1};

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];

		if (is_sum(x))
			around.steps *= (double)(i == c->vector ? rounds(x->extent, lanes) : x->extent);
		else if (i != c->row[0] && i != c->row[1] && i != c->col[0] && i != c->col[1])
			around.tiles *= (double)x->extent;
	}
	for (int i = 0; i < p->n; i++)
		if (is_sum(&p->axis[i]) && !(c->dot && i == c->vector))
			around.exits = around.steps / (double)p->axis[i].extent;
	return around;
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

/* The best sizes for a choice on a target; their cost, or INFINITY where none fits. */
static double best_size(const struct problem *p, const struct choice *c, const struct machine *target,
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
				cost = tiles * row0.tiles[r0] * tile_cost(&around, c->dot, rows, cols, target);
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

/* All tiles that have v as their vector, with A and B as they are. */
static void try_vector(const struct problem *p, int v, struct choice *best, double *least)
{
	const struct tile_axis *x = &p->axis[v];
	struct choice c = {.vector = v, .dot = is_sum(x)};
	int row[65], col[65], n_row = 0, n_col = 0;
	struct tile_size size;

	if (x->rows || x->b != 1 || (c.dot ? x->a != 1 || p->strict : x->t != 1 || x->a != 0))
		return;
	for (int i = 0; i < p->n; i++)
		if (is_row(&p->axis[i]))
			row[n_row++] = i;
		else if (is_column(&p->axis[i]) && i != v)
			col[n_col++] = i;
	row[n_row++] = col[n_col++] = -1;
	for (int r0 = 0; r0 < n_row; r0++)
		for (int r1 = r0 + 1; r1 < n_row || r1 == n_row; r1++)
			for (int c0 = 0; c0 < n_col; c0++) {
				double cost;

				c.row[0] = row[r0];
				c.row[1] = r1 < n_row ? row[r1] : -1;
				c.col[0] = c.dot ? col[c0] : v;
				c.col[1] = c.dot ? -1 : col[c0];
				if ((c.row[0] < 0 && r1 < n_row) || (c.row[1] >= 0 && p->axis[c.row[0]].rows))
					continue; /* of two, the rows of the batch come second */
				cost = best_size(p, &c, &p->program->machine[0], &size);
				if (cost < *least) {
					*least = cost;
					*best = c;
				}
			}
}

/* ---- the loops around ---- */

/* Bytes of an operand that the loops [from, n) and a tile go through; their product where indices overlap. */
static double footprint(const struct problem *p, const struct tile *tile, int from, int operand)
{
	const struct tensor *of[] = {p->a->tensor, p->b->tensor, p->stage->eq->tensor};
	double bytes = p->real_size;

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];
		int64_t move[] = {x->a, x->b, x->t}, extent = x->extent;

		for (int k = 0; k < from; k++)
			if (tile->loop[k].axis.slot == x->slot)
				extent = loop_step(tile, &tile->loop[k], 0);
		bytes *= move[operand] ? (double)extent : 1;
	}
	return fmin(bytes, (double)tensor_size(of[operand]) * p->real_size);
}

/* Cycles that it takes to bring what the loops in this order need into the nearest cache. */
static double traffic(const struct problem *p, const struct tile *tile)
{
	static const struct {
		double bytes, cycles;
	} caches[] = {{L1_BYTES, 0.005}, {L2_BYTES, 0.05}};
	double cycles = 0;

	for (size_t c = 0; c < sizeof caches / sizeof *caches; c++) {
		int from = 0;

		while (from < tile->n_loop &&
		       footprint(p, tile, from, 0) + footprint(p, tile, from, 1) + footprint(p, tile, from, 2) >
			       caches[c].bytes)
			from++;
		for (int operand = 0; operand < 3; operand++) {
			double bytes = footprint(p, tile, from, operand);
			bool same = true; /* so far, the loops do not move it */

			for (int k = from - 1; k >= 0; k--) {
				const struct tile_axis *x = &tile->loop[k].axis;
				int64_t move[] = {x->a, x->b, x->t};

				same &= move[operand] == 0;
				if (!same)
					bytes *= (double)rounds(x->extent, loop_step(tile, &tile->loop[k], 0));
			}
			cycles += bytes * caches[c].cycles;
		}
	}
	return cycles;
}

/* Every order of the loops from `at` on. */
static void try_orders(const struct problem *p, struct tile *tile, int at, struct tile *best, double *least)
{
	double cost;

	if (at == tile->n_loop) {
		cost = traffic(p, tile);
		if (cost < 0.98 * *least) {
			*least = cost;
			*best = *tile;
		}
		return;
	}
	for (int k = at; k < tile->n_loop; k++) {
		struct tile_loop loop = tile->loop[k], first = tile->loop[at];

		tile->loop[at] = loop;
		tile->loop[k] = first;
		try_orders(p, tile, at + 1, best, least);
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
	default: return 1;
	}
}

/* An index that some target's tile does not cover has a loop. */
static void add_loop(const struct problem *p, const struct choice *c, struct tile *tile, int axis)
{
	struct tile_loop loop = {.axis = p->axis[axis]};
	bool covered = !loop.axis.rows;

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

/* Where a sum stands among the others, innermost lowest: the vector's, then short steps before long ones; the rows of
 * the batch outermost. Where bits count, the order in which they are written. */
static int64_t sum_rank(const struct problem *p, const struct choice *c, int axis)
{
	const struct tile_axis *x = &p->axis[axis];

	if (p->strict)
		return -axis;
	if (c->dot && axis == c->vector)
		return -1;
	return x->rows ? INT64_MAX : llabs(x->a) + llabs(x->b);
}

static bool order_sums(const struct problem *p, const struct choice *c, struct tile *tile)
{
	int64_t rank[TILE_SUMS];

	for (int i = 0; i < p->n; i++) {
		int at = tile->n_sum;

		if (!is_sum(&p->axis[i]))
			continue;
		if (tile->n_sum == p->program->machine[0].sums)
			return false;
		for (; at > 0 && rank[at - 1] > sum_rank(p, c, i); at--) {
			rank[at] = rank[at - 1];
			tile->sum[at] = tile->sum[at - 1];
		}
		rank[at] = sum_rank(p, c, i);
		tile->sum[at] = p->axis[i];
		tile->n_sum++;
	}
	for (int i = 0; i + 1 < tile->n_sum; i++) /* only the outermost may have a bound that is not constant */
		if (tile->sum[i].rows)
			return false;
	return true;
}

static struct tile *make_tile(struct problem *p, const struct choice *c)
{
	struct tile whole = {.a = p->a, .b = p->b, .dot = c->dot}, scratch, *tile = &whole;
	double least = INFINITY;
	size_t size;

	for (int t = 0; t < p->program->n_machine; t++)
		if (best_size(p, c, &p->program->machine[t], &tile->size[t]) == INFINITY)
			return NULL;
	for (int k = 0; k < 2; k++) {
		tile->row[k] = c->row[k] < 0 ? (struct tile_axis){.slot = -1} : p->axis[c->row[k]];
		tile->col[k] = c->col[k] < 0 ? (struct tile_axis){.slot = -1} : p->axis[c->col[k]];
	}
	if (!order_sums(p, c, tile))
		return NULL;
	for (int i = 0; i < p->n; i++)
		if (!is_sum(&p->axis[i]))
			add_loop(p, c, tile, i);
	scratch = *tile;
	if (tile->n_loop <= 6)
		try_orders(p, &scratch, 0, tile, &least);
	size = offsetof(struct tile, loop) + (size_t)whole.n_loop * sizeof *whole.loop;
	return memcpy(arena_alloc(&p->g->ctx->arena, size), &whole, size);
}

static void swap_factors(struct problem *p)
{
	const struct expr *a = p->a;

	p->a = p->b;
	p->b = a;
	for (int i = 0; i < p->n; i++) {
		int64_t step = p->axis[i].a;

		p->axis[i].a = p->axis[i].b;
		p->axis[i].b = step;
	}
}

bool may_tile(const struct program *p, double work)
{
	const struct nnc_options *options = p->g->ctx->options;

	return p->n_machine && work >= LEAST_WORK && options->unroll != NNC_UNROLL_ALL && options->real != NNC_QUAD;
}

/* What is best for a problem: equal ones are met again in other layers, and in training and inference. */
struct tile_memo {
	const struct tile_memo *next;
	struct tile_axis *axis;
	int n;
	bool swapped; /* the factors */
	struct choice choice;
	double least;
};

static uint64_t hash_axes(const struct problem *p)
{
	uint64_t hash = 14695981039346656037u;

	for (int i = 0; i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i];
		int64_t part[] = {x->extent, x->rows, x->a, x->b, x->t};

		for (size_t k = 0; k < sizeof part / sizeof *part; k++)
			hash = (hash ^ (uint64_t)part[k]) * 1099511628211u;
	}
	return hash >> 32;
}

static bool same_axes(const struct problem *p, const struct tile_memo *memo)
{
	bool same = p->n == memo->n;

	for (int i = 0; same && i < p->n; i++) {
		const struct tile_axis *x = &p->axis[i], *y = &memo->axis[i];

		same = x->extent == y->extent && x->rows == y->rows && x->a == y->a && x->b == y->b && x->t == y->t;
	}
	return same;
}

static const struct tile_memo *search_tiles(struct problem *p)
{
	struct arena *arena = &p->g->ctx->arena;
	const struct tile_memo **list = &p->program->tile_memos[hash_axes(p) % TILE_MEMOS], *found = *list;
	struct tile_memo *memo;

	while (found && !same_axes(p, found))
		found = found->next;
	if (found)
		return found;
	memo = arena_alloc(arena, sizeof *memo);
	*memo = (struct tile_memo){.next = *list, .n = p->n, .least = INFINITY};
	memo->axis = arena_array(arena, (size_t)p->n, sizeof *memo->axis);
	memcpy(memo->axis, p->axis, (size_t)p->n * sizeof *memo->axis);
	for (int swapped = 0; swapped < 2; swapped++) {
		double before = memo->least;

		for (int v = 0; v < p->n; v++)
			try_vector(p, v, &memo->choice, &memo->least);
		memo->swapped = memo->least < before ? swapped : memo->swapped;
		swap_factors(p);
	}
	return *list = memo;
}

/* The cheapest tile of the stage and its cycles; INFINITY where there is none. */
static double choose_tile(struct problem *p, uint64_t open, bool one_row, struct choice *best)
{
	const struct tile_memo *memo;
	double work = 1;

	p->real_size = p->g->ctx->options->real == NNC_FLOAT ? 4 : 8;
	p->strict = p->g->ctx->options->fp == NNC_FP_STRICT;
	if (!find_problem(p, open, one_row))
		return INFINITY;
	for (int i = 0; i < p->n; i++)
		work *= (double)p->axis[i].extent;
	if (!may_tile(p->program, work))
		return INFINITY;
	memo = search_tiles(p);
	if (memo->swapped)
		swap_factors(p);
	*best = memo->choice;
	return memo->least;
}

struct tile *plan_tile(struct program *program, const struct stage *stage, uint64_t open, bool one_row)
{
	struct problem p = {.program = program, .g = program->g, .stage = stage};
	struct choice best;

	return choose_tile(&p, open, one_row, &best) < INFINITY ? make_tile(&p, &best) : NULL;
}

double tile_cycles(struct program *program, const struct stage *stage, uint64_t open, bool one_row, bool *dot)
{
	struct problem p = {.program = program, .g = program->g, .stage = stage};
	struct choice best = {0};
	double cycles = choose_tile(&p, open, one_row, &best);

	*dot = best.dot;
	return cycles;
}
