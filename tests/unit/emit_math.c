/* emit_math.c - the routines of generated code for exp, tanh, erf and log: their distance from libm's in double. */

#include "math_template.h"
#include "suite.h"

/* Units in the last place of a float between y and the exact r. */
static double ulps(float y, double r)
{
	int e;

	if (isnan(r))
		return isnan(y) ? 0 : INFINITY;
	if (fabs(r) > 3.4028235e38)
		return isinf(y) && (y > 0) == (r > 0) ? 0 : INFINITY;
	if (fabs(r) < 1.18e-38) /* below, exp is 0 */
		return fabs((double)y - r) / 1.18e-38;
	frexp(r, &e);
	return fabs((double)y - r) / ldexp(1, e - 24);
}

/* The worst of every 2^32 / 44,000 floats, special ones among them. */
static double worst(float (*fast)(float), double (*exact)(double))
{
	double most = 0;

	for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 9769) {
		uint32_t part = (uint32_t)bits;
		float x;
		double distance;

		memcpy(&x, &part, sizeof x);
		distance = ulps(fast(x), exact((double)x));
		most = distance > most ? distance : most;
	}
	return most;
}

static float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

START_TEST(stays_within_its_bounds)
{
	ck_assert_double_le(worst(fast_exp, exp), 1.1);
	ck_assert_double_le(worst(fast_tanh, tanh), 2.6);
	ck_assert_double_le(worst(fast_erf, erf), 1.2);
	ck_assert_double_le(worst(fast_log, log), 0.8);
	ck_assert_double_le(worst(fast_sigmoid, sigmoid), 2.2);
}
END_TEST

START_TEST(has_the_right_ends)
{
	ck_assert_float_eq(fast_exp(-INFINITY), 0);
	ck_assert(isinf(fast_exp(INFINITY)) && isinf(fast_exp(89)));
	ck_assert_float_eq(fast_exp(0), 1);
	ck_assert_float_eq(fast_tanh(-INFINITY), -1);
	ck_assert_float_eq(fast_erf(INFINITY), 1);
	ck_assert(isinf(fast_log(0)) && fast_log(0) < 0 && isinf(fast_log(INFINITY)) && isnan(fast_log(-1)));
	ck_assert_float_eq(fast_log(1), 0);
	ck_assert_float_eq(fast_sigmoid(-INFINITY), 0);
	ck_assert_float_eq(fast_sigmoid(INFINITY), 1);
	ck_assert(isnan(fast_exp(NAN)) && isnan(fast_tanh(NAN)) && isnan(fast_erf(NAN)) && isnan(fast_log(NAN)));
}
END_TEST

int main(void)
{
	TCase *fast = tcase_create("fast");

	tcase_add_test(fast, stays_within_its_bounds);
	tcase_add_test(fast, has_the_right_ends);
	return run_tests("emit_math", (TCase *[]){fast, NULL});
}
