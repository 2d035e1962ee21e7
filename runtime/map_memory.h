/* map_memory.h - instructions of a map that load and store strips: rows of any steps, what lies beyond an edge, and
 * elements at places that are computed. Part of map_kernels.c. */
#ifndef NNR_MAP_MEMORY_H
#define NNR_MAP_MEMORY_H

#include "map_frame.h"

INLINE void every_second(real *to, const real *from, int n)
{
	int i = 0;
#if TILE_BYTES == 64
	if (sizeof(real) == 4) {
		const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
		for (; i < n; i += WIDTH) {
			const int rest = n - i, span = 2 * rest - 1, high = span - WIDTH;
			const vec a = load_part(from + 2 * i, first_lanes(span < WIDTH ? span : WIDTH));
			const vec b = load_part(from + 2 * i + WIDTH,
						first_lanes(high < 0 ? 0 : high < WIDTH ? high : WIDTH));
			store_part(to + i, (vec)_mm512_permutex2var_ps((__m512)a, even, (__m512)b),
				   first_lanes(rest < WIDTH ? rest : WIDTH));
		}
	}
#endif
	for (; i < n; i++)
		to[i] = from[2 * i];
}

/* n elements, `step` apart, one after the other. */
INLINE void gather_row(real *to, const real *from, int n, ptrdiff_t step)
{
	int i = 0;
	if (step == 1) {
		for (; i + WIDTH <= n; i += WIDTH)
			*(vec *)(to + i) = *(const vec *)(from + i);
		if (i < n)
			store_part(to + i, load_part(from + i, first_lanes(n - i)), first_lanes(n - i));
	} else if (step == 2) {
		every_second(to, from, n);
	} else if (step == 0) {
		const vec all = *from + (vec){0};
		for (; i + WIDTH <= n; i += WIDTH)
			*(vec *)(to + i) = all;
		if (i < n)
			store_part(to + i, all, first_lanes(n - i));
	} else {
		for (; i < n; i++)
			to[i] = from[i * step];
	}
}

INLINE void scatter_row(real *to, const real *from, int n, ptrdiff_t step)
{
	if (step == 1) {
		gather_row(to, from, n, 1);
		return;
	}
	int i = 0;
#if TILE_BYTES == 64
	if (sizeof(real) == 4 && step == 2) {
		const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
		const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
		for (; i < n; i += WIDTH) {
			const int rest = n - i < WIDTH ? n - i : WIDTH;
			const __m512 v = (__m512)load_part(from + i, first_lanes(rest));
			const uint32_t lanes = 0x55555555u & (uint32_t)((UINT64_C(1) << 2 * rest) - 1);
			store_part(to + 2 * i, (vec)_mm512_permutexvar_ps(low, v), (lanes_mask)(lanes & 0xffff));
			store_part(to + 2 * i + WIDTH, (vec)_mm512_permutexvar_ps(high, v), (lanes_mask)(lanes >> 16));
		}
	}
#endif
	for (; i < n; i++)
		to[i * step] = from[i];
}

/* 0, 1, 2 .. */
INLINE bits lane_numbers(void)
{
	static const element numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	return (bits)*(const vec *)(const void *)numbers;
}

/* The elements at these places. */
INLINE vec gather_lanes(const real *from, bits at)
{
#if TILE_BYTES == 64
	return sizeof(real) == 4 ? (vec)_mm512_i32gather_ps((__m512i)at, from, 4)
				 : (vec)_mm512_i64gather_pd((__m512i)at, from, 8);
#elif TILE_BYTES == 32
	return sizeof(real) == 4 ? (vec)_mm256_i32gather_ps((const float *)from, (__m256i)at, 4)
				 : (vec)_mm256_i64gather_pd((const double *)from, (__m256i)at, 8);
#else
	vec v = {0};
	for (int i = 0; i < WIDTH; i++)
		v[i] = from[at[i]];
	return v;
#endif
}

/* Rows of a power of two, of which several make a vector: whole vectors of them, and how many rows that is. What is where in a vector is the
 * same in all of them. */
INLINE int gather_rows(real *to, const real *from, int rows, ptrdiff_t apart, int n, ptrdiff_t step)
{
	const int shift = __builtin_ctz((unsigned)n), each = WIDTH >> shift;
	const bits lane = lane_numbers();
	const bits at = (lane >> shift) * (element)apart + (lane & (n - 1)) * (element)step;
	int i = 0;
	for (; i + each <= rows; i += each, to += WIDTH, from += each * apart)
		*(vec *)to = gather_lanes(from, at);
	return i;
}

/* Rows that are no longer than a vector, one behind the other. */
static real *load_short_rows(real *to, const real *from, int rows, ptrdiff_t apart, int n, ptrdiff_t step)
{
	const lanes_mask mask = first_lanes(n);
	int i = 0;
	if (n < WIDTH && (n & (n - 1)) == 0 && rows * n >= 2 * WIDTH) {
		i = gather_rows(to, from, rows, apart, n, step);
		to += i * n;
		from += i * apart;
	}
	if (step == 1)
		for (; i < rows; i++, to += n, from += apart)
			store_part(to, load_part(from, mask), mask);
	else if (step == 0)
		for (; i < rows; i++, to += n, from += apart)
			store_part(to, *from + (vec){0}, mask);
	else if (step == 2)
		for (; i < rows; i++, to += n, from += apart)
			every_second(to, from, n);
	else
		for (; i < rows; i++, to += n, from += apart)
			for (int k = 0; k < n; k++)
				to[k] = from[k * step];
	return to;
}

static real *load_level(const struct frame *f, int level, real *to, const real *from, const int32_t *step)
{
	const int n = rows_of(f, f->strip, level);
	if (level + 1 == f->strip->levels) {
		gather_row(to, from, n, *step);
		return to + n;
	}
	if (level + 2 == f->strip->levels) {
		const int row = rows_of(f, f->strip, level + 1);
		if (row <= WIDTH)
			return load_short_rows(to, from, n, *step, row, step[1]);
		for (int i = 0; i < n; i++, to += row, from += *step)
			gather_row(to, from, row, step[1]);
		return to;
	}
	for (int i = 0; i < n; i++)
		to = load_level(f, level + 1, to, from + i * (ptrdiff_t)*step, step + 1);
	return to;
}

static void map_load(struct frame *f, const int32_t *w)
{
	load_level(f, f->strip->strip, f->slot[w[1]].at, f->slot[w[2]].at, w + 3);
}

static const real *store_level(const struct frame *f, int level, real *to, const real *from, const int32_t *step)
{
	const int n = rows_of(f, f->strip, level);
	if (level + 1 == f->strip->levels) {
		scatter_row(to, from, n, *step);
		return from + n;
	}
	if (level + 2 == f->strip->levels) {
		const int row = rows_of(f, f->strip, level + 1);
		const lanes_mask mask = first_lanes(row < WIDTH ? row : 0);
		for (int i = 0; i < n; i++, from += row, to += *step)
			if (row < WIDTH && step[1] == 1)
				store_part(to, load_part(from, mask), mask);
			else
				scatter_row(to, from, row, step[1]);
		return from;
	}
	for (int i = 0; i < n; i++)
		from = store_level(f, level + 1, to + i * (ptrdiff_t)*step, from, step + 1);
	return from;
}

static void map_store(struct frame *f, const int32_t *w)
{
	if (!f->strip || f->slot[w[1]].step == 0) /* of a uniform there is nothing but the first */
		*f->slot[w[2]].at = *f->slot[w[1]].at;
	else
		store_level(f, f->strip->strip, f->slot[w[2]].at, f->slot[w[1]].at, w + 3);
}

/* As an integer, whatever it is: no bit changes. */
static void map_splat(struct frame *f, const int32_t *w)
{
	*(bits *)f->slot[w[1]].at = *(const element *)f->slot[w[2]].at + (bits){0};
}

enum { CONDITIONS = 16 };

struct inside {
	const real *fill; /* for the element at `start` */
	ptrdiff_t fill_step;
	const real *start;
	int n, factors;	      /* conditions; words of one, without its constant */
	const int32_t *first; /* factor of the strip's first level in the first condition */
};

INLINE void fill_row(const struct inside *in, real *to, int n)
{
	const real *from = in->fill + (to - in->start) * in->fill_step;
	if (n > 0)
		gather_row(to, from, n, in->fill_step);
}

/* value[]: the conditions for the first element of this level; what lies outside of one of them is filled. */
static real *load_inside(const struct frame *f, const struct inside *in, int level, const int32_t *value, real *to,
			 const real *from, const int32_t *step)
{
	const struct space *s = f->strip;
	const int n = rows_of(f, s, level), last = level + 1 == s->levels;
	const int32_t *factor = in->first + (level - s->strip);
	int start = 0, end = n;
	for (int c = 0; c < in->n; c++) { /* value + factor i >= 0 */
		const int32_t v = value[c], by = factor[c * in->factors];
		if (by == 0 && v < 0 && last)
			end = 0;
		else if (by > 0 && v < 0)
			start = -v / by + (-v % by != 0) > start ? -v / by + (-v % by != 0) : start;
		else if (by < 0)
			end = v < 0 ? (last ? 0 : end) : v / -by + 1 < end ? v / -by + 1 : end;
	}
	if (last) {
		start = start < end ? start : end;
		end = end > start ? end : start;
		fill_row(in, to, start);
		gather_row(to + start, from + start * (ptrdiff_t)*step, end - start, *step);
		fill_row(in, to + end, n - end);
		return to + n;
	}
	for (int i = 0; i < n; i++) {
		int32_t here[CONDITIONS];
		for (int c = 0; c < in->n; c++)
			here[c] = value[c] + i * factor[c * in->factors];
		to = load_inside(f, in, level + 1, here, to, from + i * (ptrdiff_t)*step, step + 1);
	}
	return to;
}

/* A box: in each level of the strip, what lies in [from, to) of it. size: elements of what is within a level. */
struct box {
	int from[NN_MAP_INDICES], to[NN_MAP_INDICES], size[NN_MAP_INDICES];
};

/* Whether the conditions make a box: each depends on one level of the strip at most. */
static bool find_box(const struct frame *f, const struct inside *in, const int32_t *value, struct box *box)
{
	const struct space *s = f->strip;
	const int levels = s->levels - s->strip;
	for (int l = levels - 1, size = 1; l >= 0; l--) {
		box->size[l] = size;
		size *= box->to[l] = rows_of(f, s, s->strip + l);
		box->from[l] = 0;
	}
	for (int c = 0; c < in->n; c++) {
		const int32_t *factor = in->first + c * in->factors, v = value[c];
		int on = 0;
		for (int l = 0, met = 0; l < levels; l++) {
			if (factor[l] == 0)
				continue;
			if (met++)
				return false;
			on = l;
		}
		const int by = factor[on];
		if (by == 0 && v < 0)
			box->to[on] = 0;
		else if (by > 0 && v < 0 && (-v + by - 1) / by > box->from[on])
			box->from[on] = (-v + by - 1) / by;
		else if (by < 0 && v / -by + 1 < box->to[on])
			box->to[on] = v < 0 ? 0 : v / -by + 1;
	}
	for (int l = 0; l < levels; l++)
		if (box->from[l] >= box->to[l])
			box->from[l] = box->to[l] = 0;
	return true;
}

static real *load_box(const struct frame *f, const struct inside *in, const struct box *box, int level, real *to,
		      const real *from, const int32_t *step)
{
	const struct space *s = f->strip;
	const int n = rows_of(f, s, s->strip + level), start = box->from[level], end = box->to[level];
	const int size = box->size[level];
	fill_row(in, to, start * size);
	to += start * size;
	from += start * (ptrdiff_t)*step;
	if (s->strip + level + 1 == s->levels) {
		gather_row(to, from, end - start, *step);
		to += end - start;
	} else {
		for (int i = start; i < end; i++, from += *step)
			to = load_box(f, in, box, level + 1, to, from, step + 1);
	}
	fill_row(in, to, (n - end) * size);
	return to + (n - end) * size;
}

static void map_load_inside(struct frame *f, const int32_t *w)
{
	const struct space *s = f->strip;
	const int32_t *step = w + 5, *conditions = step + (s->levels - s->strip), *condition = conditions + 1;
	const struct inside in = {.fill = f->slot[w[3]].at,
				  .fill_step = f->slot[w[3]].step != 0,
				  .start = f->slot[w[1]].at,
				  .n = *conditions,
				  .factors = f->n_index + 1,
				  .first = condition + 1 + s->base + s->strip};
	int32_t value[CONDITIONS];
	struct box box;
	if (*f->slot[w[4]].at == 0) {
		fill_row(&in, f->slot[w[1]].at, f->n);
		return;
	}
	if (in.n == 0) {
		load_level(f, s->strip, f->slot[w[1]].at, f->slot[w[2]].at, step);
		return;
	}
	for (int c = 0; c < in.n; c++, condition += in.factors) {
		value[c] = condition[0];
		for (int k = 0; k < f->n_index; k++)
			value[c] += condition[1 + k] * f->index[k];
	}
	if (find_box(f, &in, value, &box))
		load_box(f, &in, &box, 0, f->slot[w[1]].at, f->slot[w[2]].at, step);
	else
		load_inside(f, &in, s->strip, value, f->slot[w[1]].at, f->slot[w[2]].at, step);
}

/* ---- integers ---- */

/* value, and on by `by`; rows are short, so that it is the first vector that counts. */
INLINE void index_row(element *to, int n, element value, element by)
{
	bits at = lane_numbers();
	int i = 0;
	at = at * by + value;
	for (; i + WIDTH <= n; i += WIDTH, at += by * WIDTH)
		*(vec *)(to + i) = (vec)at;
	if (i < n)
		store_part((real *)(to + i), (vec)at, first_lanes(n - i));
}

static element *index_level(const struct frame *f, int level, element *to, element value, const int32_t *factor)
{
	const int n = rows_of(f, f->strip, level);
	if (level + 1 == f->strip->levels) {
		index_row(to, n, value, *factor);
		return to + n;
	}
	for (int i = 0; i < n; i++)
		to = index_level(f, level + 1, to, value + (element)i * *factor, factor + 1);
	return to;
}

static void map_index(struct frame *f, const int32_t *w)
{
	element value = w[2];
	for (int k = 0; k < f->n_index; k++)
		value += (element)w[3 + k] * f->index[k];
	if (f->slot[w[1]].step == 0)
		*(bits *)f->slot[w[1]].at = value + (bits){0};
	else
		index_level(f, f->strip->strip, (element *)f->slot[w[1]].at, value,
			    w + 3 + f->strip->base + f->strip->strip);
}

/* By the nearest double of 1 / by: a quotient of integers of 32 bits is at least 1 / by away from the next one, once half
 * a step lies between. */
INLINE void divide(struct frame *f, const int32_t *w, bool remainder)
{
	element *to = (element *)f->slot[w[1]].at;
	const element *at = (const element *)f->slot[w[2]].at;
	const double inverse = 1 / (double)w[3];
	const int n = f->slot[w[1]].step ? f->n : WIDTH;
	const element by = w[3];
	IVDEP for (int i = 0; i < n; i++)
	{
		const double q = ((double)at[i] + 0.5) * inverse;
		const int32_t towards_0 = (int32_t)q, quotient = towards_0 - (q < towards_0);
		to[i] = remainder ? at[i] - by * quotient : quotient;
	}
}

static void map_int_quotient(struct frame *f, const int32_t *w) { divide(f, w, false); }
static void map_int_remainder(struct frame *f, const int32_t *w) { divide(f, w, true); }

static void map_gather(struct frame *f, const int32_t *w)
{
	real *to = f->slot[w[1]].at;
	const real *from = f->slot[w[2]].at;
	const element *index = (const element *)f->slot[w[3]].at;
	const int n = f->n, step = f->slot[w[3]].step != 0;
	int i = 0;
	for (; i + WIDTH <= n && step; i += WIDTH)
		*(vec *)(to + i) = gather_lanes(from, (bits)*(const vec *)(const void *)(index + i));
	for (; i < n; i++)
		to[i] = from[index[i * step]];
}

#endif
