/* map_elements.h - instructions of a map that work element by element, and those that make one number of a strip. Part of
 * map_kernels.c.
 *
 * A uniform is a whole vector that is not moved on (step 0), so that an operation needs one kernel whatever its operands
 * are. The last vector of a strip is masked: it touches nothing beyond. */
#ifndef NNR_MAP_ELEMENTS_H
#define NNR_MAP_ELEMENTS_H

#include <math.h>

#include "../compiler/math_template.h"
#include "map_frame.h"

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

INLINE real lane_pow(real x, real y)
{
	return sizeof(real) == sizeof(float) ? (real)powf((float)x, (float)y) : (real)pow((double)x, (double)y);
}

static void map_pow(struct frame *f, const int32_t *w)
{
	const int n = STEP(1) ? f->n : 1;
	const ptrdiff_t a = STEP(2) != 0, b = STEP(3) != 0;
	real *to = AT(1);
	for (int i = 0; i < n; i++)
		to[i] = lane_pow(AT(2)[i * a], AT(3)[i * b]);
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

#endif
