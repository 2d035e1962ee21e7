/* tile_kernels.c - the tiles of tile.h for one instruction set and one type of reals.
 *
 * The Makefile compiles this file once for each of them. A kernel is made for every pair of rows and vectors that fits
 * the registers. Its accumulators are an array all of whose indices are known while compiling, so that each of them
 * becomes a register. Nothing is unrolled over k, which would gain nothing. */
#include "tile_kernels.h"

/* One step of k. rows and vectors are literals; mask tells the lanes of the last vector. Of the two operands
 * the one with fewer values is held in registers, the other streamed past it. */
INLINE void add_step(const int rows, const int vectors, const real *const row[], const real *const column[],
		     ptrdiff_t s, ptrdiff_t v, lanes_mask mask, vec sum[][NN_TILE_VECTORS])
{
#define LOAD_COLUMN(j) (j + 1 < vectors ? *(const vec *)(column[j] + v) : load_part(column[j] + v, mask))
	if (rows >= vectors) {
		vec held[NN_TILE_VECTORS];
		UNROLL for (int j = 0; j < vectors; j++) held[j] = LOAD_COLUMN(j);
		UNROLL for (int i = 0; i < rows; i++)
		{
			const real factor = row[i][s];
			UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += factor * held[j];
		}
	} else {
		real held[NN_TILE_ROWS];
		UNROLL for (int i = 0; i < rows; i++) held[i] = row[i][s];
		UNROLL for (int j = 0; j < vectors; j++)
		{
			const vec streamed = LOAD_COLUMN(j);
			UNROLL for (int i = 0; i < rows; i++) sum[i][j] += held[i] * streamed;
		}
	}
#undef LOAD_COLUMN
}

INLINE void run_tile(const int rows, const int vectors, const nn_tile *t, const real *scalar, const real *vector,
		     real *result)
{
	const real *row[NN_TILE_ROWS], *column[NN_TILE_VECTORS];
	vec sum[NN_TILE_ROWS][NN_TILE_VECTORS];
	const lanes_mask mask = first_lanes(t->lanes);
	const ptrdiff_t scalar_k = t->scalar_k[2], vector_k = t->vector_k[2];
	const int k0_end = t->k[0], k1_end = t->k[1], k_end = t->k[2];
	UNROLL for (int j = 0; j < vectors; j++) column[j] = vector + t->vector[j];
	UNROLL for (int i = 0; i < rows; i++)
	{
		row[i] = scalar + t->scalar[i];
		UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (vec){0};
	}
	for (int k0 = 0; k0 < k0_end; k0++)
		for (int k1 = 0; k1 < k1_end; k1++) {
			ptrdiff_t s = k0 * t->scalar_k[0] + k1 * t->scalar_k[1];
			ptrdiff_t v = k0 * t->vector_k[0] + k1 * t->vector_k[1];
			for (int k = 0; k < k_end; k++, s += scalar_k, v += vector_k)
				add_step(rows, vectors, row, column, s, v, mask, sum);
		}
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
	{
		real *at = result + t->result_row[i] + t->result_vector[j];
		if (t->accumulate)
			sum[i][j] += j + 1 < vectors ? *(const vec *)at : load_part(at, mask);
		if (j + 1 < vectors)
			*(vec *)at = sum[i][j];
		else
			store_part(at, sum[i][j], mask);
	}
}

typedef void tile_kernel(const nn_tile *t, const real *scalar, const real *vector, real *result);

#define KERNEL(rows, vectors)                                                                                          \
	static void tile_##rows##x##vectors(const nn_tile *t, const real *scalar, const real *vector, real *result)    \
	{                                                                                                              \
		run_tile(rows, vectors, t, scalar, vector, result);                                                    \
	}
#define ENTRY(rows, vectors) [rows][vectors] = tile_##rows##x##vectors,

/* All pairs with rows * vectors + min(rows, vectors) + 1 <= TILE_REGISTERS for which tile.h has room. */
#define ROWS_2(X, v) X(1, v) X(2, v)
#define ROWS_3(X, v) ROWS_2(X, v) X(3, v)
#define ROWS_4(X, v) ROWS_3(X, v) X(4, v)
#define ROWS_5(X, v) ROWS_4(X, v) X(5, v)
#define ROWS_6(X, v) ROWS_5(X, v) X(6, v)
#define ROWS_9(X, v) ROWS_6(X, v) X(7, v) X(8, v) X(9, v)
#define ROWS_14(X, v) ROWS_9(X, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
#define ROWS_16(X, v) ROWS_14(X, v) X(15, v) X(16, v)
#if TILE_REGISTERS >= 32
#define PAIRS(X) ROWS_16(X, 1) ROWS_14(X, 2) ROWS_9(X, 3) ROWS_6(X, 4) ROWS_5(X, 5) ROWS_4(X, 6)
#else
#define PAIRS(X) ROWS_14(X, 1) ROWS_6(X, 2) ROWS_4(X, 3) ROWS_3(X, 4) ROWS_2(X, 5) ROWS_2(X, 6)
#endif

PAIRS(KERNEL)

static tile_kernel *const kernels[NN_TILE_ROWS + 1][NN_TILE_VECTORS + 1] = {PAIRS(ENTRY)};

void TILE_FUNCTION(run)(const nn_tile *t, const real *scalar, const real *vector, real *result)
{
	tile_kernel *kernel = kernels[t->rows][t->vectors];
	for (int i = 0; i < t->count; i++)
		kernel(t, scalar + i * t->scalar_step, vector + i * t->vector_step, result + i * t->result_step);
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

/* Square of the elements at from[i * step + j] as to[j * width + i]: rows are interleaved until they are columns. */
INLINE void turn(const real *from, ptrdiff_t step, real *to, ptrdiff_t width)
{
	vec row[WIDTH], pair[WIDTH];
	UNROLL for (int i = 0; i < WIDTH; i++) row[i] = *(const vec *)(from + i * step);
	UNROLL for (int parts = 1; parts < WIDTH; parts *= 2)
	{
		UNROLL for (int i = 0; i < WIDTH / 2; i++)
		{
			pair[2 * i] = interleave(row[i], row[i + WIDTH / 2], false);
			pair[2 * i + 1] = interleave(row[i], row[i + WIDTH / 2], true);
		}
		UNROLL for (int i = 0; i < WIDTH; i++) row[i] = pair[i];
	}
	UNROLL for (int i = 0; i < WIDTH; i++) *(vec *)(to + i * width) = row[i];
}

void TILE_FUNCTION(fill)(const nn_panel *p, const real *from, real *to)
{
	const int width = p->run * p->groups, k_end = p->k[2];
	for (int k0 = 0; k0 < p->k[0]; k0++)
		for (int k1 = 0; k1 < p->k[1]; k1++, to += (ptrdiff_t)width * k_end) {
			const real *at = from + k0 * p->step[0] + k1 * p->step[1];
			for (int k2 = 0; k2 < k_end && p->turned; k2 += WIDTH) {
				const int k = k2 < k_end - WIDTH ? k2 : k_end - WIDTH;
				for (int i = 0; i < width; i += WIDTH)
					turn(at + k + i % p->run * p->place + i / p->run * p->group, p->place,
					     to + (ptrdiff_t)k * width + i, width);
			}
			for (int k = 0; k < k_end && !p->turned; k++)
				for (int i = 0; i < p->groups; i++)
					memcpy(to + (ptrdiff_t)k * width + i * p->run,
					       at + k * p->step[2] + i * p->group, (size_t)p->run * sizeof(real));
		}
}

/* ---- dot products ---- */

/* The lanes added in pairs, halves apart: by shorter and shorter vectors. */
INLINE real add_lanes(vec v)
{
	typedef real quarter __attribute__((vector_size(16)));
	quarter part[TILE_BYTES / 16];
	real lane[16 / sizeof(real)];
	memcpy(part, &v, sizeof part);
	UNROLL for (int n = TILE_BYTES / 32; n > 0; n /= 2) UNROLL for (int i = 0; i < n; i++) part[i] += part[i + n];
	memcpy(lane, part, sizeof lane);
	return sizeof(real) == 8
		       ? lane[0] + lane[1]
		       : (lane[0] + lane[2 % (16 / sizeof(real))]) + (lane[1] + lane[3 % (16 / sizeof(real))]);
}

/* In a register: gcc would load it again for every product. */
INLINE vec held(vec v)
{
#if TILE_BYTES >= 32
	__asm__("" : "+v"(v));
#endif
	return v;
}

INLINE void run_dot(const int rows, const int columns, const nn_tile *t, const real *scalar, const real *vector,
		    real *result)
{
	vec sum[NN_DOT_ROWS][NN_DOT_VECTORS], left[NN_DOT_VECTORS];
	const int k_end = t->k[2], rest = k_end % WIDTH;
	const lanes_mask mask = first_lanes(rest);
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) sum[i][j] = (vec){0};
	for (int k0 = 0; k0 < t->k[0]; k0++)
		for (int k1 = 0; k1 < t->k[1]; k1++) {
			const real *s = scalar + k0 * t->scalar_k[0] + k1 * t->scalar_k[1];
			const real *v = vector + k0 * t->vector_k[0] + k1 * t->vector_k[1];
			int k = 0;
			for (; k + WIDTH <= k_end; k += WIDTH) {
				UNROLL for (int j = 0; j < columns; j++) left[j] = *(const vec *)(v + t->vector[j] + k);
				UNROLL for (int i = 0; i < rows; i++)
				{
					const vec right = held(*(const vec *)(s + t->scalar[i] + k));
					UNROLL for (int j = 0; j < columns; j++) sum[i][j] += right * left[j];
				}
			}
			if (!rest)
				continue;
			UNROLL for (int j = 0; j < columns; j++) left[j] = load_part(v + t->vector[j] + k, mask);
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) sum[i][j] +=
				load_part(s + t->scalar[i] + k, mask) * left[j];
		}
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
	{
		real *at = result + t->result_row[i] + t->result_vector[j], total = add_lanes(sum[i][j]);
		*at = t->accumulate ? *at + total : total;
	}
}

#define DOT(rows, vectors)                                                                                             \
	static void dot_##rows##x##vectors(const nn_tile *t, const real *scalar, const real *vector, real *result)     \
	{                                                                                                              \
		run_dot(rows, vectors, t, scalar, vector, result);                                                     \
	}
#define DOT_ENTRY(rows, vectors) [rows][vectors] = dot_##rows##x##vectors,
/* Few registers hold few of these: who chooses counts them. */
#define ROWS_8(X, v) ROWS_6(X, v) X(7, v) X(8, v)
#define DOT_PAIRS(X) ROWS_8(X, 1) ROWS_8(X, 2) ROWS_8(X, 3)

DOT_PAIRS(DOT)

static tile_kernel *const dots[NN_DOT_ROWS + 1][NN_DOT_VECTORS + 1] = {DOT_PAIRS(DOT_ENTRY)};

void TILE_FUNCTION(dot)(const nn_tile *t, const real *scalar, const real *vector, real *result)
{
	tile_kernel *kernel = dots[t->rows][t->vectors];
	for (int i = 0; i < t->count; i++)
		kernel(t, scalar + i * t->scalar_step, vector + i * t->vector_step, result + i * t->result_step);
}
