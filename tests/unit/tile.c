/* tile.c - tiles of every size and every instruction set that this processor can run, as code of their own and without,
 * against plain loops: random steps, windows that overlap, loops whose ends no tile divides, smaller tiles at their
 * ends, vectors across samples, and arrays that end where a page ends that may not be read. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "tile_code.h"

typedef void run_float(const nn_tile *t, const float *a, const float *b, float *result, int n, int block, float scale);
typedef void run_double(const nn_tile *t, const double *a, const double *b, double *result, int n, int block,
			double scale);

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

/* The call's n and block; its scale is -0.25, so that products with it are exact. */
enum { ROWS = 3, BLOCK = 4 };
#define SCALE (-0.25)

static int real_end(int end) { return end == NN_TILE_N ? ROWS : end == NN_TILE_BLOCK ? BLOCK : end; }

static void run(const nn_tile *t, const struct guarded *a, const struct guarded *b, struct guarded *result)
{
	if (a->real == sizeof(float))
		((run_float *)t->run)(t, (float *)a->at, (float *)b->at, (float *)result->at, ROWS, BLOCK,
				      (float)SCALE);
	else
		((run_double *)t->run)(t, (double *)a->at, (double *)b->at, (double *)result->at, ROWS, BLOCK, SCALE);
}

static ptrdiff_t place_of(int i, const int32_t split[2], const int32_t step[2])
{
	return (ptrdiff_t)(i % split[0]) * step[0] + (ptrdiff_t)(i / split[0]) * step[1];
}

/* The next numbers of a nest of counters, the first of which is the fastest; false: these were the last. */
static bool count_on(int *at, const int *end, int n)
{
	for (int k = 0; k < n; k++) {
		if (++at[k] < end[k])
			return true;
		at[k] = 0;
	}
	return false;
}

/* One element by plain loops, in the reals of the model; *size: the sum of all magnitudes. */
static double plain(const nn_tile *t, ptrdiff_t at_a, ptrdiff_t at_b, const struct guarded *a, const struct guarded *b,
		    double start, double *size)
{
	int k[NN_TILE_SUMS] = {0}, end[NN_TILE_SUMS];
	double sum = start;
	*size = fabs(start);
	for (int i = 0; i < t->n_sum; i++)
		end[i] = real_end(t->trips[i]);
	do {
		ptrdiff_t of_a = at_a, of_b = at_b;
		for (int i = 0; i < t->n_sum; i++) {
			of_a += (ptrdiff_t)k[i] * t->a_sum[i];
			of_b += (ptrdiff_t)k[i] * t->b_sum[i];
		}
		double x = value(a, of_a), y = value(b, of_b);
		if (a->real == sizeof(float))
			sum = (double)((float)sum + (float)((float)x * (float)y));
		else
			sum += x * y;
		*size += fabs(x * y);
	} while (count_on(k, end, t->n_sum));
	return sum;
}

/* Samples that a tile of these has where it lies across them: all, or not. */
static int across_samples(const nn_tile *t) { return ROWS < t->lanes * t->column[0] ? ROWS : t->lanes * t->column[0]; }

/* Across samples: rows lie side by side, samples apart, and sums do not add to what is there. */
static void lie_across(nn_tile *t, ptrdiff_t reach[3])
{
	t->across = 1;
	t->adds = 0;
	t->t_row[0] = 1;
	t->t_column[0] = t->row[0] + draw(5);
	reach[2] = (ptrdiff_t)t->t_column[0] * (across_samples(t) - 1) + t->row[0];
}

/* One more loop, along a count of the tile: its end has a smaller one. */
static void add_rest(nn_tile *t, ptrdiff_t reach[3])
{
	const int rest = NN_TILE_ROW + draw(4),
		  of = rest >= NN_TILE_COLUMN ? rest - NN_TILE_COLUMN : rest - NN_TILE_ROW;
	const int count = rest >= NN_TILE_COLUMN ? t->column[of] : t->row[of],
		  unit = rest == NN_TILE_COLUMN ? t->lanes : 1;
	const int end = (1 + draw(3 * count)) * unit;
	nn_tile_loop *loop = &t->loop[t->n_loop++];
	*loop = (nn_tile_loop){end, count * unit, draw(9), draw(9), (int32_t)reach[2], rest};
	reach[0] += (end - 1) * (ptrdiff_t)loop->a;
	reach[1] += (end - 1) * (ptrdiff_t)loop->b;
	reach[2] *= end;
}

/* A random problem for a tile of a size: sums, loops and steps, and how far they reach. Results lie apart: each index
 * that moves them goes on where all those before it end. */
static void make_problem(nn_tile *t, int width, bool code, ptrdiff_t reach[3])
{
	const int wide = t->dot ? 1 : t->lanes;
	t->n_sum = t->dot + draw(NN_TILE_SUMS + 1 - t->dot);
	t->n_loop = draw(3);
	t->adds = t->dot ? 0 : draw(3); /* NN_TILE_SCALED among them */
	reach[0] = 1;
	reach[1] = reach[2] = wide;
	for (int i = 0; i < t->n_sum; i++) {
		const bool last = i + 1 == t->n_sum, inner = t->dot && i == 0;
		t->trips[i] = inner ? t->lanes + draw(2 * width) : last && draw(2) ? NN_TILE_N : 1 + draw(i ? 2 : 12);
		t->a_sum[i] = inner ? 1 : draw(30);
		t->b_sum[i] = inner ? 1 : draw(30);
		reach[0] += (real_end(t->trips[i]) - 1) * (ptrdiff_t)t->a_sum[i];
		reach[1] += (real_end(t->trips[i]) - 1) * (ptrdiff_t)t->b_sum[i];
	}
	t->b_column[0] = t->t_column[0] = wide;
	if (t->dot) {
		t->b_column[0] = draw(60);
		t->t_row[0] = 1; /* they lie side by side along rows, or along columns */
		reach[2] = t->row[0];
		t->t_column[0] = (int32_t)reach[2];
		if (draw(2)) {
			t->t_column[0] = 1;
			t->t_row[0] = t->column[0];
		}
		reach[2] = (ptrdiff_t)t->row[0] * t->column[0];
	} else {
		reach[2] = (ptrdiff_t)t->column[0] * wide;
		t->t_row[0] = (int32_t)reach[2] + draw(20);
		reach[2] = (ptrdiff_t)t->t_row[0] * t->row[0];
	}
	if (code && !t->dot && t->row[1] == 1 && t->column[1] == 1 && draw(3) == 0)
		lie_across(t, reach);
	t->t_row[1] = (int32_t)reach[2];
	reach[2] *= t->row[1];
	t->t_column[1] = (int32_t)reach[2];
	reach[2] *= t->column[1];
	for (int k = 0; k < 2; k++) {
		t->a_row[k] = draw(60);
		t->b_column[k] = k ? draw(60) : t->b_column[k];
		reach[0] += (ptrdiff_t)(t->row[k] - 1) * t->a_row[k];
		reach[1] += (ptrdiff_t)(t->column[k] - 1) * t->b_column[k];
	}
	for (int k = 0; k < t->n_loop; k++) {
		const int kind = draw(4), end = kind == 0 ? NN_TILE_N : kind == 1 ? NN_TILE_BLOCK : 2 + draw(2);
		t->loop[k] = (nn_tile_loop){end, t->adds ? 1 : 1 + draw(2), draw(20), draw(20), (int32_t)reach[2]};
		reach[0] += (real_end(end) - 1) * (ptrdiff_t)t->loop[k].a;
		reach[1] += (real_end(end) - 1) * (ptrdiff_t)t->loop[k].b;
		reach[2] *= real_end(end);
	}
	t->ahead = t->dot ? 0 : draw(6);
	t->ask = t->n_loop && !t->ahead && !t->dot && draw(2) ? 1 + draw(20) : 0;
	if (code && !t->dot && !t->across && draw(2))
		add_rest(t, reach);
}

/* The tile that begins here, against plain loops. */
static void check_tile(const struct tile_set *set, const nn_tile *t, const ptrdiff_t start[3], const struct guarded *a,
		       const struct guarded *b, const struct guarded *before, const struct guarded *result,
		       bool *written)
{
	const int rows = t->row[0] * t->row[1], columns = t->column[0] * t->column[1], lanes = t->dot ? 1 : t->lanes;
	const bool exact = strcmp(set->instructions, "base") == 0 && !t->dot;
	for (int i = 0; i < rows * columns * lanes; i++) {
		const int row = i / lanes / columns, column = i / lanes % columns, lane = i % lanes;
		const int sample = column * lanes + lane;
		const ptrdiff_t at = start[2] + place_of(row, t->row, t->t_row) +
				     (t->across ? (ptrdiff_t)sample * t->t_column[0]
						: place_of(column, t->column, t->t_column) + lane);
		if (t->across && sample >= ROWS)
			continue;
		double size, want = plain(t, start[0] + place_of(row, t->row, t->a_row),
					  start[1] + place_of(column, t->column, t->b_column) + lane, a, b,
					  t->adds == 1 ? value(before, at) : 0, &size);
		if (t->adds == NN_TILE_SCALED)
			want = a->real == sizeof(float) ? (double)(float)(value(before, at) + SCALE * want)
							: value(before, at) + SCALE * want;
		size += fabs(value(before, at));
		double limit = exact ? 0 : size * (a->real == sizeof(float) ? 4e-6 : 4e-15);
		written[at] = true;
		ck_assert_msg(fabs(value(result, at) - want) <= limit,
			      "%s, %d bytes, %d x %d of %d%s: %.17g, not %.17g", set->instructions, (int)a->real, rows,
			      columns, lanes, t->dot ? " dot" : "", value(result, at), want);
	}
}

static void check_problem(const struct tile_set *set, size_t real, nn_tile t)
{
	ptrdiff_t reach[3];
	make_problem(&t, set->width, set->makes_code, reach);
	struct tile_code code = make_tile_code(set, &t, 1);
	ck_assert(!set->makes_code || code.at);
	for (int k = 0; k < 2; k++) {
		struct guarded a = make_guarded(reach[0], real), b = make_guarded(reach[1], real);
		struct guarded result = make_guarded(reach[2], real), before = result;
		int at[NN_TILE_LOOPS] = {0}, end[NN_TILE_LOOPS];
		bool *written = calloc(result.n, sizeof *written);
		before.at = malloc(before.n * real);
		memcpy(before.at, result.at, before.n * real);
		run(&t, &a, &b, &result);
		for (int i = 0; i < t.n_loop; i++)
			end[i] = (real_end(t.loop[i].end) + t.loop[i].by - 1) / t.loop[i].by;
		do {
			ptrdiff_t start[3] = {0};
			nn_tile here = t;
			for (int i = 0; i < t.n_loop; i++) {
				const int last = real_end(t.loop[i].end) - t.loop[i].by, by = at[i] * t.loop[i].by;
				const int from = by < last || t.loop[i].rest ? by : last, rest = t.loop[i].rest;
				if (rest && by > last) {
					int32_t *count = rest >= NN_TILE_COLUMN ? &here.column[rest - NN_TILE_COLUMN]
										: &here.row[rest - NN_TILE_ROW];
					*count = (t.loop[i].end - by) * *count / t.loop[i].by;
				}
				start[0] += (ptrdiff_t)from * t.loop[i].a;
				start[1] += (ptrdiff_t)from * t.loop[i].b;
				start[2] += (ptrdiff_t)from * t.loop[i].t;
			}
			check_tile(set, &here, start, &a, &b, &before, &result, written);
		} while (count_on(at, end, t.n_loop));
		for (size_t i = 0; i < before.n; i++)
			ck_assert(written[i] || value(&result, (ptrdiff_t)i) == value(&before, (ptrdiff_t)i));
		free(written);
		free(before.at);
		munmap(a.map, a.size);
		munmap(b.map, b.size);
		munmap(result.map, result.size);
		t.run = set->run; /* and where no code can be made */
	}
	free_tile_code(code);
}

/* A side as one index or two. */
static void split(int n, int32_t side[2])
{
	side[0] = n;
	side[1] = 1;
	if (n % 2 == 0 && draw(2))
		side[0] = n / 2, side[1] = 2;
}

START_TEST(sizes)
{
	const size_t real = _i % 2 ? sizeof(double) : sizeof(float);
	const struct tile_set *set = find_tile_set(real, names[_i / 2]);
	seed = (uint64_t)_i + 1;
	if (!set)
		return;
	const int most_rows[2] = {set->makes_code ? 28 : NN_TILE_ROWS, set->makes_code ? 28 : NN_DOT_ROWS};
	const int most_columns[2] = {set->makes_code ? 28 : NN_TILE_VECTORS, set->makes_code ? 28 : NN_DOT_VECTORS};
	for (int dot = 0; dot < 2; dot++)
		for (int rows = 1; rows <= most_rows[dot]; rows++)
			for (int columns = 1; columns <= most_columns[dot]; columns++)
				for (int lanes = set->width;
				     lanes * (int)real >= 16 && rows * columns + columns + 1 <= set->registers;
				     lanes /= 2) {
					nn_tile t = {.dot = dot, .lanes = lanes};
					split(rows, t.row);
					split(columns, t.column);
					check_problem(set, real, t);
				}
}
END_TEST

/* Where a step has no room in an instruction, the tile still has a function. */
START_TEST(large)
{
	const struct tile_set *set = find_tile_set(sizeof(float), NULL);
	nn_tile t = {.lanes = set->width, .row = {2, 1}, .column = {1, 1}, .a_row = {1 << 30}};
	struct tile_code code = make_tile_code(set, &t, 1);
	ck_assert_ptr_null(code.at);
	ck_assert(t.run == set->run);
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
	tcase_add_loop_test(all, sizes, 0, 2 * NAMES);
	tcase_add_test(all, large);
	tcase_add_test(all, choice);
	return run_tests("tile", (TCase *[]){all, NULL});
}
