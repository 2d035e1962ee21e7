/* random_kernels.c - random words for many elements at a time. Compiled once for each instruction set (TILE_SET, with
 * vectors of TILE_BYTES).
 *
 * A round of Philox (random.c) multiplies two 32-bit words to 64 bits. Each word stands in a lane of 64 bits, of which
 * the multiplication takes the lower half; the upper one may hold anything. Several vectors go through the rounds
 * together, as each round waits for the one before. */
#include "random_kernels.h"

#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint64_t lanes __attribute__((vector_size(TILE_BYTES)));
typedef uint32_t words __attribute__((vector_size(TILE_BYTES / 2), aligned(4), may_alias));
enum {
	LANES = TILE_BYTES / 8,
	SIDE_BY_SIDE = TILE_BYTES == 64 ? 8 : 4, /* as many as there are registers for */
	AT_ONCE = LANES * SIDE_BY_SIDE
};

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define JOIN(name, set) name##_##set
#define FUNCTION(name, set) JOIN(name, set)

/* The product of the lower halves. */
INLINE lanes multiply(lanes a, lanes b)
{
#if TILE_BYTES == 64
	return (lanes)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif TILE_BYTES == 32
	return (lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
	return (lanes)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
	return (a & UINT32_MAX) * (b & UINT32_MAX);
#endif
}

#define MULTIPLIER0 0xD2511F53u
#define MULTIPLIER1 0xCD9E8D57u
#define KEY_STEP0 0x9E3779B9u
#define KEY_STEP1 0xBB67AE85u

/* One round: w0 .. w3 of each vector. */
INLINE void mix(lanes w0[], lanes w1[], lanes w2[], lanes w3[], uint32_t key0, uint32_t key1)
{
	const lanes zero = {0}, multiplier0 = zero + MULTIPLIER0, multiplier1 = zero + MULTIPLIER1;
	UNROLL for (int v = 0; v < SIDE_BY_SIDE; v++)
	{
		lanes a = multiply(w0[v], multiplier0), b = multiply(w2[v], multiplier1);
		w0[v] = (b >> 32) ^ w1[v] ^ (zero + key0);
		w1[v] = b;
		w2[v] = (a >> 32) ^ w3[v] ^ (zero + key1);
		w3[v] = a;
	}
}

/* The first two rounds: at first only w0 differs from element to element, so one product of each is the same for all.
 */
INLINE void begin(lanes element, uint32_t row, uint32_t step, uint32_t key0, uint32_t key1, lanes *w0, lanes *w1,
		  lanes *w2, lanes *w3)
{
	const lanes zero = {0};
	const uint64_t b = (uint64_t)step * MULTIPLIER1, a = (uint64_t)((uint32_t)(b >> 32) ^ row ^ key0) * MULTIPLIER0;
	lanes first = multiply(element, zero + MULTIPLIER0);
	lanes second = multiply((first >> 32) ^ (zero + key1), zero + MULTIPLIER1);
	*w0 = (second >> 32) ^ (zero + ((uint32_t)b ^ (key0 + KEY_STEP0)));
	*w1 = second;
	*w2 = first ^ (zero + ((uint32_t)(a >> 32) ^ (key1 + KEY_STEP1)));
	*w3 = zero + a;
}

/* What the last round leaves unused is not computed. */
INLINE void make_words(uint64_t key, uint32_t row, uint32_t step, uint32_t first, int n, uint32_t *word0,
		       uint32_t *word1, bool both)
{
	lanes element;
	UNROLL for (int i = 0; i < LANES; i++) element[i] = first + (uint32_t)i;
	for (int at = 0; at < n; at += AT_ONCE) {
		uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
		lanes w0[SIDE_BY_SIDE], w1[SIDE_BY_SIDE], w2[SIDE_BY_SIDE], w3[SIDE_BY_SIDE];
		UNROLL for (int v = 0; v < SIDE_BY_SIDE; v++)
		{
			begin(element, row, step, key0, key1, &w0[v], &w1[v], &w2[v], &w3[v]);
			element += (uint64_t)LANES;
		}
		key0 += 2 * KEY_STEP0;
		key1 += 2 * KEY_STEP1;
		for (int round = 2; round < 9; round++) {
			mix(w0, w1, w2, w3, key0, key1);
			key0 += KEY_STEP0;
			key1 += KEY_STEP1;
		}
		mix(w0, w1, w2, w3, key0, key1);
		UNROLL for (int v = 0; v < SIDE_BY_SIDE; v++)
		{
			*(words *)(word0 + at + v * LANES) = __builtin_convertvector(w0[v], words);
			if (both)
				*(words *)(word1 + at + v * LANES) = __builtin_convertvector(w1[v], words);
		}
	}
}

void FUNCTION(random_block, TILE_SET)(uint64_t key, uint32_t row, uint32_t step, uint32_t first, int n,
				      uint32_t word0[RANDOM_BLOCK], uint32_t word1[RANDOM_BLOCK])
{
	if (word1)
		make_words(key, row, step, first, n, word0, word1, true);
	else
		make_words(key, row, step, first, n, word0, word1, false);
}
