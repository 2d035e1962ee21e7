/* random.c - the random numbers of generated code, for code that libtcc compiles.
 *
 * Initial values are most of what a program waits for before its first step, and the ten rounds of Philox4x32-10
 * (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) take libtcc's code ten times as long as this, and
 * a hundred times as long as vectors (random_kernels.c). The words are integers, so all compilers agree on them; what
 * is made of them is written as in the generated C, and compiled without contraction. */
#include "random.h"

#include <math.h>
#include <stdbool.h>

#include "processor.h"
#include "random_kernels.h"

void random_words(const nn_run *run, uint64_t place, int row, int element, uint32_t word[4])
{
	uint64_t key = run->seed ^ place;
	uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
	uint32_t w0 = (uint32_t)element, w1 = (uint32_t)row, w2 = (uint32_t)run->step, w3 = 0;
	for (int round = 0; round < 10; round++) {
		uint64_t a = (uint64_t)0xD2511F53u * w0, b = (uint64_t)0xCD9E8D57u * w2;
		w0 = (uint32_t)(b >> 32) ^ w1 ^ key0;
		w1 = (uint32_t)b;
		w2 = (uint32_t)(a >> 32) ^ w3 ^ key1;
		w3 = (uint32_t)a;
		key0 += 0x9E3779B9u;
		key1 += 0xBB67AE85u;
	}
	word[0] = w0;
	word[1] = w1;
	word[2] = w2;
	word[3] = w3;
}

/* The best that this processor can run. */
static random_block *select_kernel(void)
{
#if defined(__x86_64__)
	if (processor_runs("avx512"))
		return random_block_avx512;
	if (processor_runs("avx2"))
		return random_block_avx2;
#endif
	return random_block_base;
}

#define UNIFORM(real) ((real)(int32_t)(word0[i] >> 8) * (real)0x1p-24)
#define NORMAL(real, suffix)                                                                                           \
	(sqrt##suffix(-2 * log##suffix(((real)(int32_t)(word0[i] >> 8) + 1) * (real)0x1p-24)) *                        \
	 cos##suffix((real)(int32_t)(word1[i] >> 8) * (real)(2 * 3.14159265358979323846 * 0x1p-24)))

#define DRAWS_OF(name, real, second, draw)                                                                             \
	void name(const nn_run *run, uint64_t place, int row, int first, int count, real scale, real shift, real *to)  \
	{                                                                                                              \
		random_block *make_block = select_kernel();                                                            \
		uint32_t word0[RANDOM_BLOCK], word1[second ? RANDOM_BLOCK : 1], at = (uint32_t)first;                  \
		for (; count > 0; count -= RANDOM_BLOCK, at += RANDOM_BLOCK, to += RANDOM_BLOCK) {                     \
			int n = count < RANDOM_BLOCK ? count : RANDOM_BLOCK;                                           \
			make_block(run->seed ^ place, (uint32_t)row, (uint32_t)run->step, at, n, word0,                \
				   second ? word1 : NULL);                                                             \
			for (int i = 0; i < n; i++)                                                                    \
				to[i] = scale * draw + shift;                                                          \
		}                                                                                                      \
	}

DRAWS_OF(nn_uniformf, float, false, UNIFORM(float))
DRAWS_OF(nn_uniform, double, false, UNIFORM(double))
DRAWS_OF(nn_normalf, float, true, NORMAL(float, f))
DRAWS_OF(nn_normal, double, true, NORMAL(double, ))
