/* tile_kernels.c - the routines behind tile.h for one instruction set and one type of reals.
 *
 * The Makefile compiles this file once for each of them. With AVX2 or AVX-512 tiles have machine code of their own
 * (tile_code.c), and what is here for any tile is slow. The base set, which every processor knows, has a kernel for
 * every pair of rows and columns that fits the registers: its sums are an array all of whose indices are known while
 * compiling, so that each of them becomes a register. Nothing is unrolled over k, which would gain nothing. */
#include "tile_kernels.h"

typedef void tile_kernel(const nn_tile *t, const real *a, const real *b, real *result, int n, real scale);

INLINE ptrdiff_t place_of(int i, const int32_t split[2], const int32_t step[2])
{
	return (ptrdiff_t)(i % split[0]) * step[0] + (ptrdiff_t)(i / split[0]) * step[1];
}

INLINE int trips_of(const nn_tile *t, int sum, int n)
{
	return sum >= t->n_sum ? 1 : t->trips[sum] == NN_TILE_N ? n : t->trips[sum];
}

#if TILE_BYTES == 16

INLINE ptrdiff_t step_of(const int32_t *step, const nn_tile *t, int sum) { return sum < t->n_sum ? step[sum] : 0; }

/* Where the first `count` rows or columns are. */
static __attribute__((noinline)) void find_places(ptrdiff_t *place, int count, const int32_t split[2],
						  const int32_t step[2])
{
	for (int i = 0; i < count; i++)
		place[i] = place_of(i, split, step);
}

/* Where the sums of a tile are: counts and steps, outermost first. */
struct sums {
	int trips[NN_TILE_SUMS];
	ptrdiff_t a[NN_TILE_SUMS], b[NN_TILE_SUMS];
};

INLINE struct sums find_sums(const nn_tile *t, int n)
{
	struct sums s;
	for (int k = 0; k < NN_TILE_SUMS; k++) {
		s.trips[NN_TILE_SUMS - 1 - k] = trips_of(t, k, n);
		s.a[NN_TILE_SUMS - 1 - k] = step_of(t->a_sum, t, k);
		s.b[NN_TILE_SUMS - 1 - k] = step_of(t->b_sum, t, k);
	}
	return s;
}

/* The outer sums in turn; at[] is where their operands are. */
#define FOR_OUTER_SUMS(s, at_a, at_b)                                                                                  \
	for (int k0 = 0; k0 < (s).trips[0]; k0++)                                                                      \
		for (int k1 = 0; k1 < (s).trips[1]; k1++)                                                              \
			for (int k2 = 0; k2 < (s).trips[2]; k2++)                                                      \
				for (const real *at_a = a + k0 * (s).a[0] + k1 * (s).a[1] + k2 * (s).a[2],             \
						*at_b = b + k0 * (s).b[0] + k1 * (s).b[1] + k2 * (s).b[2], *once = a;  \
				     once; once = NULL)

/* One step of k. rows and columns are literals. Of the two operands the one with fewer values is held in registers, the
 * other streamed past it. */
INLINE void add_step(const int rows, const int columns, const real *a, const real *b, const ptrdiff_t row[],
		     const ptrdiff_t column[], vec sum[][NN_TILE_VECTORS])
{
	if (rows >= columns) {
		vec held[NN_TILE_VECTORS];
		UNROLL for (int j = 0; j < columns; j++) held[j] = *(const vec *)(b + column[j]);
		UNROLL for (int i = 0; i < rows; i++)
		{
			const real factor = a[row[i]];
			UNROLL for (int j = 0; j < columns; j++) sum[i][j] += factor * held[j];
		}
	} else {
		real held[NN_TILE_ROWS];
		UNROLL for (int i = 0; i < rows; i++) held[i] = a[row[i]];
		UNROLL for (int j = 0; j < columns; j++)
		{
			const vec streamed = *(const vec *)(b + column[j]);
			UNROLL for (int i = 0; i < rows; i++) sum[i][j] += held[i] * streamed;
		}
	}
}

INLINE void run_tile(const int rows, const int columns, const nn_tile *t, const real *a, const real *b, real *result,
		     int n, real scale)
{
	const struct sums s = find_sums(t, n);
	const bool scaled = t->adds == NN_TILE_SCALED;
	ptrdiff_t row[NN_TILE_ROWS], column[NN_TILE_VECTORS], to_row[NN_TILE_ROWS], to_column[NN_TILE_VECTORS];
	vec sum[NN_TILE_ROWS][NN_TILE_VECTORS];
	find_places(row, rows, t->row, t->a_row);
	find_places(to_row, rows, t->row, t->t_row);
	find_places(column, columns, t->column, t->b_column);
	find_places(to_column, columns, t->column, t->t_column);
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) sum[i][j] =
		t->adds && !scaled ? *(const vec *)(result + to_row[i] + to_column[j]) : (vec){0};
	FOR_OUTER_SUMS(s, at_a, at_b)
	for (int k = 0; k < s.trips[3]; k++)
		add_step(rows, columns, at_a + k * s.a[3], at_b + k * s.b[3], row, column, sum);
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
	{
		vec *at = (vec *)(result + to_row[i] + to_column[j]);
		if (scaled)
			sum[i][j] = *at + sum[i][j] * scale;
		*at = sum[i][j];
	}
}

#define KERNEL(rows, columns)                                                                                          \
	static void tile_##rows##x##columns(const nn_tile *t, const real *a, const real *b, real *result, int n,       \
					    real scale)                                                                \
	{                                                                                                              \
		run_tile(rows, columns, t, a, b, result, n, scale);                                                    \
	}
#define ENTRY(rows, columns) [rows][columns] = tile_##rows##x##columns,

/* All pairs with rows * columns + min(rows, columns) + 1 <= 16 for which tile_set.h has room. */
#define ROWS_2(X, v) X(1, v) X(2, v)
#define ROWS_3(X, v) ROWS_2(X, v) X(3, v)
#define ROWS_4(X, v) ROWS_3(X, v) X(4, v)
#define ROWS_6(X, v) ROWS_4(X, v) X(5, v) X(6, v)
#define ROWS_8(X, v) ROWS_6(X, v) X(7, v) X(8, v)
#define ROWS_14(X, v) ROWS_8(X, v) X(9, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
#define PAIRS(X) ROWS_14(X, 1) ROWS_6(X, 2) ROWS_4(X, 3) ROWS_3(X, 4) ROWS_2(X, 5) ROWS_2(X, 6)

PAIRS(KERNEL)

static tile_kernel *const kernels[NN_TILE_ROWS + 1][NN_TILE_VECTORS + 1] = {PAIRS(ENTRY)};

/* ---- dot products ---- */

INLINE real add_lanes(vec v)
{
	real lane[WIDTH];
	memcpy(lane, &v, sizeof lane);
	return WIDTH == 2 ? lane[0] + lane[1] : (lane[0] + lane[2 % WIDTH]) + (lane[1] + lane[3 % WIDTH]);
}

INLINE vec load_first(const real *at, int n)
{
	vec v = {0};
	UNROLL for (int i = 0; i < WIDTH; i++) if (i < n) v[i] = at[i];
	return v;
}

INLINE void run_dot(const int rows, const int columns, const nn_tile *t, const real *a, const real *b, real *result,
		    int n)
{
	const struct sums s = find_sums(t, n);
	const int rest = s.trips[3] % WIDTH;
	ptrdiff_t row[NN_DOT_ROWS], column[NN_DOT_VECTORS], to_row[NN_DOT_ROWS], to_column[NN_DOT_VECTORS];
	vec sum[NN_DOT_ROWS][NN_DOT_VECTORS], left[NN_DOT_VECTORS];
	find_places(row, rows, t->row, t->a_row);
	find_places(to_row, rows, t->row, t->t_row);
	find_places(column, columns, t->column, t->b_column);
	find_places(to_column, columns, t->column, t->t_column);
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) sum[i][j] = (vec){0};
	FOR_OUTER_SUMS(s, at_a, at_b)
	{
		int k = 0;
		for (; k + WIDTH <= s.trips[3]; k += WIDTH) {
			UNROLL for (int j = 0; j < columns; j++) left[j] = *(const vec *)(at_b + column[j] + k);
			UNROLL for (int i = 0; i < rows; i++)
			{
				const vec right = *(const vec *)(at_a + row[i] + k);
				UNROLL for (int j = 0; j < columns; j++) sum[i][j] += right * left[j];
			}
		}
		if (!rest)
			continue;
		UNROLL for (int j = 0; j < columns; j++) left[j] = load_first(at_b + column[j] + k, rest);
		UNROLL for (int i = 0; i < rows; i++)
		{
			const vec right = load_first(at_a + row[i] + k, rest);
			UNROLL for (int j = 0; j < columns; j++) sum[i][j] += right * left[j];
		}
	}
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
		result[to_row[i] + to_column[j]] = add_lanes(sum[i][j]);
}

#define DOT(rows, columns)                                                                                             \
	static void dot_##rows##x##columns(const nn_tile *t, const real *a, const real *b, real *result, int n,        \
					   real scale)                                                                 \
	{                                                                                                              \
		(void)scale;                                                                                           \
		run_dot(rows, columns, t, a, b, result, n);                                                            \
	}
#define DOT_ENTRY(rows, columns) [rows][columns] = dot_##rows##x##columns,
#define DOT_PAIRS(X) ROWS_8(X, 1) ROWS_6(X, 2) ROWS_4(X, 3)

DOT_PAIRS(DOT)

static tile_kernel *const dots[NN_DOT_ROWS + 1][NN_DOT_VECTORS + 1] = {DOT_PAIRS(DOT_ENTRY)};

static tile_kernel *find_kernel(const nn_tile *t)
{
	const int rows = t->row[0] * t->row[1], columns = t->column[0] * t->column[1];
	return t->dot ? dots[rows][columns] : kernels[rows][columns];
}

#else

INLINE real *result_at(const nn_tile *t, real *result, int row, int column)
{
	return result + place_of(row, t->row, t->t_row) + place_of(column, t->column, t->t_column);
}

/* Any tile, where no code could be made for it: one element after the other. */
static void run_any(const nn_tile *t, const real *a, const real *b, real *result, int n, real scale)
{
	const int rows = t->row[0] * t->row[1], columns = t->column[0] * t->column[1], lanes = t->dot ? 1 : t->lanes;
	for (int i = 0; i < rows * columns * lanes; i++) {
		const int row = i / lanes / columns, column = i / lanes % columns, lane = i % lanes;
		const int sample = column * lanes + lane;
		const real *at_a = a + place_of(row, t->row, t->a_row);
		const real *at_b = b + place_of(column, t->column, t->b_column) + lane;
		int trips[NN_TILE_SUMS], k[NN_TILE_SUMS] = {0}, s = 0;
		real *at_t = t->across ? result_at(t, result, row, 0) + (ptrdiff_t)sample * t->t_column[0]
				       : result_at(t, result, row, column) + lane;
		if (t->across && sample >= n)
			continue;
		real sum = t->adds && t->adds != NN_TILE_SCALED ? *at_t : 0;
		for (int j = 0; j < NN_TILE_SUMS; j++)
			trips[j] = trips_of(t, j, n);
		while (s < NN_TILE_SUMS) {
			ptrdiff_t of_a = 0, of_b = 0;
			for (int j = 0; j < t->n_sum; j++) {
				of_a += (ptrdiff_t)k[j] * t->a_sum[j];
				of_b += (ptrdiff_t)k[j] * t->b_sum[j];
			}
			sum += at_a[of_a] * at_b[of_b];
			for (s = 0; s < NN_TILE_SUMS && ++k[s] == trips[s]; s++)
				k[s] = 0;
		}
		*at_t = t->adds == NN_TILE_SCALED ? *at_t + scale * sum : sum;
	}
}

static tile_kernel *find_kernel(const nn_tile *t)
{
	(void)t;
	return run_any;
}

#endif

/* ---- the loops around ---- */

struct call {
	const nn_tile *tile;
	tile_kernel *kernel;
	int n, block;
	real scale;
};

static void run_loops(const struct call *c, int k, const real *a, const real *b, real *result);

/* A round of loop k, which begins at i. */
static void run_round(const struct call *c, int k, ptrdiff_t i, const real *a, const real *b, real *result)
{
	const nn_tile_loop *loop = &c->tile->loop[k];
	run_loops(c, k + 1, a + i * loop->a, b + i * loop->b, result + i * loop->t);
}

/* That of the end, with fewer of some count. */
static void run_rest(const struct call *c, int k, int i, const real *a, const real *b, real *result)
{
	const nn_tile_loop *loop = &c->tile->loop[k];
	nn_tile fewer = *c->tile;
	const struct call rest = {&fewer, c->kernel, c->n, c->block, c->scale};
	int32_t *count = loop->rest >= NN_TILE_COLUMN ? &fewer.column[loop->rest - NN_TILE_COLUMN]
						      : &fewer.row[loop->rest - NN_TILE_ROW];
	*count = (int32_t)((int64_t)(loop->end - i) * *count / loop->by);
	run_round(&rest, k, i, a, b, result);
}

static void run_loops(const struct call *c, int k, const real *a, const real *b, real *result)
{
	const nn_tile_loop *loop = &c->tile->loop[k];
	if (k == c->tile->n_loop) {
		c->kernel(c->tile, a, b, result, c->n, c->scale);
		return;
	}
	const int end = loop->end == NN_TILE_N ? c->n : loop->end == NN_TILE_BLOCK ? c->block : loop->end;
	for (int i = 0; i < end; i += loop->by)
		if (loop->rest && i > end - loop->by)
			run_rest(c, k, i, a, b, result);
		else
			run_round(c, k, i < end - loop->by ? i : end - loop->by, a, b, result);
}

void TILE_FUNCTION(run)(const nn_tile *t, const real *a, const real *b, real *result, int n, int block, real scale)
{
	run_loops(&(struct call){t, find_kernel(t), n, block, scale}, 0, a, b, result);
}

/* ---- panels ---- */

typedef float floats __attribute__((vector_size(TILE_BYTES)));
typedef double doubles __attribute__((vector_size(TILE_BYTES)));
typedef int32_t float_numbers __attribute__((vector_size(TILE_BYTES)));
typedef int64_t double_numbers __attribute__((vector_size(TILE_BYTES)));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(numbers, x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(numbers, x, y, ...) __builtin_shuffle(x, y, (numbers){__VA_ARGS__})
#endif
/* Pairs of numbers n apart, from i on: 2, 4, 8 or 16 numbers. */
#define PAIRS_2(i, n) (i), (i) + (n)
#define PAIRS_4(i, n) PAIRS_2(i, n), PAIRS_2(i + 1, n)
#define PAIRS_8(i, n) PAIRS_4(i, n), PAIRS_4(i + 2, n)
#define PAIRS_16(i, n) PAIRS_8(i, n), PAIRS_8(i + 4, n)
#if TILE_BYTES == 64
#define FLOAT_PAIRS(i) PAIRS_16(i, 16)
#define DOUBLE_PAIRS(i) PAIRS_8(i, 8)
#elif TILE_BYTES == 32
#define FLOAT_PAIRS(i) PAIRS_8(i, 8)
#define DOUBLE_PAIRS(i) PAIRS_4(i, 4)
#else
#define FLOAT_PAIRS(i) PAIRS_4(i, 4)
#define DOUBLE_PAIRS(i) PAIRS_2(i, 2)
#endif

/* The elements of the first halves of x and y in turn, or those of the second ones. */
INLINE vec interleave(vec x, vec y, bool second)
{
	enum { FLOATS = TILE_BYTES / 4, DOUBLES = TILE_BYTES / 8 };
	if (sizeof(real) == 4)
		return second ? (vec)SHUFFLE(float_numbers, (floats)x, (floats)y, FLOAT_PAIRS(FLOATS / 2))
			      : (vec)SHUFFLE(float_numbers, (floats)x, (floats)y, FLOAT_PAIRS(0));
	return second ? (vec)SHUFFLE(double_numbers, (doubles)x, (doubles)y, DOUBLE_PAIRS(DOUBLES / 2))
		      : (vec)SHUFFLE(double_numbers, (doubles)x, (doubles)y, DOUBLE_PAIRS(0));
}

/* A square, turned: its rows are interleaved until they are columns. */
INLINE void turn_square(vec row[WIDTH])
{
	vec pair[WIDTH];
	UNROLL for (int parts = 1; parts < WIDTH; parts *= 2)
	{
		UNROLL for (int i = 0; i < WIDTH / 2; i++)
		{
			pair[2 * i] = interleave(row[i], row[i + WIDTH / 2], false);
			pair[2 * i + 1] = interleave(row[i], row[i + WIDTH / 2], true);
		}
		UNROLL for (int i = 0; i < WIDTH; i++) row[i] = pair[i];
	}
}

/* Square of the elements at from[i * step + j] as to[j * width + i]; for those i that are not there, the last. */
INLINE void turn(const real *from, ptrdiff_t step, int there, real *to, ptrdiff_t width)
{
	vec row[WIDTH];
	UNROLL for (int i = 0; i < WIDTH; i++) row[i] = *(const vec *)(from + (i < there ? i : there - 1) * step);
	turn_square(row);
	UNROLL for (int i = 0; i < WIDTH; i++) * (vec *)(to + i * width) = row[i];
}

void TILE_FUNCTION(turn)(const nn_tile *t, const real *sums, real *result, int n)
{
	const int rows = t->row[0], lanes = t->lanes;
	for (int c = 0; c < t->column[0] && c * lanes < n; c++) {
		real *to = result + (ptrdiff_t)c * lanes * t->t_column[0];
		const int there = n - c * lanes < lanes ? n - c * lanes : lanes;
		for (int r = 0; r < rows; r += WIDTH) {
			const lanes_mask mask = first_lanes(rows - r < WIDTH ? rows - r : WIDTH);
			vec row[WIDTH];
			UNROLL for (int i = 0; i < WIDTH; i++) row[i] =
				*(const vec *)(sums + (c * rows + r + i) * lanes);
			turn_square(row);
			UNROLL for (int i = 0; i < WIDTH; i++) if (i < there)
				store_part(to + (ptrdiff_t)i * t->t_column[0] + r, row[i], mask);
		}
	}
}

/* n elements; rows are short, and most a multiple of a vector. */
INLINE void copy_row(real *to, const real *from, int n)
{
	int i = 0;
	for (; i + WIDTH <= n; i += WIDTH)
		*(vec *)(to + i) = *(const vec *)(from + i);
	for (; i < n; i++)
		to[i] = from[i];
}

/* The innermost loop of a panel. */
static void fill_steps(const nn_panel *p, const real *from, real *to, int trips, int there)
{
	const int width = p->run * p->groups;
	const ptrdiff_t step = p->step[NN_TILE_SUMS - 1];
	const bool squares = p->turned && p->run % WIDTH == 0 && trips >= WIDTH;
	for (int k0 = 0; k0 < trips && squares; k0 += WIDTH) {
		const int k = k0 < trips - WIDTH ? k0 : trips - WIDTH;
		for (int i = 0; i < p->groups; i++)
			for (int j = 0; j < p->run; j += WIDTH)
				turn(from + k + (ptrdiff_t)(j < there ? j : there - 1) * p->place +
					     (ptrdiff_t)i * p->group,
				     p->place, there - j > 1 ? there - j : 1,
				     to + (ptrdiff_t)k * width + i * p->run + j, width);
	}
	for (int k = 0; k < trips && !squares; k++)
		for (int i = 0; i < p->groups; i++, to += p->run) {
			const real *at = from + k * step + (ptrdiff_t)i * p->group;
			if (p->place == 1 && !p->across)
				copy_row(to, at, p->run);
			for (int j = 0; j < p->run && (p->place != 1 || p->across); j++)
				to[j] = at[(ptrdiff_t)(j < there ? j : there - 1) * p->place];
		}
}

void TILE_FUNCTION(fill)(const nn_panel *p, const real *from, real *to, int n)
{
	int trips[NN_TILE_SUMS];
	for (int k = 0; k < NN_TILE_SUMS; k++)
		trips[k] = p->k[k] == NN_TILE_N ? n : p->k[k];
	const ptrdiff_t size = (ptrdiff_t)p->run * p->groups * trips[NN_TILE_SUMS - 1];
	const int there = p->across && n < p->run ? n : p->run;
	for (int k0 = 0; k0 < trips[0]; k0++)
		for (int k1 = 0; k1 < trips[1]; k1++)
			for (int k2 = 0; k2 < trips[2]; k2++, to += size)
				fill_steps(p,
					   from + (ptrdiff_t)k0 * p->step[0] + (ptrdiff_t)k1 * p->step[1] +
						   (ptrdiff_t)k2 * p->step[2],
					   to, trips[NN_TILE_SUMS - 1], there);
}
