/* math_template.h - exp, tanh, erf and log of floats without a branch or a call, so that compilers make vectors of
 * them; emit_math.c puts those that are used into generated files, each from its comment to the next one's.
 *
 * The bounds are the worst of 4.4 million floats from the whole range, against double (tests/unit/emit_math.c). */
#include <math.h>
#include <stdint.h>
#include <string.h>

/* exp to 1.1 ulp: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes), n rounded by adding 1.5 * 2^23. Halves of the
 * polynomial side by side: what a small network waits for is this chain of operations. */
static inline float fast_exp(float x)
{
	const float least = -87.3365f, most = 88.7228f;
	const float shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
	const float r = x - n * 0.693359375f + n * 2.12194440e-4f, s = r * r;
	const float low = (8.3334519073e-3f * r + 4.1665795894e-2f) * s + (1.6666665459e-1f * r + 5.0000001201e-1f);
	const float high = 1.9875691500e-4f * r + 1.3981999507e-3f;
	const float y = (high * (s * s) + low) * s + r + 1.0f;
	uint32_t bits, power;
	float result;
	memcpy(&bits, &y, sizeof bits);
	memcpy(&power, &shifted, sizeof power);
	bits += power << 23;
	memcpy(&result, &bits, sizeof result);
	return x < least ? 0.0f : x > most ? INFINITY : x == x ? result : x;
}

/* tanh to 2.6 ulp: t / (t + 2) with t = exp(2 x) - 1, where exp(2 x) is 2^n (1 + q), q as above. */
static inline float fast_tanh(float x)
{
	const float c = x < -9.02f ? -9.02f : x > 9.02f ? 9.02f : x;
	const float shifted = c * 2.88539008f + 12582912.0f, n = shifted - 12582912.0f;
	const float r = 2.0f * c - n * 0.693359375f + n * 2.12194440e-4f, s = r * r;
	const float low = (8.3334519073e-3f * r + 4.1665795894e-2f) * s + (1.6666665459e-1f * r + 5.0000001201e-1f);
	const float high = 1.9875691500e-4f * r + 1.3981999507e-3f;
	const float q = (high * (s * s) + low) * s + r;
	uint32_t bits;
	float power, t;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits << 23) + 0x3F800000u;
	memcpy(&power, &bits, sizeof power);
	t = q * power + (power - 1.0f);
	return t / (t + 2.0f);
}

/* erf to 1.2 ulp: an odd polynomial near 0, else 1 - exp(-p), p a polynomial for -log(erfc); 1 from 4.1 on. exp as above,
 * but of what is never too large or too small; short chains of operations, as there. */
static inline float fast_erf(float x)
{
	const float size = fabsf(x), in = size > 4.1f ? 4.1f : size, s = x * x, t = in * in;
	const float small = ((((((7.8538586e-05f * s - 0.00080101925f) * s + 0.0051883277f) * s - 0.026853811f) * s +
			       0.112835854f) *
				      s -
			      0.37612626f) *
				     s +
			     0.12837917f) *
				    x +
			    x;
	const float first = (0.10998491f - 0.02636625f * in) * t + (0.63192624f * in + 1.130175f);
	const float last = (4.5533227e-05f - 1.6098355e-06f * in) * t + (0.004739889f - 0.00059249776f * in);
	const float p = (last * (t * t) + first) * in - 0.0003056542f;
	const float shifted = p * -1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
	const float r = n * 2.12194440e-4f - n * 0.693359375f - p, q = r * r;
	const float low = (8.3334519073e-3f * r + 4.1665795894e-2f) * q + (1.6666665459e-1f * r + 5.0000001201e-1f);
	const float high = 1.9875691500e-4f * r + 1.3981999507e-3f;
	const float y = (high * (q * q) + low) * q + r + 1.0f;
	uint32_t bits;
	float power;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits << 23) + 0x3F800000u;
	memcpy(&power, &bits, sizeof power);
	return size < 1.0f ? small : copysignf(1.0f - y * power, x);
}

/* log to 0.8 ulp: x = m 2^e with m in [sqrt(1/2), sqrt(2)), a polynomial for log(m) (Cephes). */
static inline float fast_log(float x)
{
	const float up = x < 1.17549435e-38f ? x * 8388608.0f : x; /* no subnormal */
	uint32_t bits, part;
	float m, e, r, s, p;
	memcpy(&bits, &up, sizeof bits);
	part = bits - 0x3F3504F3u; /* sqrt(1/2) */
	e = (float)((int32_t)part >> 23) - (x < 1.17549435e-38f ? 23.0f : 0.0f);
	bits = (part & 0x007FFFFFu) + 0x3F3504F3u;
	memcpy(&m, &bits, sizeof m);
	r = m - 1.0f;
	s = r * r;
	p = ((((((((7.0376836292e-2f * r - 1.1514610310e-1f) * r + 1.1676998740e-1f) * r - 1.2420140846e-1f) * r +
		 1.4249322787e-1f) *
			r -
		1.6668057665e-1f) *
		       r +
	       2.0000714765e-1f) *
		      r -
	      2.4999993993e-1f) *
		     r +
	     3.3333331174e-1f) *
	    r * s;
	p = p + e * -2.12194440e-4f - 0.5f * s;
	p = r + p + e * 0.693359375f;
	return x > 0.0f ? (x < INFINITY ? p : x) : x == 0.0f ? -INFINITY : NAN;
}
