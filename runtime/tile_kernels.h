/* tile_kernels.h - the vectors of the instruction set that a file is compiled for, by TILE_REAL, TILE_BYTES and
 * TILE_REGISTERS. Parts of a vector need what the compilers have no common notation for: masks. */
#ifndef NNR_TILE_KERNELS_H
#define NNR_TILE_KERNELS_H

#include <stdint.h>
#include <string.h>

#include "tile_set.h"

typedef TILE_REAL real;
/* aligned as a real is: the compiled code aligns nothing, and unaligned access costs nothing where data are aligned */
typedef real vec __attribute__((vector_size(TILE_BYTES), aligned(sizeof(real)), may_alias));

enum { WIDTH = TILE_BYTES / sizeof(real) };

/* The public functions of the file, by instruction set and type: tile_run_avx2_float. */
#define TILE_JOIN(name, set, real) tile_##name##_##set##_##real
#define TILE_EXPAND(name, set, real) TILE_JOIN(name, set, real)
#define TILE_FUNCTION(name) TILE_EXPAND(name, TILE_SET, TILE_REAL)

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

/* Which lanes of a vector count: the first n. Of the others, load_part makes zeros, and none is touched in memory. All
 * lanes are as quick to load in this way as without. */
#if TILE_BYTES >= 32
#include <immintrin.h>
#endif

#if TILE_BYTES == 64
typedef uint16_t lanes_mask;
INLINE lanes_mask first_lanes(int n) { return (lanes_mask)((1u << n) - 1); }
INLINE vec load_part(const real *at, lanes_mask mask)
{
	return sizeof(real) == 4 ? (vec)_mm512_maskz_loadu_ps(mask, at)
				 : (vec)_mm512_maskz_loadu_pd((__mmask8)mask, at);
}
INLINE void store_part(real *at, vec v, lanes_mask mask)
{
	if (sizeof(real) == 4)
		_mm512_mask_storeu_ps(at, mask, (__m512)v);
	else
		_mm512_mask_storeu_pd(at, (__mmask8)mask, (__m512d)v);
}
#elif TILE_BYTES == 32
typedef __m256i lanes_mask;
INLINE lanes_mask first_lanes(int n)
{
	int32_t mask[8];
	for (int i = 0; i < 8; i++)
		mask[i] = i * WIDTH / 8 < n ? -1 : 0;
	return _mm256_loadu_si256((const __m256i *)mask);
}
INLINE vec load_part(const real *at, lanes_mask mask)
{
	return sizeof(real) == 4 ? (vec)_mm256_maskload_ps((const float *)at, mask)
				 : (vec)_mm256_maskload_pd((const double *)at, mask);
}
INLINE void store_part(real *at, vec v, lanes_mask mask)
{
	if (sizeof(real) == 4)
		_mm256_maskstore_ps((float *)at, mask, (__m256)v);
	else
		_mm256_maskstore_pd((double *)at, mask, (__m256d)v);
}
#else
typedef int lanes_mask;
INLINE lanes_mask first_lanes(int n) { return n; }
INLINE vec load_part(const real *at, lanes_mask n)
{
	vec v = {0};
	if (n == WIDTH)
		return *(const vec *)at;
	UNROLL for (int i = 0; i < WIDTH; i++) if (i < n) v[i] = at[i];
	return v;
}
INLINE void store_part(real *at, vec v, lanes_mask n)
{
	UNROLL for (int i = 0; i < WIDTH; i++) if (i < n) at[i] = v[i];
}
#endif

#endif
