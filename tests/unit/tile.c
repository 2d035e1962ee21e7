/* tile.c - every kernel of every instruction set that this processor can run, against plain loops: random steps and
 * offsets, windows that overlap, and arrays that end where a page ends that may not be read. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "tile_set.h"

typedef void run_float(const nn_tile *t, const float *scalar, const float *vector, float *result);
typedef void run_double(const nn_tile *t, const double *scalar, const double *vector, double *result);

static const char *const names[] = {"base", "avx2", "avx512"};
enum { NAMES = sizeof names / sizeof names[0] };

static uint64_t seed;

/* 0 .. n - 1 */
static int draw(int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (int)((seed >> 33) % (unsigned)n);
}

/* An array of n reals, the last of which is the last of its page; the next page is closed. */
struct guarded {
	char *map, *at;
	size_t size, n, real;
};

static struct guarded make_guarded(ptrdiff_t n, size_t real)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size_t)n * real;
	struct guarded g = {.size = (bytes + page - 1) / page * page + page, .n = (size_t)n, .real = real};
	g.map = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(g.map != MAP_FAILED);
	ck_assert_int_eq(mprotect(g.map + g.size - page, page, PROT_NONE), 0);
	g.at = g.map + g.size - page - bytes;
	for (size_t i = 0; i < g.n; i++) {
		double value = draw(2001) / 1000.0 - 1;
		if (real == sizeof(float))
			((float *)g.at)[i] = (float)value;
		else
			((double *)g.at)[i] = value;
	}
	return g;
}

static double value(const struct guarded *g, ptrdiff_t i)
{
	return g->real == sizeof(float) ? (double)((float *)g->at)[i] : ((double *)g->at)[i];
}

static void run_set(const struct tile_set *set, bool dot, const nn_tile *t, const struct guarded *scalar,
		    const struct guarded *vector, struct guarded *result)
{
	tile_function *function = dot ? set->dot : set->run;
	if (scalar->real == sizeof(float))
		((run_float *)function)(t, (float *)scalar->at, (float *)vector->at, (float *)result->at);
	else
		((run_double *)function)(t, (double *)scalar->at, (double *)vector->at, (double *)result->at);
}

/* One element by plain loops, in the reals of the model; *size: the sum of all magnitudes. lane: of the vector operand;
 * or -1, a dot product. */
static double plain(const nn_tile *t, int step, int row, int column, int lane, const struct guarded *scalar,
		    const struct guarded *vector, double start, double *size)
{
	ptrdiff_t s0 = step * t->scalar_step + t->scalar[row];
	ptrdiff_t v0 = step * t->vector_step + t->vector[column] + (lane < 0 ? 0 : lane);
	double sum = 0;
	*size = fabs(start);
	for (int a = 0; a < t->k[0]; a++)
		for (int b = 0; b < t->k[1]; b++)
			for (int c = 0; c < t->k[2]; c++) {
				ptrdiff_t s = s0 + a * t->scalar_k[0] + b * t->scalar_k[1] + c * t->scalar_k[2];
				ptrdiff_t v = v0 + a * t->vector_k[0] + b * t->vector_k[1] + c * t->vector_k[2];
				double x = value(scalar, s), y = value(vector, v);
				if (scalar->real == sizeof(float))
					sum = (double)((float)sum + (float)((float)x * (float)y));
				else
					sum += x * y;
				*size += fabs(x * y);
			}
	if (!t->accumulate)
		return sum;
	return scalar->real == sizeof(float) ? (double)((float)sum + (float)start) : sum + start;
}

/* A random problem for one kernel: loops and offsets, and how far they reach. */
static void make_problem(nn_tile *t, int width, bool dot, ptrdiff_t reach[3])
{
	t->accumulate = draw(2);
	t->count = 1 + draw(3);
	t->lanes = dot ? width : 1 + draw(width);
	for (int i = 0; i < NN_TILE_LOOPS; i++) {
		t->k[i] = draw(4) ? 1 + draw(i == 2 ? 40 : 3) : 1;
		t->scalar_k[i] = dot && i == 2 ? 1 : draw(30);
		t->vector_k[i] = dot && i == 2 ? 1 : draw(30);
	}
	for (int i = 0; i < t->rows; i++)
		t->scalar[i] = draw(60);
	for (int j = 0; j < t->vectors; j++)
		t->vector[j] = draw(60);
	int wide = dot ? 1 : width;
	for (int i = 0; i < t->rows; i++) /* results lie apart */
		t->result_row[i] = i * (t->vectors * wide + draw(3) * width);
	for (int i = 1; i < t->rows; i++)
		t->result_row[i] = t->result_row[i - 1] + t->vectors * wide + draw(20);
	for (int j = 0; j < t->vectors; j++)
		t->result_vector[j] = j * wide;
	t->scalar_step = draw(50);
	t->vector_step = draw(50);
	t->result_step = t->result_row[t->rows - 1] + t->vectors * wide;
	reach[0] = reach[1] = 0;
	for (int i = 0; i < NN_TILE_LOOPS; i++) {
		reach[0] += (t->k[i] - 1) * t->scalar_k[i];
		reach[1] += (t->k[i] - 1) * t->vector_k[i];
	}
	ptrdiff_t most = 0, last = 0;
	for (int i = 0; i < t->rows; i++)
		most = t->scalar[i] > most ? t->scalar[i] : most;
	for (int j = 0; j < t->vectors; j++) {
		ptrdiff_t end = t->vector[j] + (dot ? 1 : j + 1 < t->vectors ? width : t->lanes);
		last = end > last ? end : last;
	}
	reach[0] += (t->count - 1) * t->scalar_step + most + 1;
	reach[1] += (t->count - 1) * t->vector_step + last;
	reach[2] = t->count * t->result_step - (dot ? 0 : width - t->lanes);
}

static void check_problem(const struct tile_set *set, size_t real, bool dot, int rows, int vectors)
{
	nn_tile t = {.rows = rows, .vectors = vectors};
	ptrdiff_t reach[3];
	make_problem(&t, set->width, dot, reach);
	struct guarded scalar = make_guarded(reach[0], real), vector = make_guarded(reach[1], real);
	struct guarded result = make_guarded(reach[2], real), before = result;
	before.at = malloc(before.n * real);
	memcpy(before.at, result.at, before.n * real);
	bool *written = calloc(before.n, sizeof *written);
	run_set(set, dot, &t, &scalar, &vector, &result);
	for (int step = 0; step < t.count; step++)
		for (int i = 0; i < rows; i++)
			for (int j = 0; j < vectors; j++)
				for (int lane = 0; lane < (dot ? 1 : j + 1 == vectors ? t.lanes : set->width); lane++) {
					ptrdiff_t at =
						step * t.result_step + t.result_row[i] + t.result_vector[j] + lane;
					double size, want = plain(&t, step, i, j, dot ? -1 : lane, &scalar, &vector,
								  value(&before, at), &size);
					double limit = strcmp(set->instructions, "base") == 0 && !dot
							       ? 0
							       : size * (real == sizeof(float) ? 1e-6 : 1e-15);
					written[at] = true;
					ck_assert_msg(fabs(value(&result, at) - want) <= limit,
						      "%s, %d bytes, %d x %d%s: %.17g, not %.17g", set->instructions,
						      (int)real, rows, vectors, dot ? " dot" : "", value(&result, at),
						      want);
				}
	for (size_t i = 0; i < before.n; i++)
		ck_assert(written[i] || value(&result, (ptrdiff_t)i) == value(&before, (ptrdiff_t)i));
	free(written);
	free(before.at);
	munmap(scalar.map, scalar.size);
	munmap(vector.map, vector.size);
	munmap(result.map, result.size);
}

START_TEST(kernels)
{
	size_t real = _i % 2 ? sizeof(double) : sizeof(float);
	const struct tile_set *set = find_tile_set(real, names[_i / 2]);
	seed = (uint64_t)_i + 1;
	if (!set)
		return;
	for (int rows = 1; rows <= NN_TILE_ROWS; rows++)
		for (int vectors = 1; vectors <= NN_TILE_VECTORS; vectors++)
			if (rows * vectors + (rows < vectors ? rows : vectors) + 1 <= set->registers)
				for (int i = 0; i < 5; i++)
					check_problem(set, real, false, rows, vectors);
	for (int rows = 1; rows <= NN_DOT_ROWS; rows++)
		for (int vectors = 1; vectors <= NN_DOT_VECTORS; vectors++)
			for (int i = 0; i < 5; i++)
				check_problem(set, real, true, rows, vectors);
}
END_TEST

START_TEST(choice)
{
	ck_assert_ptr_eq(select_tile_set(sizeof(float), true), find_tile_set(sizeof(float), "base"));
	ck_assert_ptr_eq(select_tile_set(sizeof(double), false), find_tile_set(sizeof(double), NULL));
	ck_assert_ptr_null(find_tile_set(sizeof(float), "mmx"));
	ck_assert_int_eq(find_tile_set(sizeof(float), "base")->width, 4);
	ck_assert_int_eq(find_tile_set(sizeof(double), "base")->width, 2);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("all");
	tcase_add_loop_test(all, kernels, 0, 2 * NAMES);
	tcase_add_test(all, choice);
	return run_tests("tile", (TCase *[]){all, NULL});
}
