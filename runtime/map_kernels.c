/* map_kernels.c - the instructions of map.h for one instruction set and one type of reals, and what runs them.
 *
 * The Makefile compiles this file like tile_kernels.c. The program is interpreted, not compiled into calls: a table is
 * less text for libtcc than calls whose addresses are computed anew for each strip, and a strip is long enough that
 * what an instruction is costs little. A uniform is a whole vector that is not moved on (step 0), so that an operation
 * needs one kernel whatever its operands are. The last vector of a strip is masked: it touches nothing beyond. */
#include "tile_kernels.h"

#include <math.h>
#include <stdbool.h>

#include "../compiler/math_template.h"
#include "map.h"

enum { STRIP = NN_MAP_STRIP_BYTES / sizeof(real), REGISTERS = NN_MAP_UNIFORM - NN_MAP_REGISTER };
enum { UNIFORMS = NN_MAP_SLOTS - NN_MAP_UNIFORM };

/* Bits of a vector of reals: masks. */
typedef int32_t bits_of_float __attribute__((vector_size(TILE_BYTES), may_alias));
typedef int64_t bits_of_double __attribute__((vector_size(TILE_BYTES), may_alias));
#define BITS_JOIN(real) bits_of_##real
#define BITS_OF(real) BITS_JOIN(real)
typedef BITS_OF(TILE_REAL) bits;
typedef int32_t element_of_float __attribute__((may_alias));
typedef int64_t element_of_double __attribute__((may_alias));
#define ELEMENT_JOIN(real) element_of_##real
#define ELEMENT_OF(real) ELEMENT_JOIN(real)
typedef ELEMENT_OF(TILE_REAL) element; /* one of bits */
typedef real whole __attribute__((vector_size(TILE_BYTES), may_alias)); /* a vec that is a value */

struct space {
	const int32_t *extent;
	int levels, strip, base; /* base: of its indices among all */
	int count;		 /* of level `strip` in this strip */
};

struct frame {
	int n, limit; /* elements of the strip; rows of the call */
	int n_index;
	int index[NN_MAP_INDICES]; /* of all loops; where a strip is, that of its first element */
	const struct space *strip;
	struct {
		real *at;
		ptrdiff_t step; /* from vector to vector */
	} slot[NN_MAP_SLOTS];
	whole uniform[UNIFORMS];
	whole scratch[REGISTERS][STRIP / WIDTH];
};

/* A result takes the place of an operand, or lies apart. */
#ifdef __clang__
#define IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define IVDEP _Pragma("GCC ivdep")
#endif

typedef void instruction(struct frame *f, const int32_t *w);

static void execute(struct frame *f, const int32_t *w, const int32_t *end);

/* ---- loops ---- */

INLINE int extent_of(const struct frame *f, const struct space *s, int level)
{
	return s->extent[level] < 0 ? f->limit * -s->extent[level] : s->extent[level];
}

INLINE void move_slots(struct frame *f, const struct space *s, int level, ptrdiff_t by)
{
	const int32_t *moved = s->extent + s->levels, *end;
	const int words = s->levels + 1;
	for (end = moved + 1 + *moved * words, moved++; moved < end; moved += words)
		f->slot[*moved].at += by * moved[1 + level];
	f->index[s->base + level] += (int)by;
}

static void run_strips(struct frame *f, struct space *s, const int32_t *body, const int32_t *end)
{
	const struct space *around = f->strip;
	const int n = f->n, whole_level = extent_of(f, s, s->strip);
	int inner = 1, each;
	for (int k = s->strip + 1; k < s->levels; k++)
		inner *= extent_of(f, s, k);
	each = inner > 0 && inner <= STRIP ? STRIP / inner : 1;
	f->strip = s;
	for (int i = 0; i < whole_level; i += each) {
		s->count = whole_level - i < each ? whole_level - i : each;
		f->n = s->count * inner;
		execute(f, body, end);
		move_slots(f, s, s->strip, s->count);
	}
	move_slots(f, s, s->strip, -whole_level);
	f->n = n;
	f->strip = around;
}

static void map_space(struct frame *f, const int32_t *w)
{
	const int32_t *body = w + (w[0] >> 8), *end = body + w[3];
	struct space s = {.extent = w + 4, .levels = w[1], .strip = w[2], .base = f->n_index};
	int k;
	for (k = 0; k < s.levels; k++) {
		f->index[s.base + k] = 0;
		if (extent_of(f, &s, k) <= 0)
			return;
	}
	f->n_index += s.levels;
	do {
		if (s.strip < s.levels)
			run_strips(f, &s, body, end);
		else
			execute(f, body, end);
		for (k = s.strip - 1; k >= 0; k--) {
			move_slots(f, &s, k, 1);
			if (f->index[s.base + k] < extent_of(f, &s, k))
				break;
			move_slots(f, &s, k, -extent_of(f, &s, k));
		}
	} while (k >= 0);
	f->n_index -= s.levels;
}

/* ---- memory ---- */

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
	for (int i = 0; i < n; i++)
		to[i * step] = from[i];
}

INLINE int rows_of(const struct frame *f, const struct space *s, int level)
{
	return level == s->strip ? s->count : extent_of(f, s, level);
}

static real *load_level(const struct frame *f, int level, real *to, const real *from, const int32_t *step)
{
	const int n = rows_of(f, f->strip, level);
	if (level + 1 == f->strip->levels) {
		gather_row(to, from, n, *step);
		return to + n;
	}
	if (level + 2 == f->strip->levels && step[1] == 1) {
		const int row = rows_of(f, f->strip, level + 1);
		for (int i = 0; i < n; i++, to += row, from += *step)
			gather_row(to, from, row, 1);
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
	if (level + 2 == f->strip->levels && step[1] == 1) {
		const int row = rows_of(f, f->strip, level + 1);
		for (int i = 0; i < n; i++, from += row, to += *step)
			gather_row(to, from, row, 1);
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
	static const element numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	bits at = *(const bits *)(const void *)numbers;
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
#if TILE_BYTES == 64
	for (; i + WIDTH <= n && step; i += WIDTH)
		*(vec *)(to + i) = sizeof(real) == 4
					   ? (vec)_mm512_i32gather_ps(_mm512_loadu_si512(index + i), from, 4)
					   : (vec)_mm512_i64gather_pd(_mm512_loadu_si512(index + i), from, 8);
#endif
	for (; i < n; i++)
		to[i] = from[index[i * step]];
}

/* ---- element by element ---- */

#define AT(i) (f->slot[w[i]].at)
#define STEP(i) (f->slot[w[i]].step)
/* A uniform is a whole vector, and a result that is one needs no more. */
#define LENGTH (STEP(1) ? f->n : WIDTH)
#define IS(condition) ((bits)(condition))
#define CHOOSE(mask, x, y) ((whole)((IS(mask) & (bits)(x)) | (~IS(mask) & (bits)(y))))

#define MAP1(name, value)                                                                                              \
	static void map_##name(struct frame *f, const int32_t *w)                                                      \
	{                                                                                                              \
		real *to = AT(1);                                                                                      \
		const real *at = AT(2);                                                                                \
		const ptrdiff_t step = STEP(2);                                                                        \
		const int n = LENGTH;                                                                                  \
		int i = 0;                                                                                             \
		for (; i + WIDTH <= n; i += WIDTH, at += step) {                                                       \
			const whole a = *(const vec *)at;                                                              \
			*(vec *)(to + i) = value;                                                                      \
		}                                                                                                      \
		if (i < n) {                                                                                           \
			const lanes_mask mask = first_lanes(n - i);                                                    \
			const whole a = load_part(at, mask);                                                           \
			store_part(to + i, value, mask);                                                               \
		}                                                                                                      \
	}
#define MAP2(name, value)                                                                                              \
	static void map_##name(struct frame *f, const int32_t *w)                                                      \
	{                                                                                                              \
		real *to = AT(1);                                                                                      \
		const real *at_a = AT(2), *at_b = AT(3);                                                               \
		const ptrdiff_t step_a = STEP(2), step_b = STEP(3);                                                    \
		const int n = LENGTH;                                                                                  \
		int i = 0;                                                                                             \
		for (; i + WIDTH <= n; i += WIDTH, at_a += step_a, at_b += step_b) {                                   \
			const whole a = *(const vec *)at_a, b = *(const vec *)at_b;                                    \
			*(vec *)(to + i) = value;                                                                      \
		}                                                                                                      \
		if (i < n) {                                                                                           \
			const lanes_mask mask = first_lanes(n - i);                                                    \
			const whole a = load_part(at_a, mask), b = load_part(at_b, mask);                              \
			store_part(to + i, value, mask);                                                               \
		}                                                                                                      \
	}
#define MAP3(name, value)                                                                                              \
	static void map_##name(struct frame *f, const int32_t *w)                                                      \
	{                                                                                                              \
		real *to = AT(1);                                                                                      \
		const real *at_a = AT(2), *at_b = AT(3), *at_c = AT(4);                                                \
		const ptrdiff_t step_a = STEP(2), step_b = STEP(3), step_c = STEP(4);                                  \
		const int n = LENGTH;                                                                                  \
		int i = 0;                                                                                             \
		for (; i + WIDTH <= n; i += WIDTH, at_a += step_a, at_b += step_b, at_c += step_c) {                   \
			const whole a = *(const vec *)at_a, b = *(const vec *)at_b, c = *(const vec *)at_c;            \
			*(vec *)(to + i) = value;                                                                      \
		}                                                                                                      \
		if (i < n) {                                                                                           \
			const lanes_mask mask = first_lanes(n - i);                                                    \
			const whole a = load_part(at_a, mask), b = load_part(at_b, mask), c = load_part(at_c, mask);   \
			store_part(to + i, value, mask);                                                               \
		}                                                                                                      \
	}
#define MAP4(name, value)                                                                                              \
	static void map_##name(struct frame *f, const int32_t *w)                                                      \
	{                                                                                                              \
		real *to = AT(1);                                                                                      \
		const real *at_a = AT(2), *at_b = AT(3), *at_c = AT(4), *at_d = AT(5);                                 \
		const ptrdiff_t step_a = STEP(2), step_b = STEP(3), step_c = STEP(4), step_d = STEP(5);                \
		const int n = LENGTH;                                                                                  \
		int i = 0;                                                                                             \
		for (; i + WIDTH <= n; i += WIDTH, at_a += step_a, at_b += step_b, at_c += step_c, at_d += step_d) {   \
			const whole a = *(const vec *)at_a, b = *(const vec *)at_b;                                    \
			const whole c = *(const vec *)at_c, d = *(const vec *)at_d;                                    \
			*(vec *)(to + i) = value;                                                                      \
		}                                                                                                      \
		if (i < n) {                                                                                           \
			const lanes_mask mask = first_lanes(n - i);                                                    \
			const whole a = load_part(at_a, mask), b = load_part(at_b, mask);                              \
			const whole c = load_part(at_c, mask), d = load_part(at_d, mask);                              \
			store_part(to + i, value, mask);                                                               \
		}                                                                                                      \
	}

MAP1(move, a)
MAP1(neg, -a)
MAP1(sign, CHOOSE(a > 0, (whole){0} + 1, CHOOSE(a < 0, (whole){0} - 1, a)))
MAP1(not, (whole) ~(bits)a)
MAP2(add, a + b)
MAP2(sub, a - b)
MAP2(mul, a *b)
MAP2(div, a / b)
MAP2(min, CHOOSE(b < a, b, a))
MAP2(max, CHOOSE(a < b, b, a))
MAP2(lt, (whole)IS(a < b))
MAP2(le, (whole)IS(a <= b))
MAP2(eq, (whole)IS(a == b))
MAP2(ne, (whole)IS(a != b))
MAP2(and, (whole)((bits)a &(bits)b))
MAP2(or, (whole)((bits)a | (bits)b))
MAP2(int_add, (whole)((bits)a + (bits)b))
MAP2(int_sub, (whole)((bits)a - (bits)b))
MAP2(int_mul, (whole)((bits)a *(bits)b))
MAP2(int_lt, (whole)((bits)a < (bits)b))
MAP2(int_le, (whole)((bits)a <= (bits)b))
MAP2(int_eq, (whole)((bits)a == (bits)b))
MAP2(int_ne, (whole)((bits)a != (bits)b))
MAP1(int_to_real, __builtin_convertvector((bits)a, whole))
MAP3(mul_add, a *b + c)
MAP3(mul_sub, a *b - c)
MAP3(sub_mul, c - a * b)
MAP3(select, CHOOSE(a, b, c))
MAP4(select_lt, CHOOSE(a < b, c, d))
MAP4(select_le, CHOOSE(a <= b, c, d))

/* ---- functions ---- */

/* Those of math_template.h become vectors: they have no branch and no call. */
#define FAST(name) (sizeof(real) == sizeof(float) ? (real)fast_##name((float)x) : (real)name((double)x))
#define LIBM(name) (sizeof(real) == sizeof(float) ? (real)name##f((float)x) : (real)name((double)x))
#define FUNCTION_exp FAST(exp)
#define FUNCTION_log FAST(log)
#define FUNCTION_tanh FAST(tanh)
#define FUNCTION_erf FAST(erf)
#define FUNCTION_log1p LIBM(log1p)
#define FUNCTION_expm1 LIBM(expm1)
#define FUNCTION_exp2 LIBM(exp2)
#define FUNCTION_sin LIBM(sin)
#define FUNCTION_cos LIBM(cos)
#define FUNCTION_tan LIBM(tan)
#define FUNCTION_asin LIBM(asin)
#define FUNCTION_acos LIBM(acos)
#define FUNCTION_atan LIBM(atan)
#define FUNCTION_sinh LIBM(sinh)
#define FUNCTION_cosh LIBM(cosh)
#define FUNCTION_sqrt LIBM(sqrt)
#define FUNCTION_fabs LIBM(fabs)
#define FUNCTION_floor LIBM(floor)
#define FUNCTION_ceil LIBM(ceil)
#define FUNCTION_rint LIBM(rint)

/* Whole vectors only, where the function has vectors: the rest of a strip is made one. */
#define FUNCTION(NAME, name, vectors)                                                                                  \
	INLINE real lane_##name(real x) { return FUNCTION_##name; }                                                    \
	static __attribute__((noinline)) void lanes_##name(real *to, const real *at, int n)                            \
	{                                                                                                              \
		IVDEP for (int i = 0; i < n; i++) to[i] = lane_##name(at[i]);                                          \
	}                                                                                                              \
	static void map_function_##name(struct frame *f, const int32_t *w)                                             \
	{                                                                                                              \
		const real *at = AT(2);                                                                                \
		real *to = AT(1), part[WIDTH];                                                                         \
		const int n = f->n, whole_n = vectors ? n - n % WIDTH : n;                                             \
		if (!STEP(1)) {                                                                                        \
			*(whole *)to = lane_##name(*at) + (whole){0};                                                  \
			return;                                                                                        \
		}                                                                                                      \
		lanes_##name(to, at, whole_n);                                                                         \
		if (whole_n < n) {                                                                                     \
			const lanes_mask mask = first_lanes(n - whole_n);                                              \
			*(vec *)part = load_part(at + whole_n, mask);                                                  \
			lanes_##name(part, part, WIDTH);                                                               \
			store_part(to + whole_n, *(vec *)part, mask);                                                  \
		}                                                                                                      \
	}
NN_MAP_FUNCTIONS(FUNCTION)

static void map_pow(struct frame *f, const int32_t *w)
{
	const int n = STEP(1) ? f->n : 1;
	const ptrdiff_t a = STEP(2) != 0, b = STEP(3) != 0;
	real *to = AT(1);
	for (int i = 0; i < n; i++) {
		const real x = AT(2)[i * a], y = AT(3)[i * b];
		to[i] = sizeof(real) == sizeof(float) ? (real)powf((float)x, (float)y)
						      : (real)pow((double)x, (double)y);
	}
	if (!STEP(1))
		*(whole *)to = *to + (whole){0};
}

/* ---- sums and extremes along a strip ---- */

#define SUM(x, y) ((x) + (y))
#define SECOND(x, y) (y)
#define LEAST(x, y) CHOOSE(y < x, y, x)
#define MOST(x, y) CHOOSE(x < y, y, x)
#define REDUCE(name, JOIN, FIRST, SCALAR)                                                                              \
	static void map_reduce_##name(struct frame *f, const int32_t *w)                                               \
	{                                                                                                              \
		whole *to = (whole *)AT(1), part = *to, other;                                                         \
		const real *at = AT(2);                                                                                \
		const int n = f->n;                                                                                    \
		int i = 0;                                                                                             \
		if (n >= 2 * WIDTH) {                                                                                  \
			other = FIRST(part, *(const vec *)at);                                                         \
			for (i = WIDTH; i + 2 * WIDTH <= n; i += 2 * WIDTH) {                                          \
				const whole x = *(const vec *)(at + i), y = *(const vec *)(at + i + WIDTH);            \
				part = JOIN(part, x);                                                                  \
				other = JOIN(other, y);                                                                \
			}                                                                                              \
			part = JOIN(part, other);                                                                      \
		}                                                                                                      \
		for (; i + WIDTH <= n; i += WIDTH) {                                                                   \
			const whole x = *(const vec *)(at + i);                                                        \
			part = JOIN(part, x);                                                                          \
		}                                                                                                      \
		if (i < n) {                                                                                           \
			const lanes_mask mask = first_lanes(n - i);                                                    \
			real lane[WIDTH];                                                                              \
			const whole x = load_part(at + i, mask), joined = JOIN(part, x);                               \
			memcpy(lane, &part, sizeof lane);                                                              \
			store_part(lane, joined, mask);                                                                \
			memcpy(&part, lane, sizeof lane);                                                              \
		}                                                                                                      \
		*to = part;                                                                                            \
	}                                                                                                              \
	static void map_total_##name(struct frame *f, const int32_t *w)                                                \
	{                                                                                                              \
		real *lane = AT(1);                                                                                    \
		for (int n = WIDTH / 2; n > 0; n /= 2)                                                                 \
			for (int i = 0; i < n; i++) {                                                                  \
				const real x = lane[i], y = lane[i + n];                                               \
				lane[i] = SCALAR;                                                                      \
			}                                                                                              \
		*(whole *)lane = *lane + (whole){0};                                                                   \
	}
REDUCE(sum, SUM, SECOND, x + y)
REDUCE(min, LEAST, LEAST, (y < x ? y : x))
REDUCE(max, MOST, MOST, (x < y ? y : x))

/* ---- the interpreter ---- */

static instruction *const instructions[NN_MAP_OPS] = {[NN_MAP_SPACE] = map_space,
						      [NN_MAP_LOAD] = map_load,
						      [NN_MAP_LOAD_INSIDE] = map_load_inside,
						      [NN_MAP_STORE] = map_store,
						      [NN_MAP_SPLAT] = map_splat,
						      [NN_MAP_INDEX] = map_index,
						      [NN_MAP_GATHER] = map_gather,
						      [NN_MAP_MOVE] = map_move,
						      [NN_MAP_NEG] = map_neg,
						      [NN_MAP_SIGN] = map_sign,
						      [NN_MAP_NOT] = map_not,
						      [NN_MAP_ADD] = map_add,
						      [NN_MAP_SUB] = map_sub,
						      [NN_MAP_MUL] = map_mul,
						      [NN_MAP_DIV] = map_div,
						      [NN_MAP_MIN] = map_min,
						      [NN_MAP_MAX] = map_max,
						      [NN_MAP_POW] = map_pow,
						      [NN_MAP_LT] = map_lt,
						      [NN_MAP_LE] = map_le,
						      [NN_MAP_EQ] = map_eq,
						      [NN_MAP_NE] = map_ne,
						      [NN_MAP_AND] = map_and,
						      [NN_MAP_OR] = map_or,
						      [NN_MAP_INT_ADD] = map_int_add,
						      [NN_MAP_INT_SUB] = map_int_sub,
						      [NN_MAP_INT_MUL] = map_int_mul,
						      [NN_MAP_INT_QUOTIENT] = map_int_quotient,
						      [NN_MAP_INT_REMAINDER] = map_int_remainder,
						      [NN_MAP_INT_LT] = map_int_lt,
						      [NN_MAP_INT_LE] = map_int_le,
						      [NN_MAP_INT_EQ] = map_int_eq,
						      [NN_MAP_INT_NE] = map_int_ne,
						      [NN_MAP_INT_TO_REAL] = map_int_to_real,
						      [NN_MAP_MUL_ADD] = map_mul_add,
						      [NN_MAP_MUL_SUB] = map_mul_sub,
						      [NN_MAP_SUB_MUL] = map_sub_mul,
						      [NN_MAP_SELECT] = map_select,
						      [NN_MAP_SELECT_LT] = map_select_lt,
						      [NN_MAP_SELECT_LE] = map_select_le,
						      [NN_MAP_REDUCE_SUM] = map_reduce_sum,
						      [NN_MAP_REDUCE_MIN] = map_reduce_min,
						      [NN_MAP_REDUCE_MAX] = map_reduce_max,
						      [NN_MAP_TOTAL_SUM] = map_total_sum,
						      [NN_MAP_TOTAL_MIN] = map_total_min,
						      [NN_MAP_TOTAL_MAX] = map_total_max,
#define X(NAME, name, vectors) [NN_MAP_##NAME] = map_function_##name,
						      NN_MAP_FUNCTIONS(X)
#undef X
};

static void execute(struct frame *f, const int32_t *w, const int32_t *end)
{
	while (w < end) {
		const int op = w[0] & 255;
		instructions[op](f, w);
		w += (w[0] >> 8) + (op == NN_MAP_SPACE ? w[3] : 0);
	}
}

void TILE_FUNCTION(map)(const int32_t *program, int n, int n_number, const real *number, int n_memory,
			real *const *memory)
{
	struct frame f;
	f.limit = n;
	f.n = f.n_index = 0;
	f.strip = NULL;
	for (int i = 0; i < n_memory; i++) {
		f.slot[NN_MAP_MEMORY + i].at = memory[i];
		f.slot[NN_MAP_MEMORY + i].step = WIDTH;
	}
	for (int i = 0; i < program[0]; i++) {
		f.slot[NN_MAP_REGISTER + i].at = (real *)f.scratch[i];
		f.slot[NN_MAP_REGISTER + i].step = WIDTH;
	}
	for (int i = 0; i < program[1]; i++) {
		f.slot[NN_MAP_UNIFORM + i].at = (real *)&f.uniform[i];
		f.slot[NN_MAP_UNIFORM + i].step = 0;
	}
	for (int i = 0; i < n_number; i++)
		f.uniform[i] = number[i] + (whole){0};
	program += 2;
	execute(&f, program, program + (program[0] >> 8) + program[3]);
}
