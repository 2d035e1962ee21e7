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
 * which needs no code of its own. Sums run inside of the tile, or the outermost ones around it: then it adds to what T
 * was, and its sizes divide their indices, so that nothing is added twice.
 *
 * Every combination of vector index, tiled indices and sizes is costed and the cheapest taken, for each kind of machine
 * that the generated file may be compiled for; the order of the loops around is chosen by the memory that it moves. */
#include "schedule_tile.h"

#include <math.h>
#include <string.h>

enum { LEAST_WORK = 2048 /* multiply-adds from which tiles pay */ };

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
	int bytes = (int)real_size(p->g);
	int only = (int)p->g->ctx->options->target - NNC_TARGET_AVX512;

	if (tiles) {
		p->n_machine = 1;
		p->in_process = true;
		p->own_code = tiles->code;
		p->maps = tiles->maps;
		p->machine[0] = (struct machine){.lanes = tiles->lanes,
						 .registers = tiles->registers,
						 .fused = true,
						 .rows = tiles->rows,
						 .cols = tiles->columns,
						 .dot_rows = tiles->dot_rows,
						 .dot_cols = tiles->dot_columns,
						 .sums = tiles->sums};
	}
	for (int t = 0; t < TARGET_COUNT && !tiles; t++)
		if (only < 0 || only == t)
			p->machine[p->n_machine++] = (struct machine){.lanes = known[t].bytes / bytes,
								      .registers = known[t].registers,
								      .fused = known[t].fused,
								      .rows = LARGEST_SIDE,
								      .cols = LARGEST_SIDE,
								      .dot_rows = LARGEST_SIDE,
								      .dot_cols = LARGEST_SIDE,
								      .sums = TILE_SUMS};
	for (int t = 0; t < p->n_machine; t++)
		p->machine[t].rate = find_rate(&p->machine[t]);
}

/* ---- the equation as extents and strides ---- */

/* Of a sum that is added: the factor that all terms share, which is taken off the term. */
static struct expr *take_scale(const struct expr **term)
{
	for (int k = 0; k < 2 && (*term)->op == EX_MUL; k++)
		if (!(*term)->arg[k]->slots) {
			struct expr *scale = (*term)->arg[k];

			*term = (*term)->arg[1 - k];
			return scale;
		}
	return NULL;
}

/* The two factors of the term, both elements of tensors; false where it is anything else. */
static bool find_factors(const struct stage *stage, const struct expr **a, const struct expr **b, struct expr **scale)
{
	const struct expr *term = stage->term;

	*scale = stage->adds ? take_scale(&term) : NULL;
	if ((stage->adds && !*scale) || stage->eq->red != RED_SUM || stage->eq->kind != EQ_MAP || term->op != EX_MUL ||
	    stage->conditions.n)
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

/* Where bits count, only neighbours: sums keep their order. */
static void merge_axes(struct problem *p)
{
	for (int inner = p->n - 1; inner >= 0; inner--)
		for (int outer = p->n - 1; outer >= 0; outer--) {
			if (outer == inner || p->axis[inner].rows || (p->strict && outer != inner - 1) ||
			    !may_merge(&p->axis[outer], &p->axis[inner]))
				continue;
			p->axis[inner].extent *= p->axis[outer].extent;
			p->n--;
			memmove(&p->axis[outer], &p->axis[outer + 1], (size_t)(p->n - outer) * sizeof *p->axis);
			inner -= outer < inner;
			outer = p->n;
		}
}

/* open: slots that loops around the stage have opened. */
static bool find_problem(struct problem *p, uint64_t open, bool one_row)
{
	const struct equation *eq = p->stage->eq;
	struct affine fa, fb;

	if (!find_factors(p->stage, &p->a, &p->b, &p->scale) || tensor_size(eq->tensor) > INT32_MAX ||
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

/* The outermost of the sums that run inside, -1: there is none; and how many do. */
static int outermost_sum(const struct problem *p, const struct choice *c, int *n)
{
	int outermost = -1;

	*n = 0;
	for (int i = 0; i < p->n; i++) {
		if (!is_inside(p, c, i))
			continue;
		++*n;
		if (outermost < 0 || sum_rank(p, c, i) > sum_rank(p, c, outermost))
			outermost = i;
	}
	return outermost;
}

/* The choice with its outermost sum whole, halved, quartered ..: of two operands one may then stay in the first cache.
 */
static void try_parts(const struct problem *p, struct choice *c, bool adds, struct choice *best, double *least)
{
	enum { MOST_PARTS = 16 };
	struct tile_size size;
	int n;

	c->cut = outermost_sum(p, c, &n);
	for (c->parts = 1; c->parts <= MOST_PARTS; c->parts *= 2) {
		double cost;

		if (c->parts > 1 && (!adds || n < 2 || p->axis[c->cut].rows || p->axis[c->cut].extent % c->parts))
			break;
		cost = best_size(p, c, &p->program->machine[0], *least, &size);
		if (cost < *least) {
			*least = cost;
			*best = *c;
		}
	}
	c->parts = 1;
}

/* The choice with none, one .. of its sums outside. */
static void try_sums(const struct problem *p, struct choice *c, struct choice *best, double *least)
{
	bool adds = p->adds && (!c->dot || !p->program->in_process) && !c->across && !c->panel;
	int n;

	for (c->outside = 0;; c->outside |= (uint64_t)1 << c->cut) {
		try_parts(p, c, adds, best, least);
		c->cut = outermost_sum(p, c, &n);
		if (!adds || n < 2)
			return;
	}
}

/* All tiles that have v as their vector. */
static void try_vector(const struct problem *p, int v, struct choice *best, double *least)
{
	const struct tile_axis *x = &p->axis[v];
	struct choice c = {.vector = v, .dot = is_sum(x), .parts = 1};
	int row[65], col[65], n_row = 0, n_col = 0;

	c.across = x->rows && !c.dot && (!p->program->in_process || p->program->own_code);
	if (x->rows != c.across ||
	    (c.dot ? x->b != 1 || x->a != 1 || p->strict : (x->t != 1 && !c.across) || x->a != 0))
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
				c.row[0] = row[r0];
				c.row[1] = r1 < n_row ? row[r1] : -1;
				c.col[0] = c.dot ? col[c0] : v;
				c.col[1] = c.dot ? -1 : col[c0];
				if ((c.row[0] < 0 && r1 < n_row) || (c.row[1] >= 0 && p->axis[c.row[0]].rows))
					continue; /* of two, the rows of the batch come second */
				if (c.across && !may_cross(p, &c))
					continue;
				c.outside = 0;
				for (c.panel = PANEL_NONE; c.panel <= PANEL_B; c.panel++)
					if ((c.panel == PANEL_NONE || may_copy(p, &c)) &&
					    (c.panel == PANEL_B || x->b == 1) &&
					    (c.panel == PANEL_B || !c.across || !p->program->in_process))
						try_sums(p, &c, best, least);
			}
}

static struct tile *make_tile(struct problem *p, const struct choice *c)
{
	struct tile whole = {.a = p->a,
			     .b = p->b,
			     .scale = p->scale,
			     .dot = c->dot,
			     .across = c->across,
			     .panel = c->panel},
		    *tile = &whole;
	size_t size;

	for (int t = 0; t < p->program->n_machine; t++)
		if (best_size(p, c, &p->program->machine[t], INFINITY, &tile->size[t]) == INFINITY)
			return NULL;
	for (int k = 0; k < 2; k++) {
		tile->row[k] = c->row[k] < 0 ? (struct tile_axis){.slot = -1} : p->axis[c->row[k]];
		tile->col[k] = c->col[k] < 0 ? (struct tile_axis){.slot = -1} : p->axis[c->col[k]];
	}
	if (!order_sums(p, c, tile))
		return NULL;
	order_loops(p, c, tile);
	tile->rests = p->program->own_code && (tile->adds || tile->scale);
	tile->ahead = stays_near(p, c, tile) ? 0 : steps_ahead(p, c);
	tile->asks = asked_loop(p, tile);
	tile->far = asks_for_result(p, tile);
	tile->turned = is_turned(p, c);
	if (choose_copies(p, tile) || tile->panel)
		tile->memory = make_panel(p, tile);
	size = offsetof(struct tile, loop) + (size_t)whole.n_loop * sizeof *whole.loop;
	return memcpy(arena_alloc(&p->g->ctx->arena, size), &whole, size);
}

static bool same_axis(const struct tile_axis *x, const struct tile_axis *y)
{
	return x->extent == y->extent && x->rows == y->rows && x->a == y->a && x->b == y->b && x->t == y->t;
}

static int skip_rows(const struct tile *tile, int k)
{
	while (k < tile->n_loop && tile->loop[k].axis.rows)
		k++;
	return k;
}

/* Loops over rows that a panel is filled within would fill it for each of them. */
static bool same_loops(const struct tile *a, const struct tile *b)
{
	int i = skip_rows(a, 0), k = skip_rows(b, 0);

	for (; i < a->n_loop && k < b->n_loop; i = skip_rows(a, i + 1), k = skip_rows(b, k + 1)) {
		const struct tile_loop *x = &a->loop[i], *y = &b->loop[k];

		if (x->axis.slot != y->axis.slot || !same_axis(&x->axis, &y->axis) || x->side != y->side ||
		    x->number != y->number || (i < a->outside) != (k < b->outside))
			return false;
	}
	return i >= a->n_loop && k >= b->n_loop;
}

bool same_but_for_rows(const struct tile *a, const struct tile *b)
{
	bool same = a->a == b->a && a->b == b->b && a->dot == b->dot && a->across == b->across &&
		    a->n_sum == b->n_sum && a->panel == b->panel && a->asks == b->asks && a->far == b->far &&
		    a->turned == b->turned && memcmp(a->size, b->size, sizeof a->size) == 0;

	for (int k = 0; k < 2 && same; k++)
		same = a->row[k].slot == b->row[k].slot && a->col[k].slot == b->col[k].slot && !a->row[k].rows &&
		       !a->col[k].rows && same_axis(&a->row[k], &b->row[k]) && same_axis(&a->col[k], &b->col[k]);
	for (int k = 0; k < a->n_sum && same; k++)
		same = same_axis(&a->sum[k], &b->sum[k]);
	return same && same_loops(a, b);
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
	struct tile_memo *next;
	struct tile_axis *axis;
	int n;
	bool panels, adds, once, updates;
	bool swapped; /* the factors */
	struct choice choice;
	double least; /* INFINITY: none takes less than .. */
	double most;  /* the largest number of cycles that was asked for */
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
	bool same = p->n == memo->n && p->panels == memo->panels && p->adds == memo->adds && p->once == memo->once &&
		    !p->stage->adds == !memo->updates;

	for (int i = 0; same && i < p->n; i++)
		same = same_axis(&p->axis[i], &memo->axis[i]);
	return same;
}

static struct tile_memo *find_memo(struct problem *p)
{
	struct arena *arena = &p->g->ctx->arena;
	struct tile_memo **list = &p->program->tile_memos[hash_axes(p) % TILE_MEMOS], *memo = *list;

	while (memo && !same_axes(p, memo))
		memo = memo->next;
	if (memo)
		return memo;
	memo = arena_alloc(arena, sizeof *memo);
	*memo = (struct tile_memo){.next = *list,
				   .n = p->n,
				   .panels = p->panels,
				   .adds = p->adds,
				   .once = p->once,
				   .updates = p->stage->adds,
				   .least = INFINITY};
	memo->axis = arena_array(arena, (size_t)p->n, sizeof *memo->axis);
	memcpy(memo->axis, p->axis, (size_t)p->n * sizeof *memo->axis);
	return *list = memo;
}

static const struct tile_memo *search_tiles(struct problem *p, double most)
{
	struct tile_memo *memo = find_memo(p);
	double least = most;

	if (memo->least < INFINITY || most <= memo->most)
		return memo;
	for (int swapped = 0; swapped < 2; swapped++) {
		double before = least;

		for (int v = 0; v < p->n; v++)
			try_vector(p, v, &memo->choice, &least);
		memo->swapped = least < before ? swapped : memo->swapped;
		swap_factors(p);
	}
	memo->most = most;
	memo->least = least < most ? least : INFINITY;
	return memo;
}

/* The cheapest tile of the stage and its cycles; INFINITY where there is none that takes less than `most`. */
static double choose_tile(struct problem *p, uint64_t open, bool one_row, double most, struct choice *best)
{
	const struct tile_memo *memo;
	double work = 1;

	p->real_size = (int)real_size(p->g);
	p->strict = p->g->ctx->options->fp == NNC_FP_STRICT;
	if (!find_problem(p, open, one_row))
		return INFINITY;
	for (int i = 0; i < p->n; i++)
		work *= (double)p->axis[i].extent;
	if (!may_tile(p->program, work))
		return INFINITY;
	memo = search_tiles(p, most);
	if (memo->swapped)
		swap_factors(p);
	*best = memo->choice;
	return memo->least;
}

/* Panels stand in the memory of a call that has some, and steps would fill theirs again and again. */
static struct problem problem_of(struct program *program, const struct stage *stage, enum part part, uint64_t open)
{
	bool of_call = part != PART_INIT && part != PART_UPDATE && part != PART_AVERAGE && !open;

	return (struct problem){.program = program,
				.g = program->g,
				.stage = stage,
				.panels = of_call && !program->g->no_operands,
				.once = stage->adds && program->in_process,
				.adds = of_call && program->g->ctx->options->fp != NNC_FP_STRICT};
}

struct tile *plan_tile(struct program *program, const struct stage *stage, enum part part, uint64_t open, bool one_row)
{
	struct problem p = problem_of(program, stage, part, open);
	struct choice best;

	return choose_tile(&p, open, one_row, INFINITY, &best) < INFINITY ? make_tile(&p, &best) : NULL;
}

double tile_cycles(struct program *program, const struct stage *stage, enum part part, uint64_t open, bool one_row,
		   double most, bool *dot)
{
	struct problem p = problem_of(program, stage, part, open);
	struct choice best = {0};
	double cycles = choose_tile(&p, open, one_row, most, &best);

	*dot = best.dot;
	return cycles;
}
